"""Which column of a table of events says when; and why others that look so do not."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence

import polars as pl

from shortlist.errors import shorten

__all__ = ["PER_SECOND", "find_time", "is_time_name", "unit_of"]

# Names that people give such columns, the surest first, without signs and in lower case.
TIME_NAMES = ("timestamp", "ts", "time", "eventtime", "datetime", "createdat", "created", "date", "at", "when")
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# The years in which whole numbers are taken for times: 2000 to 2099, in seconds since 1970.
FIRST_SECOND, LAST_SECOND = 946_684_800, 4_102_444_799
# Numbers with signs between, as dates have them in many countries.
LIKE_A_DATE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}"
WRITE_TIMES = "Write every value in one form, as 2026-01-31T12:00:00 or as 2026-01-31."


def find_time(
    events: pl.DataFrame, taken: Sequence[str], given: Mapping[str, str | None], doubts: list[str]
) -> str | None:
    """The column of times, None where there is none; doubts say why a column that looks so was not taken."""
    time = given.get("time")
    if time is None:
        free = [events[column] for column in events.columns if column not in taken]
        whole = [values for values in free if not values.null_count()]
        moments = [values.name for values in whole if _is_moment(values)]
        numbers = [values.name for values in whole if is_time_name(values.name) and values.dtype.is_integer()]
        possible = sorted(moments or numbers, key=_place)
        if len(possible) > 1:
            doubts.append(f"time might also be {', '.join(map(repr, possible[1:]))}.")
        refused = {values.name: _why_not(values) for values in free if values.name not in possible}
        doubts.extend(f"{name!r} is not taken as the time: {why}" for name, why in refused.items() if why)
        time = possible[0] if possible else None
    if time in events.columns and events[time].dtype.is_integer() and given.get("time_unit") is None:
        doubts.append(_about_unit(events[time]))
    return time


def is_time_name(name: str) -> bool:
    """Whether people call times so, with other words before or without.

    >>> [is_time_name(name) for name in ("timestamp", "clicked_at", "eventTime", "format")]
    [True, True, True, False]
    """
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return "".join(words) in TIME_NAMES or any(word in TIME_NAMES for word in words[-1:])


def unit_of(values: pl.Series) -> str | None:
    """The unit in which all these whole numbers are times of 2000 to 2099, None where there is none."""
    lowest, highest = (values.min(), values.max()) if values.dtype.is_integer() else (None, None)
    if not isinstance(lowest, int) or not isinstance(highest, int):
        return None
    return next(
        (u for u, per in PER_SECOND.items() if lowest >= FIRST_SECOND * per and highest // per <= LAST_SECOND), None
    )


def _is_moment(values: pl.Series) -> bool:
    return values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime)


def _place(name: str) -> int:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return TIME_NAMES.index(plain) if plain in TIME_NAMES else len(TIME_NAMES)


def _why_not(values: pl.Series) -> str | None:
    """Why a column that looks like times is none, and what to do; None for a column that does not look so."""
    named, unit = is_time_name(values.name), unit_of(values)
    present = values.drop_nulls()
    if _is_moment(values) or (values.dtype.is_integer() and (named or unit)):
        if values.null_count():
            row = values.is_null().arg_max()
            return f"{values.null_count()} of its values are missing, the first in row {row}. Fill or drop these rows."
        if unit and not named:
            return f"it holds whole numbers, such as {present[0]}. If they count {unit} since 1970, add " + (
                f'time = "{values.name}", time_unit = "{unit}" to roles.'
            )
    if values.dtype.is_float() and named:
        return (
            f"it holds decimal numbers, such as {present[0] if len(present) else None}. Write whole numbers, and add "
            "their time_unit to roles."
        )
    if values.dtype == pl.String and (named or _like_dates(present.head(1_000))):
        forms = pl.DataFrame({"text": present, "form": present.str.replace_all(r"\d", "9")})
        examples = forms.unique("form", keep="first", maintain_order=True)["text"].head(2)
        return f"it holds texts, such as {shorten(text[:40] for text in examples)}. {WRITE_TIMES}"
    return None


def _like_dates(texts: pl.Series) -> bool:
    """Whether most of them do."""
    return int(texts.str.contains(LIKE_A_DATE).sum()) * 2 > len(texts)


def _about_unit(times: pl.Series) -> str:
    unit, first = unit_of(times), times.drop_nulls().head(1).to_list()
    known = f"{times.name!r} holds whole numbers, which order events but are no times without a unit."
    if unit is None:
        return f'{known} If they count since 1970, add time_unit = "s", "ms", "us" or "ns" to roles.'
    day = dt.datetime.fromtimestamp(first[0] // PER_SECOND[unit], dt.UTC).date()
    return f'{known} Add time_unit = "{unit}" to roles if {first[0]} means {day}.'

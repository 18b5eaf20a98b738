"""What a column of text means: whole numbers, numbers, truth values, dates, times, or just text."""

from collections.abc import Collection

import polars as pl

__all__ = ["typed", "typed_frame", "typed_ids", "typed_times"]

# A whole number that is written the same way again: "007" and "+7" are texts, for their zeros and signs may mean
# something, and so are more digits than the type holds.
WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"
# "1.50" is a price and becomes 1.5. An exponent stands behind one digit, as programs write it: "12e5" is a text.
NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?$|^-?[0-9](\.[0-9]+)?[eE][+-]?[0-9]+$|^(nan|NaN|-?inf|-?Inf)$"
# What libraries make of whole numbers once one is missing.
DECIMAL_WHOLE = r"^-?[0-9]+\.0$"
TRUTH = r"^([Tt]rue|TRUE|[Ff]alse|FALSE)$"
DATE = r"^\d{4}-\d{2}-\d{2}$"
# ISO 8601 with and without a zone, with a T or a space, with and without seconds.
TIMES = tuple(
    f"%Y-%m-%d{between}%H:%M{seconds}{zone}"
    for between in ("T", " ")
    for seconds in (":%S%.f", "")
    for zone in ("%:z", "")
)


def typed_frame(frame: pl.DataFrame, *, times_only: bool = False, ids: Collection[str] = ()) -> pl.DataFrame:
    """The frame with every column of text as what it means, or those of dates and times alone.

    The columns `ids` become whole numbers at most, and stay texts where only times are asked for.
    """
    texts = [column for column in frame if column.dtype == pl.String]
    if times_only:
        return frame.with_columns(typed_times(column) for column in texts if column.name not in ids)
    return frame.with_columns(typed_ids(column) if column.name in ids else typed(column) for column in texts)


def typed(texts: pl.Series) -> pl.Series:
    """The column in the narrowest type that every value has; texts stay where there is none.

    Times with a zone become UTC. Missing values stay missing, and an empty text is one where the others are numbers,
    truth values or times. A column without values stays text.

    >>> typed(pl.Series(["7", None, "-12"])).dtype, typed(pl.Series(["7", "007"])).dtype
    (Int64, String)
    >>> typed(pl.Series(["7", ""])).to_list(), typed(pl.Series(["tea", ""])).to_list()
    ([7, None], ['tea', ''])
    >>> typed(pl.Series(["2026-01-31T12:00:00+01:00"])).to_list()[0].isoformat()
    '2026-01-31T11:00:00+00:00'
    """
    filled = _without_empty(texts)
    present = filled.drop_nulls()
    if present.is_empty():
        return texts
    if present.str.contains(WHOLE).all():
        return filled.cast(pl.Int64)
    if present.str.contains(NUMBER).all():
        return filled.cast(pl.Float64)
    if present.str.contains(TRUTH).all():
        return filled.str.to_lowercase() == "true"
    return typed_times(texts)


def typed_ids(texts: pl.Series) -> pl.Series:
    """The column as whole numbers where every value would be written the same way again, else as it is.

    "1.10", "12e5" and "2026-01-31" stay texts. Where every value ends in ".0" they become decimals, which are refused
    as ids: they were whole numbers before some library read them.

    >>> typed_ids(pl.Series(["7", "12"])).dtype, typed_ids(pl.Series(["1.10", "1.1"])).dtype
    (Int64, String)
    """
    filled = _without_empty(texts)
    present = filled.drop_nulls()
    if present.is_empty():
        return texts
    if present.str.contains(WHOLE).all():
        return filled.cast(pl.Int64)
    return filled.cast(pl.Float64) if present.str.contains(DECIMAL_WHOLE).all() else texts


def typed_times(texts: pl.Series) -> pl.Series:
    """The column as dates or times where every value that is not empty is one, and as it is elsewhere."""
    filled = _without_empty(texts)
    present = filled.drop_nulls()
    if present.is_empty():
        return texts
    if present.str.contains(DATE).all():
        read = filled.str.to_date("%Y-%m-%d", strict=False)
        return read if read.null_count() == filled.null_count() else texts  # 2026-02-31 is no date
    if not present.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}").all():
        return texts
    zoned = filled.str.replace("Z$", "+00:00")
    for form in TIMES:
        read = zoned.str.to_datetime(form, time_unit="us", strict=False)
        if read.null_count() == filled.null_count():
            return read
    return texts


def _without_empty(texts: pl.Series) -> pl.Series:
    """Empty texts as missing: CSV that puts every value in quotes has no other way to leave one out."""
    return texts.replace("", None) if (texts == "").any() else texts

"""What a column of text means: whole numbers, numbers, truth values, dates, times, or just text."""

import polars as pl

__all__ = ["typed", "typed_frame", "typed_times"]

# A number that text gives back unchanged: "007" and "+7" are texts, for their zeros and signs may mean something, and
# so are more digits than the type holds.
WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"
NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]+)?$|^(nan|NaN|-?inf|-?Inf)$"
TRUTH = r"^([Tt]rue|TRUE|[Ff]alse|FALSE)$"
DATE = r"^\d{4}-\d{2}-\d{2}$"
# ISO 8601 with and without a zone, with a T or a space, with and without seconds.
TIMES = tuple(
    f"%Y-%m-%d{between}%H:%M{seconds}{zone}"
    for between in ("T", " ")
    for seconds in (":%S%.f", "")
    for zone in ("%:z", "")
)


def typed_frame(frame: pl.DataFrame, *, times_only: bool = False) -> pl.DataFrame:
    """The frame with every column of text as what it means, or those of dates and times alone."""
    texts = [column for column in frame if column.dtype == pl.String]
    return frame.with_columns(typed_times(column) if times_only else typed(column) for column in texts)


def typed(texts: pl.Series) -> pl.Series:
    """The column in the narrowest type that every value has; texts stay where there is none.

    Times with a zone become UTC. Missing values stay missing, and a column without values stays text.

    >>> typed(pl.Series(["7", None, "-12"])).dtype, typed(pl.Series(["7", "007"])).dtype
    (Int64, String)
    >>> typed(pl.Series(["2026-01-31T12:00:00+01:00"])).to_list()[0].isoformat()
    '2026-01-31T11:00:00+00:00'
    """
    present = texts.drop_nulls()
    if present.is_empty():
        return texts
    if present.str.contains(WHOLE).all():
        return texts.cast(pl.Int64)
    if present.str.contains(NUMBER).all():
        return texts.cast(pl.Float64)
    if present.str.contains(TRUTH).all():
        return texts.str.to_lowercase() == "true"
    return typed_times(texts)


def typed_times(texts: pl.Series) -> pl.Series:
    """The column as dates or times where every value is one, and as it is elsewhere."""
    present = texts.drop_nulls()
    if present.is_empty():
        return texts
    if present.str.contains(DATE).all():
        return _read(texts, texts.str.to_date("%Y-%m-%d", strict=False))
    if not present.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}").all():
        return texts
    zoned = texts.str.replace("Z$", "+00:00")
    for form in TIMES:
        read = zoned.str.to_datetime(form, time_unit="us", strict=False)
        if read.null_count() == texts.null_count():
            return read
    return texts


def _read(texts: pl.Series, read: pl.Series) -> pl.Series:
    """What was read, unless a value could not be: 2026-02-31 is no date."""
    return read if read.null_count() == texts.null_count() else texts

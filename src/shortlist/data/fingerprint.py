"""A column of values as bytes for a hash: the same values, the same bytes, whichever library they came from."""

from typing import Any

import polars as pl

from shortlist.errors import DataError

__all__ = ["digest_column"]

# Texts that are joined at once.
BLOCK_ROWS = 1 << 20
# Nanoseconds of the units of times.
NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000}
MICROS_PER_DAY = 86_400_000_000


def digest_column(digest: Any, column: pl.Series, where: str) -> None:
    """Feed the digest with the kind of the values, which are missing, and all the others, nested ones level by level.

    Integers of every width are one kind, so are times of every unit, texts and categories, lists of fixed and of
    changing length. Raises `DataError` for Python objects, naming them by `where`.
    """
    dtype = column.dtype
    if dtype.is_integer():
        narrow = column.cast(pl.Int64, strict=False)
        _feed(digest, "integer", column)
        if narrow.null_count() > column.null_count():
            _feed_texts(digest, column.cast(pl.String))
        else:
            digest.update(narrow.fill_null(0).to_numpy().tobytes())
    elif dtype == pl.Date or isinstance(dtype, pl.Datetime | pl.Duration):
        kind = "duration" if isinstance(dtype, pl.Duration) else "time"
        _feed(digest, f"{kind} in UTC" if getattr(dtype, "time_zone", None) else kind, column)
        _feed_times(digest, column)
    elif isinstance(dtype, pl.List | pl.Array):
        _feed(digest, "list", column)
        lists = column.arr.to_list() if isinstance(dtype, pl.Array) else column
        lengths = lists.list.len().fill_null(0)
        digest.update(lengths.to_numpy().tobytes())
        # An empty list would explode to a null.
        digest_column(digest, lists.filter(lengths > 0).explode(), where)
    elif isinstance(dtype, pl.Struct):
        _feed(digest, f"struct of {[field.name for field in dtype.fields]}", column)
        for field in dtype.fields:
            digest_column(digest, column.struct.field(field.name), f"{where}.{field.name}")
    elif dtype == pl.Boolean or dtype.is_float() or dtype == pl.Time:
        _feed(digest, str(dtype), column)
        digest.update(column.to_physical().fill_null(0).to_numpy().tobytes())
    elif dtype == pl.Object:
        raise DataError(f"{where} holds Python objects, whose values have no fixed form; convert or drop it.")
    else:
        text = dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)
        _feed(digest, "text" if text else "decimal" if dtype.is_decimal() else str(dtype), column)
        _feed_texts(digest, column.bin.encode("hex") if dtype == pl.Binary else column.cast(pl.String))


def _feed(digest: Any, kind: str, column: pl.Series) -> None:
    digest.update(kind.encode())
    digest.update(column.is_null().to_numpy().tobytes())


def _feed_times(digest: Any, times: pl.Series) -> None:
    """Whole microseconds, and nanoseconds beyond them where there are any."""
    counts = times.to_physical().cast(pl.Int64).fill_null(0)
    if times.dtype == pl.Date:
        digest.update((counts * MICROS_PER_DAY).to_numpy().tobytes())
        return
    unit = NANOSECONDS[times.dtype.time_unit]  # type: ignore[attr-defined]
    micros = counts // 1_000 if unit == 1 else counts * (unit // 1_000)
    digest.update(micros.to_numpy().tobytes())
    if unit == 1 and (counts % 1_000 != 0).any():
        digest.update((counts % 1_000).to_numpy().tobytes())


def _feed_texts(digest: Any, texts: pl.Series) -> None:
    texts = texts.fill_null("")
    digest.update(texts.str.len_bytes().to_numpy().tobytes())
    for start in range(0, len(texts), BLOCK_ROWS):
        digest.update(texts[start : start + BLOCK_ROWS].str.join("").item().encode())

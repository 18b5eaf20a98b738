"""Checks on single tables: whatever arrives becomes a Polars frame with clean ids, or a clear error."""

import sys
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import DataError, shorten

__all__ = [
    "KEYS",
    "check_columns",
    "check_label",
    "clean_id_lists",
    "clean_ids",
    "clean_times",
    "clean_weights",
    "read_times",
    "rows_of_ids",
    "to_frame",
    "with_key",
]

MAX_ID_BYTES = 1024
# How a table calls its own key where others call it by the table's name.
KEYS = ("id", "Id", "ID")
# Ids that are looked up at once.
BLOCK_ROWS = 1 << 20
# The end of the year 9999 in seconds since 1970.
LAST_SECOND = 253_402_300_799


def to_frame(table: Any, name: str) -> pl.DataFrame:
    """A Polars frame from anything that speaks Arrow: Polars, pandas, pyarrow, DuckDB, or a dict of columns.

    Raises `DataError` for anything else, naming the table and the type that came.
    """
    if isinstance(table, pl.DataFrame):
        return table
    try:
        if isinstance(table, pl.LazyFrame):
            return table.collect()
        if table is None or isinstance(table, str):
            # Polars would make an empty frame of the one, and a frame of one cell of the other.
            raise TypeError("it is no table")
        duckdb = sys.modules.get("duckdb")
        if duckdb is not None and isinstance(table, duckdb.DuckDBPyRelation) and find_spec("pyarrow") is not None:
            # The other way works too, but DuckDB complains of leaks after it when the process ends.
            return table.pl()  # type: ignore[no-any-return]
        return pl.DataFrame(table)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The {name} table should be a frame that speaks Arrow (Polars, pandas, pyarrow, DuckDB) or a dict "
            f"of columns, but it is a {type(table).__name__} that could not be read: {error}"
        ) from error


def check_columns(
    frame: pl.DataFrame, columns: list[str], name: str, remedy: str = "Name the right one as the role."
) -> None:
    """Raise `DataError` unless the frame has rows and every one of the columns."""
    for column in columns:
        if column not in frame.columns:
            raise DataError(
                f"The {name} table has no column {column!r}; its columns are {shorten(frame.columns, 12)}. {remedy}"
            )
    if frame.height == 0:
        raise DataError(f"The {name} table has no rows; at least one is needed.")


def with_key(table: pl.DataFrame, column: str) -> pl.DataFrame:
    """The table of items or users with its ids in `column`, where they stand in one named `id`.

    So do the keys of SQL: `film_id` points to `id` of the films. It holds for names that end in "id" alone, and where
    the table has no such column of its own.

    >>> with_key(pl.DataFrame({"id": [7], "title": ["Tea"]}), "film_id").columns
    ['film_id', 'title']
    """
    keys = [name for name in table.columns if name in KEYS]
    if column in table.columns or len(keys) != 1 or not column.lower().endswith("id"):
        return table
    return table.rename({keys[0]: column})


def check_label(labels: pl.Series, where: str) -> None:
    """Raise `DataError` for a column whose values cannot be shown as one text each."""
    if labels.dtype.is_nested() or labels.dtype in (pl.Object, pl.Binary):
        raise DataError(f"{where} should hold one text an item as its label, but its type is {labels.dtype}.")


def clean_ids(ids: pl.Series, where: str) -> pl.Series:
    """Ids as String or Int64, none missing, empty or over 1 KiB; `where` names table and column in errors."""
    dtype = ids.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        ids = ids.cast(pl.String)
    elif dtype.is_integer():
        ids = _as_int64(ids, where, "turn them into strings")
    elif dtype != pl.String:
        raise DataError(
            f"{where} should hold ids as strings or integers, but its type is {dtype}; convert it first "
            "(decimal numbers and dates make no ids)."
        )
    nulls = ids.null_count()
    if nulls:
        row = int(ids.is_null().arg_max() or 0)
        raise DataError(f"{where} has {nulls} missing ids, the first in row {row}; fill or drop these rows.")
    if ids.dtype == pl.String:
        lengths = ids.str.len_bytes()
        empty = int((lengths == 0).sum())
        if empty:
            row = int((lengths == 0).arg_max() or 0)
            raise DataError(f"{where} has {empty} empty ids, the first in row {row}; fill or drop these rows.")
        if (lengths > MAX_ID_BYTES).any():
            row = int(lengths.arg_max() or 0)
            raise DataError(
                f"{where} has an id of {lengths[row]} bytes in row {row}; at most {MAX_ID_BYTES} are taken."
            )
    return ids


def clean_id_lists(lists: pl.Series, where: str, ids: pl.DataType, separator: str) -> pl.Series:
    """Lists of ids of the type `ids`, from lists or from texts with a separator between ids; `where` names the column.

    A missing list is an empty one; missing ids, empty ones and blanks around those of a text go. Raises `DataError` for
    a column of another type, and for a text that holds no whole number where ids are such.

    >>> clean_id_lists(pl.Series(["7| 8", None]), "events.list", pl.Int64(), "|").to_list()
    [[7, 8], []]
    """
    if isinstance(lists.dtype, pl.Array):
        lists = lists.arr.to_list()
    if lists.dtype in (pl.Null, pl.List(pl.Null)):  # nothing in any of them, so that no type was to be seen
        lists = lists.cast(pl.List(ids))
    if not isinstance(lists.dtype, pl.List):
        lists = _split_ids(lists, where, ids, separator)
    inner = lists.dtype.inner  # type: ignore[attr-defined]
    if isinstance(inner, pl.Categorical | pl.Enum):
        lists = lists.cast(pl.List(pl.String))
    elif inner.is_integer() and ids == pl.Int64:
        lists = lists.cast(pl.List(pl.Int64), strict=False)
    if lists.dtype != pl.List(ids):
        raise DataError(
            f"Ids should have one type over all tables, but the items' are {ids} and {where} holds {lists.dtype}; "
            "convert one of them."
        )
    lists = lists.list.drop_nulls()
    return pl.select(pl.lit(lists).fill_null(pl.lit([], dtype=lists.dtype))).to_series()


def _split_ids(texts: pl.Series, where: str, ids: pl.DataType, separator: str) -> pl.Series:
    dtype = texts.dtype
    if not (dtype == pl.String or dtype.is_integer() or isinstance(dtype, pl.Categorical | pl.Enum)):
        raise DataError(f"{where} should hold lists of ids, or texts with {separator!r} between ids, not {dtype}.")
    pieces = texts.cast(pl.String).str.split(separator)
    pieces = pieces.list.eval(pl.element().str.strip_chars().replace("", None).drop_nulls())
    if ids != pl.Int64:
        return pieces
    whole = pieces.list.eval(pl.element().cast(pl.Int64, strict=False))
    wrong = whole.list.eval(pl.element().is_null()).list.any().fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise DataError(
            f"{where} should hold whole numbers with {separator!r} between, as the items' ids are, but row {row} holds "
            f"{shorten([texts[row]])} ({int(wrong.sum())} such rows); correct them, or name the shown_separator."
        )
    return whole


def clean_weights(weights: pl.Series, where: str) -> npt.NDArray[np.float32]:
    """Weights as float32, each finite and not negative."""
    if not weights.dtype.is_numeric():
        raise DataError(f"{where} should hold numbers, but its type is {weights.dtype}; correct or convert it.")
    values = weights.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    bad = np.flatnonzero(~((values >= 0) & (values <= np.finfo(np.float32).max)))
    if bad.size:
        raise DataError(
            f"{where} should hold weights that are finite (in float32) and not negative, but row {bad[0]} holds "
            f"{values[bad[0]]} ({bad.size} such rows); correct or drop them."
        )
    if values.sum() > np.finfo(np.float32).max:
        raise DataError(
            f"{where} holds weights whose sum is beyond float32 (the highest is {values.max():.3g}); scale them down, "
            "only their ratios matter."
        )
    return values.astype(np.float32)


def clean_times(times: pl.Series, where: str) -> pl.Series:
    """Times as Int64: integers as they are; days, or units of the column's own, since 1970 for dates and datetimes."""
    dtype = times.dtype
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        raise DataError(f"{where} has {times.null_count()} missing times, the first in row {row}; drop these rows.")
    if dtype.is_integer():
        return _as_int64(times, where, "give the times in a larger unit")
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return times.to_physical().cast(pl.Int64)
    raise DataError(f"{where} should hold datetimes, dates or integers, but its type is {dtype}; convert it first.")


def read_times(times: pl.Series, where: str, unit: Literal["s", "ms", "us", "ns"] | None) -> pl.Series:
    """The column checked by `clean_times`; with a unit its whole numbers as datetimes in UTC.

    Raises `DataError` for a unit beside dates or datetimes, which have their own, and for years beyond 9999.
    """
    clean_times(times, where)
    if unit is None:
        return times
    if not times.dtype.is_integer():
        raise DataError(f"{where} holds {times.dtype}, which has a unit of its own; leave time_unit={unit!r} out.")
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    farthest = times.abs().max()
    if isinstance(farthest, int) and farthest // per_second > LAST_SECOND:
        raise DataError(
            f"{where} holds {farthest}, which in {unit} since 1970 lies beyond the year 9999. Correct it, or give "
            "another time_unit."
        )
    return pl.from_epoch(times.cast(pl.Int64), time_unit=unit).dt.replace_time_zone("UTC")


def rows_of_ids(ids: pl.Series, catalogue: pl.Series) -> npt.NDArray[np.int64]:
    """The row of each id in the catalogue, -1 where it holds none. Shapes: [n] ids, [N] catalogue -> [n] int64."""
    index = pl.DataFrame({"id": catalogue}).with_row_index("row")
    rows = np.empty(len(ids), np.int64)
    # In blocks, for a join needs some forty bytes a row on the way; each hashes the catalogue anew, so none is smaller.
    block = max(BLOCK_ROWS, len(catalogue))
    for start in range(0, len(ids), block):
        part = pl.DataFrame({"id": ids[start : start + block]})
        found = part.join(index, on="id", how="left", maintain_order="left")
        rows[start : start + block] = found["row"].cast(pl.Int64).fill_null(-1).to_numpy()
    return rows


def _as_int64(integers: pl.Series, where: str, remedy: str) -> pl.Series:
    fitting = integers.cast(pl.Int64, strict=False)
    if fitting.null_count() > integers.null_count():
        raise DataError(f"{where} holds integers beyond 2^63; {remedy}.")
    return fitting

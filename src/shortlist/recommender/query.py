"""Queries from outside, as the table that the encoder takes; one query is a table of one row."""

import dataclasses
import datetime as dt
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data import Roles
from shortlist.data.tables import read_times
from shortlist.data.text_columns import typed
from shortlist.errors import DataError
from shortlist.features import Encoded, FittedFeature, RowLists, last_column, values_of
from shortlist.features.feature import as_text
from shortlist.features.numeric import as_numbers
from shortlist.recommender.answers import QueryKind

__all__ = [
    "KINDS",
    "NUMERIC",
    "Queries",
    "ReadColumns",
    "columns_read",
    "kinds_of",
    "read_columns",
    "read_queries",
    "series_of",
]

NUMERIC = {"bucketize", "normalize", "hour", "weekday", "since"}
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# A flag for each of B queries, or for one.
Flags = npt.NDArray[np.bool_] | np.bool_
KINDS: tuple[QueryKind, ...] = ("known", "features_only", "history", "fallback")


@dataclasses.dataclass(frozen=True)
class Queries:
    """B queries that are ready for the tower, and what is known about each.

    `kinds` [B] points into `KINDS`. `filled` and `unknown` say for each column whether a query [B] did not give it, and
    whether training had never seen what it gave.
    """

    encoded: dict[str, Encoded]
    kinds: npt.NDArray[np.int64]
    filled: dict[str, npt.NDArray[np.bool_]]
    unknown: dict[str, npt.NDArray[np.bool_]]

    def unknown_columns(self) -> list[list[str]]:
        """The columns of each query [B] whose value training had never seen."""
        flags = list(self.unknown.items())
        return [[column for column, of in flags if of[row]] for row in range(len(self.kinds))]


@dataclasses.dataclass(frozen=True)
class ReadColumns:
    """What B queries say, feature by feature.

    `encoded` and `said` are by a feature's name: its array, and whether [B] it carries information. `filled` and
    `unknown` are by column, as those of `Queries`.
    """

    encoded: dict[str, Encoded]
    said: dict[str, npt.NDArray[np.bool_]]
    filled: dict[str, npt.NDArray[np.bool_]]
    unknown: dict[str, npt.NDArray[np.bool_]]


def read_queries(
    table: pl.DataFrame,
    features: Sequence[FittedFeature],
    *,
    roles: Roles,
    users: pl.DataFrame,
    user_rows: npt.NDArray[np.int64],
    trained: npt.NDArray[np.bool_],
    histories: Mapping[str, RowLists] | None = None,
) -> Queries:
    """Check the queries' values, fill what they do not give from the users table, and encode them.

    Whole numbers for the time count in the unit that the training's times had, and in seconds where they had none.
    `user_rows` [B] are rows of the users table, -1 for a user that it does not hold; `trained` [B] says whether the
    user had training events. `features` are those of user and event; `histories` are the inputs of the history
    features, as `HistoryEncoder` gives them. Columns that no feature reads are passed over. Raises `DataError` for
    values of a wrong type.
    """
    histories = histories or {}
    columns = columns_read(features, roles.query_id)
    values = {column: table[column] for column in columns if column in table.columns}
    read = read_columns(values, features, columns, roles=roles, users=users, user_rows=user_rows)
    touched = functools.reduce(
        operator.or_,
        (np.diff(lists.offsets) > 0 for lists in histories.values()),
        np.zeros(table.height, np.bool_),
    )
    kinds = kinds_of(read.said, features, roles.query_id, trained, touched)
    filled = {column: flags for column, flags in read.filled.items() if column != roles.query_id}
    return Queries({**read.encoded, **histories}, kinds, filled, read.unknown)


def read_columns(
    values: Mapping[str, pl.Series],
    features: Sequence[FittedFeature],
    columns: Sequence[str],
    *,
    roles: Roles,
    users: pl.DataFrame,
    user_rows: npt.NDArray[np.int64],
) -> ReadColumns:
    """What the queries' `columns` say, of which `values` [B] holds those that are given; see `read_queries`."""
    count = len(user_rows)
    given = {c: values[c] if c in values else pl.Series(c, [None] * count) for c in columns}
    kinds_by_column = {c: {feature.kind for feature in features if c in feature.columns} for c in columns}
    given = {c: _times(_numbers(values, kinds_by_column[c]), roles) for c, values in given.items()}
    filled = {column: _missing(values) for column, values in given.items()}
    whole = {c: _fill(values, users, user_rows, kinds_by_column[c]) for c, values in given.items()}
    said = {feature.name: feature.known(values_of(whole, feature.columns)) for feature in features}
    unknown = {c: np.zeros(count, np.bool_) for c in columns}
    for feature in features:
        there = ~np.logical_or.reduce([_missing(whole[c]) for c in feature.columns])
        for column in feature.columns:
            unknown[column] |= ~filled[column] & there & ~said[feature.name]
    encoded = {feature.name: feature.encode(values_of(whole, feature.columns)) for feature in features}
    return ReadColumns(encoded, said, filled, unknown)


def _missing(values: pl.Series) -> npt.NDArray[np.bool_]:
    """Which values [B] are missing; counting them first spares a single query most of the time."""
    count = values.null_count()
    if 0 < count < len(values):
        return values.is_null().to_numpy()
    return np.full(len(values), count > 0)


def kinds_of(
    said: Mapping[str, Flags], features: Sequence[FittedFeature], query_id: str, trained: Flags, touched: Flags
) -> Any:
    """What is known about queries [B], or about one [], as places in `KINDS`.

    `said` are the flags of each feature by its name, `trained` whether the user had training events, `touched` whether
    there is a history.
    """
    by_id = [said[f.name] for f in features if f.columns == (query_id,) and f.kind == "lookup"]
    others = [said[f.name] for f in features if f.columns != (query_id,)]
    told = functools.reduce(operator.or_, others, touched & ~touched)
    known = functools.reduce(operator.and_, by_id or [told | touched], trained)
    return np.where(known, 0, np.where(told, 1, np.where(touched, 2, 3)))


def columns_read(features: Sequence[FittedFeature], query_id: str) -> list[str]:
    """What the model reads from a query: the user's id, and every column of a feature."""
    return list(dict.fromkeys([query_id, *(column for feature in features for column in feature.columns)]))


def series_of(column: str, value: Any) -> pl.Series:
    """One value as a column of one row; raises `DataError` for a value that no table can hold."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]")  # finer ones would come out as integers
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return pl.Series(column, [value], strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise DataError(f"The query's {column!r} has a value that cannot be read: {value!r} ({error}).") from error


def _numbers(values: pl.Series, kinds: set[str]) -> pl.Series:
    """Texts of a column that a feature reads as numbers or times, as these; any other column as it is."""
    if values.dtype != pl.String or not kinds & NUMERIC:
        return values
    read = typed(values)
    if read.dtype == pl.String:
        read = pl.Series(values.name, [_number(values.name, text) for text in values], strict=False)
    return read


def _number(column: str, text: str | None) -> float | None:
    """A number, or a time in seconds, written in another way than `typed` takes: "007", "1_000", a day and an hour."""
    if text is None:
        return None
    for read in (int, float, _seconds):
        try:
            value: float = read(text)
        except ValueError:
            continue
        return value
    raise DataError(
        f"The query's {column!r} should be a number or a time such as 2026-01-31T12:00, but it is {text!r}."
    )


def _seconds(text: str) -> float:
    time = dt.datetime.fromisoformat(text)
    zoned = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return (zoned - EPOCH) / dt.timedelta(microseconds=1) / 1_000_000


def _times(values: pl.Series, roles: Roles) -> pl.Series:
    """Numbers of the time, or of a user's last one, as the times that they were in the training's table; any other
    column as it is.
    """
    if roles.time is None or roles.time_unit is None or not values.dtype.is_numeric():
        return values
    if values.name not in (roles.time, last_column(roles.time)):
        return values
    if values.dtype.is_integer():
        times = read_times(values.fill_null(0), f"The query's {values.name!r}", roles.time_unit)
        return times.set(values.is_null(), None)
    return values / PER_SECOND[roles.time_unit]


def _fill(values: pl.Series, users: pl.DataFrame, user_rows: npt.NDArray[np.int64], kinds: set[str]) -> pl.Series:
    """The column with what a query did not give taken from its user's row, where there is one."""
    if values.name not in users.columns or not values.null_count() or not (user_rows >= 0).any():
        return values
    own = users[values.name].gather(pl.Series(user_rows).replace(-1, None))
    if values.null_count() == len(values):
        return own
    if own.dtype == values.dtype:
        return values.fill_null(own)
    if kinds and kinds <= NUMERIC:
        numbers = np.where(values.is_null(), as_numbers(own, values.name), as_numbers(values, values.name))
        return pl.Series(values.name, numbers)
    if kinds == {"vectors"} and values.dtype.is_nested() and own.dtype.is_nested():
        lists = pl.List(pl.Float64)
        return values.cast(lists).fill_null(own.cast(lists))
    if isinstance(values.dtype, pl.List) != isinstance(own.dtype, pl.List):
        raise DataError(
            f"The queries' {values.name!r} holds {values.dtype}, and the users table {own.dtype}; give it in that type."
        )
    return _numbers(_texts(values).fill_null(_texts(own)), kinds)


def _texts(values: pl.Series) -> pl.Series:
    """The column as texts or lists of texts, for a cast to another column's type may change it: "007" is no 7."""
    return values.cast(pl.List(pl.String)) if isinstance(values.dtype, pl.List) else as_text(values, values.name)

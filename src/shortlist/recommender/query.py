"""One query from outside, as the one-row tables that the encoder takes."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from shortlist.errors import DataError, shorten
from shortlist.features import Encoded, FittedFeature, encode
from shortlist.recommender.answers import QueryKind

__all__ = ["ReadQuery", "read_query"]

NUMERIC = ("bucketize", "normalize")


@dataclasses.dataclass(frozen=True)
class ReadQuery:
    """A query that is ready for the tower, and what is known about it."""

    encoded: dict[str, Encoded]
    kind: QueryKind
    filled: tuple[str, ...]
    unknown: tuple[str, ...]


def read_query(
    query: Mapping[str, Any],
    features: Sequence[FittedFeature],
    *,
    query_id: str,
    user: Mapping[str, Any] | None,
    trained: bool,
) -> ReadQuery:
    """Check the query's values, fill what it does not give from the user's row, and encode it.

    `user` is the row of the users table, None for a user that it does not hold, and `trained` says whether the user
    had training events. Raises `DataError` for a column
    that no feature reads and for a value of the wrong type.
    """
    columns = list(dict.fromkeys([query_id, *(feature.column for feature in features)]))
    strangers = [column for column in query if column not in columns]
    if strangers:
        raise DataError(f"The model reads no {shorten(strangers)} from a query; it reads {shorten(columns, 12)}.")
    values = {column: query.get(column) for column in columns}
    filled = [column for column in columns if values[column] is None]
    if user is not None:
        values |= {column: user.get(column) for column in filled}
    table = pl.DataFrame([_series(column, values[column], features) for column in columns])
    said = {feature.name: bool(feature.known(table[feature.column])[0]) for feature in features}
    unknown = {f.column for f in features if values[f.column] is not None and not said[f.name]}
    ids = [said[feature.name] for feature in features if feature.column == query_id and feature.kind == "lookup"]
    if trained and all(ids):
        kind: QueryKind = "known"
    else:
        told = any(said[feature.name] for feature in features if feature.column != query_id)
        kind = "features_only" if told else "fallback"
    wanted = [column for column in filled if column != query_id]
    return ReadQuery(encode(features, table), kind, tuple(wanted), tuple(c for c in columns if c in unknown))


def _series(column: str, value: Any, features: Sequence[FittedFeature]) -> pl.Series:
    kinds = {feature.kind for feature in features if feature.column == column}
    if isinstance(value, str) and kinds & set(NUMERIC):  # a column of numbers, whatever else reads it
        value = _number_or_time(column, value)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]")  # finer ones would come out as integers
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return pl.Series(column, [value], strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise DataError(f"The query's {column!r} has a value that cannot be read: {value!r} ({error}).") from error


def _number_or_time(column: str, text: str) -> float | dt.datetime:
    """A number or an ISO time, for values that come as text, from a command line for instance."""
    for read in (int, float, dt.datetime.fromisoformat):
        try:
            value: float | dt.datetime = read(text)
        except ValueError:
            continue
        return value
    else:
        raise DataError(
            f"The query's {column!r} should be a number or a time such as 2026-01-31T12:00, but it is {text!r}."
        ) from None

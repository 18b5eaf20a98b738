"""What a dataset holds, in figures."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl

from shortlist.data.dataset import Dataset

__all__ = ["describe"]


def describe(data: Dataset) -> dict[str, Any]:
    """Counts, roles, columns with their missing values, the time span and the popularity curve, as JSON values.

    >>> described = describe(Dataset({"u": [1, 1, 2], "i": [7, 8, 7]}, query_id="u", item_id="i"))
    >>> described["events"], described["density"], described["popularity"]["top_share"]["10%"]
    (3, 0.75, 0.6667)
    """
    roles = data.roles
    tables = {"interactions": data.interactions, "items": data.items, "users": data.users}
    return {
        "events": data.num_events,
        "users": data.num_users,
        "items": data.num_items,
        "density": _distinct_pairs(data) / (data.num_users * data.num_items),
        "roles": {
            "query_id": roles.query_id,
            "item_id": roles.item_id,
            "label": roles.label,
            "time": roles.time,
            "weight": roles.weight,
            "shown": roles.shown,
        },
        "time": _time_span(data),
        "distinct_labels": None if roles.label is None else data.items[roles.label].n_unique(),
        "columns": {name: _columns(frame) for name, frame in tables.items()},
        "popularity": _popularity(data),
        "events_per_user": _quartiles(np.bincount(data.user_rows, minlength=data.num_users)),
    }


def _columns(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        column: {
            "type": str(frame[column].dtype),
            "missing": frame[column].null_count(),
            "distinct": None if frame[column].dtype == pl.Object else frame[column].n_unique(),
        }
        for column in frame.columns
    }


def _time_span(data: Dataset) -> dict[str, Any] | None:
    """First and last moment; a whole number is read as seconds where that gives a year from 1990 to 2100."""
    if data.roles.time is None:
        return None
    column = data.events[data.roles.time]
    ends = column.gather([column.arg_min() or 0, column.arg_max() or 0])
    if not column.dtype.is_integer():
        ends = ends.cast(pl.Datetime("us")).dt.epoch("us") / 1_000_000
    span: dict[str, Any] = {"first": ends[0], "last": ends[1], "distinct": column.n_unique()}
    since, until = (
        dt.datetime(1990, 1, 1, tzinfo=dt.UTC).timestamp(),
        dt.datetime(2100, 1, 1, tzinfo=dt.UTC).timestamp(),
    )
    if since <= span["first"] <= span["last"] < until:
        for end in ("first", "last"):
            span[f"{end}_utc"] = dt.datetime.fromtimestamp(span[end], dt.UTC).isoformat(timespec="seconds")
    return span


def _distinct_pairs(data: Dataset) -> int:
    present = data.item_rows >= 0
    # Counted by hashing: on ten million pairs six times as fast as np.unique, which sorts.
    return pl.Series(data.user_rows[present] * data.num_items + data.item_rows[present]).n_unique()


def _popularity(data: Dataset) -> dict[str, Any]:
    """How events fall on items: the share that the most popular 1 %, 10 % and 50 % of the catalogue take."""
    counts = np.sort(np.bincount(data.item_rows[data.item_rows >= 0], minlength=data.num_items))[::-1]
    shares = {
        f"{percent}%": round(float(counts[: max(data.num_items * percent // 100, 1)].sum() / counts.sum()), 4)
        for percent in (1, 10, 50)
    }
    return {"top_share": shares, "events_per_item": _quartiles(counts), "untouched": int((counts == 0).sum())}


def _quartiles(counts: Any) -> dict[str, float]:
    names = ("lowest", "quartile", "median", "upper_quartile", "highest")
    return {name: float(value) for name, value in zip(names, np.quantile(counts, [0, 0.25, 0.5, 0.75, 1]), strict=True)}

"""A clean world in which faults are planted one at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

import shortlist as sl
from shortlist.doctor import Finding

WORLD = sl.synthetic.TasteWorld()
EVENTS, ITEMS, USERS = 6_000, 200, 400


def world(
    *,
    events: Mapping[str, Any] | None = None,
    items: Mapping[str, Any] | None = None,
    users: Mapping[str, Any] | None = None,
    label: str | None = None,
    weight: str | None = None,
    shown: str | None = None,
) -> sl.Dataset:
    """`TasteWorld` with columns added or replaced; 400 users have 15 events each, at times 0 to 14."""
    data = WORLD.data()
    return sl.Dataset(
        data.interactions.with_columns(**_columns(events)),
        items=data.items.with_columns(**_columns(items)),
        users=data.users.with_columns(**_columns(users)) if users else None,
        query_id="user_id",
        item_id="item_id",
        time="time",
        label=label,
        weight=weight,
        shown=shown,
    )


def by_time(data: sl.Dataset) -> sl.Split:
    """The events from time 10 on as the test: a third of the whole world."""
    return sl.split_by_time(data, test=float((data.times >= 10).mean()))


def names(findings: Sequence[Finding]) -> list[str]:
    return [finding.name for finding in findings]


def only(findings: Sequence[Finding]) -> Finding:
    """The one finding there is."""
    assert len(findings) == 1, names(findings)
    return findings[0]


def _columns(given: Mapping[str, Any] | None) -> dict[str, pl.Series]:
    return {name: pl.Series(name, values) for name, values in (given or {}).items()}

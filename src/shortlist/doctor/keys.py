"""Findings about ids and labels, and about users and events that come more than once, or only once."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from shortlist.data import Dataset
from shortlist.data.shown import Shown
from shortlist.doctor.case import Case
from shortlist.doctor.finding import Finding, percent
from shortlist.errors import DataError, shorten

__all__ = ["find_in_events", "find_in_keys"]

# Events written twice: a few come with every log, a hundredth of all says that the logging or a join doubles.
MANY_DUPLICATES = 0.01
# Users of one event are in every log; beyond this share they shape the result.
MANY_SINGLE = 0.2
# Users whom the table of users lacks: beyond this share the columns of users are mostly missing where they matter.
MANY_UNLISTED = 0.05
# Events with nothing shown beside their item: beyond this share the lists say little.
MOSTLY_EMPTY = 0.5


def find_in_keys(case: Case) -> Iterator[Finding]:
    """Labels that several items share, items that no feature tells apart, users without a row."""
    yield from _labels(case)
    yield from _indistinguishable(case)
    yield from _unlisted(case)


def _labels(case: Case) -> Iterator[Finding]:
    roles = case.data.roles
    if roles.label is None:
        return
    named = case.data.items.select(
        pl.col(roles.label).cast(pl.String).alias("label"), pl.col(roles.item_id).alias("id")
    )
    groups = named.drop_nulls("label").group_by("label", maintain_order=True).agg("id")
    shared = groups.filter(pl.col("id").list.len() > 1)
    if shared.height:
        examples = "; ".join(f"{label!r} is {shorten(ids, 3)}" for label, ids in shared.head(2).iter_rows())
        yield Finding(
            "note",
            "duplicate-labels",
            f"{named.height:,} items carry {groups.height:,} distinct values of {roles.label!r}: {shared.height:,} "
            f"stand for several items ({examples}).",
            "Name these items by their ids, and do not let a model know items by this label alone.",
        )


def _indistinguishable(case: Case) -> Iterator[Finding]:
    if case.item is None or case.data.roles.item_id in case.item:
        return
    columns = sorted(case.item)
    identifier = pl.col(case.data.roles.item_id).alias("")  # no feature's column has this name
    groups = case.data.items.select(identifier, *columns).group_by(columns, maintain_order=True)
    alike = groups.agg("").filter(pl.col("").list.len() > 1)[""]
    if len(alike):
        yield Finding(
            "warning",
            "indistinguishable-items",
            f"{alike.list.len().sum():,} items have the same values as another in all that the item tower reads "
            f"({', '.join(columns)}), so that they get one vector; one such group is {shorten(alike[0].to_list(), 3)}.",
            f"Let the item tower read {case.data.roles.item_id!r} too, or put these items together.",
        )


def _unlisted(case: Case) -> Iterator[Finding]:
    data = case.data
    if not data.has_users:
        return
    others = [column for column in data.users.columns if column != data.roles.query_id]
    if not others:
        return
    # Users that only events know stand at the end of the table, with all other columns missing.
    empty = data.users.select(pl.all_horizontal(pl.col(others).is_null())).to_series()
    unlisted = int(empty.sum())
    if unlisted > MANY_UNLISTED * data.num_users:
        ids = data.users.filter(empty)[data.roles.query_id]
        yield Finding(
            "warning",
            "unlisted-users",
            f"{unlisted:,} of {data.num_users:,} users ({percent(unlisted, data.num_users)}) have no value in the "
            f"table of users: {shorten(ids.head(3).to_list())}.",
            "Check that both tables write their ids in the same way, or fill the table of users.",
        )


def find_in_events(case: Case) -> Iterator[Finding]:
    """Events that stand there twice, pairs of a user and an item that come again, users of one event, shown items."""
    data = case.data
    yield from _shown(data)
    touched = data.item_rows >= 0
    pairs = pl.DataFrame({"user": data.user_rows[touched], "item": data.item_rows[touched]})
    repeats = pairs.height - pairs.n_unique()
    twice = 0
    if data.roles.time is not None:
        twice = pairs.height - pairs.with_columns(pl.Series("time", data.times[touched])).n_unique()
    if twice:
        yield Finding(
            "warning" if twice > MANY_DUPLICATES * data.num_events else "note",
            "duplicate-events",
            f"{twice:,} events ({percent(twice, data.num_events)}) have the user, the item and the time of another.",
            "If the log or a join wrote them twice, drop them: they count double in training.",
        )
    if repeats > twice:
        yield Finding(
            "note",
            "repeated-events",
            f"{repeats - twice:,} events ({percent(repeats - twice, data.num_events)}) repeat a user and an item"
            f"{' at another time' if data.roles.time is not None else ''}.",
            "They all train, and count once in a test; where users come back to items, compare with seen items "
            "included.",
        )
    counts = np.bincount(data.user_rows, minlength=data.num_users)
    single = int((counts == 1).sum())
    if single > MANY_SINGLE * data.num_users:
        yield Finding(
            "note",
            "single-event-users",
            f"{single:,} of {data.num_users:,} users ({percent(single, data.num_users)}) have one event only.",
            "They cannot be both trained and tested: read the slices of new and light users apart from the rest.",
        )


def _shown(data: Dataset) -> Iterator[Finding]:
    if data.roles.shown is None:
        return
    try:
        shown = Shown.of(data)
    except DataError as error:
        yield Finding("problem", "unreadable-shown-items", str(error), "Training refuses these lists; correct them.")
        return
    listed = len(shown.item_rows) + shown.num_unknown
    if shown.num_unknown:
        yield Finding(
            "note",
            "unknown-shown-items",
            f"interactions.{data.roles.shown} names {len(shown.unknown):,} items that the catalogue does not hold, in "
            f"{shown.num_unknown:,} of {listed:,} places ({percent(shown.num_unknown, listed)}): "
            f"{shorten(shown.unknown.head(3).to_list())}.",
            "Training leaves these out and keeps the events; add the items if they can still be recommended.",
        )
    empty = int((np.diff(shown.offsets) == 0).sum())
    if empty > MOSTLY_EMPTY * data.num_events:
        yield Finding(
            "note",
            "events-without-shown-items",
            f"{empty:,} of {data.num_events:,} events ({percent(empty, data.num_events)}) have nothing in "
            f"interactions.{data.roles.shown} but their own item.",
            "They have no explicit negatives; check that the lists are complete, and keep other negatives beside them.",
        )

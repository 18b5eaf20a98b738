"""Findings about columns that know what a model should find out: the item, the test, what comes later."""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data import Dataset, RandomSplit, Split
from shortlist.data.tables import rows_of_ids
from shortlist.doctor.case import Case
from shortlist.doctor.finding import Finding, percent
from shortlist.errors import shorten

__all__ = ["agreement", "find_leaks"]

# An event with the same value of the column has the same item this much more often than any other: 1 is always.
NAMES_ITEM = 0.5
# An event of the same item has the same value this much more often than any other, so that it belongs to the item.
BELONGS = 0.9
# Below so many events that share a value with another, agreement is chance.
FEW_EVENTS = 20
# As many events are looked at where there are more, drawn with a fixed seed: enough for a mean to a thousandth.
MOST_EVENTS = 1_000_000
# A share of users whose column names an item of their own test events, and how far beyond chance and beyond what holds
# for training events it lies: a user's group may well be the number of an item that the group likes.
NAMED_USERS, BEYOND_CHANCE = 0.05, 3.0
# A column of this many values to the event repeats them, so that training and test should share some.
REPEATS = 0.1
# A share of test events from which an unseen value makes a lookup useless.
MANY_UNSEEN = 0.5
# Names of what is known only once the event has happened.
LATE_NAMES = (
    r"(?i)^(rating|stars|score|reward|label|target|outcome|clicked|converted|conversion|purchased|bought|liked|"
)
LATE_NAMES += r"returned|refunded|duration|dwell(_?time)?|watch_?time|play_?time|listen(_?time)?|completion|completed)$"


def find_leaks(case: Case) -> Iterator[Finding]:
    """Columns of events that name or describe the item, of users that name a test item, and that tell the split."""
    sample, roles = _sample(case.data), case.data.roles
    for column in sample.events.columns:
        if column in (roles.query_id, roles.item_id, roles.time):
            continue
        values = sample.events[column]
        if not values.dtype.is_nested() and values.dtype != pl.Object:
            yield from _about_item(case, sample, values)
        late = column in (roles.weight, roles.shown) or re.search(LATE_NAMES, column)
        if case.is_read("interactions", column) and late:
            yield Finding(
                "warning",
                "feature-known-too-late",
                f"The query tower reads interactions.{column}, which by its role or name is known only after the "
                "event.",
                "Leave it out of the query, which is asked before anything is touched; it may be the weight.",
            )
    if case.split is not None:
        yield from _users_who_know(case, case.split)
        yield from _told_by_split(case, case.split)


def agreement(values: pl.Series, groups: pl.Series | None = None) -> tuple[float, int]:
    """How often another row of a row's group (any other row without groups) has its value, and rows with a partner.

    A mean over the rows that have a partner, so that one large group of chance does not drown many small ones; 0 where
    none has.

    >>> agreement(pl.Series([1, 1, 2, 3]), pl.Series(["a", "a", "b", "b"]))  # 1, 1, 0, 0; without groups 1/3, 1/3, 0, 0
    (0.5, 4)
    """
    group = pl.repeat(0, len(values), eager=True) if groups is None else groups
    counts = pl.DataFrame({"value": values, "group": group}).group_by("group", "value").len("alike")
    counts = counts.with_columns(pl.col("alike").sum().over("group").alias("size")).filter(pl.col("size") > 1)
    if counts.is_empty():
        return 0.0, 0
    alike, size = (counts[column].cast(pl.Float64).to_numpy() for column in ("alike", "size"))
    return float((alike * (alike - 1) / (size - 1)).sum() / alike.sum()), int(alike.sum())


def _beyond(found: float, chance: float) -> float:
    """Agreement above what any two rows have: 0 is chance, 1 always."""
    return (found - chance) / (1 - chance) if chance < 1 else 0.0


def _sample(data: Dataset) -> Dataset:
    if data.num_events <= MOST_EVENTS:
        return data
    return data.take(np.sort(np.random.default_rng(0).choice(data.num_events, MOST_EVENTS, replace=False)))


def _about_item(case: Case, data: Dataset, values: pl.Series) -> Iterator[Finding]:
    # Each user, item and value once: an item that a user touches ten times with the same value tells nothing new.
    frame = pl.DataFrame({"user": data.user_rows, "item": data.item_rows, "value": values}).drop_nulls().unique()
    if frame.height < FEW_EVENTS:
        return
    same_item, partners = agreement(frame["item"], frame["value"])
    names = _beyond(same_item, agreement(frame["item"])[0])
    where, roles = f"interactions.{values.name}", data.roles
    remedy = (
        f"Leave it out of the query, which is asked before the item is known"
        f"{'; the item tower may read it from a table of items' if data.has_items else ''}."
    )
    if names > NAMES_ITEM and partners >= max(FEW_EVENTS, frame.height // 100):
        yield Finding(
            case.grave("interactions", values.name),
            "column-names-item",
            f"{where} gives the item away: another event with the same value of it has the same {roles.item_id!r} in "
            f"{percent(same_item, 1)} of cases.",
            remedy,
        )
        return
    any_two = agreement(frame["value"])[0]
    of_item, partners = agreement(frame["value"], frame["item"])
    of_user, _ = agreement(frame["value"], frame["user"])
    if _beyond(of_item, any_two) > BELONGS and partners >= FEW_EVENTS and _beyond(of_user, any_two) < BELONGS:
        yield Finding(
            case.grave("interactions", values.name),
            "column-describes-item",
            f"{where} belongs to the item: another event of the same item has the same value of it in "
            f"{percent(of_item, 1)} of cases (any other event in {percent(any_two, 1)}).",
            remedy,
        )


def _users_who_know(case: Case, split: Split) -> Iterator[Finding]:
    """Columns of users that name an item which the user touches in the test, and not before."""
    data, roles = case.data, case.data.roles
    names = {column: split.test.items[column] for column in (roles.item_id, roles.label) if column is not None}
    held = split.test.item_rows >= 0
    targets = pl.DataFrame({"user": split.test.user_rows[held], "item": split.test.item_rows[held]}).unique()
    known = pl.DataFrame({"user": split.train.user_rows, "item": split.train.item_rows}).unique()
    new = targets.join(known, on=["user", "item"], how="anti")
    tested = targets["user"].n_unique()
    for column in data.users.columns:
        for name, catalogue in names.items():
            values = data.users[column]
            if column == roles.query_id or values.dtype != catalogue.dtype:
                continue
            first = np.flatnonzero(catalogue.is_first_distinct())  # of several items with one label
            item = np.append(first, -1)[rows_of_ids(values, catalogue[first])]  # -1 looks at the last
            said = pl.DataFrame({"user": np.flatnonzero(item >= 0), "item": item[item >= 0]})
            hits = said.join(new, on=["user", "item"], how="semi").height
            before = said.join(known, on=["user", "item"], how="semi").height
            # Hits of names drawn at random, or as often right as they are for training events.
            chance = new.height * max(1 / len(catalogue), before / max(known.height, 1))
            if hits > max(NAMED_USERS * tested, BEYOND_CHANCE * chance):
                yield Finding(
                    case.grave("users", column),
                    "column-names-item",
                    f"users.{column} names an item by its {name!r} that the user touches in the test and not in "
                    f"training, for {hits:,} of {tested:,} tested users ({percent(hits, tested)}).",
                    "Make the table of users as it stood when training ends.",
                )


def _told_by_split(case: Case, split: Split) -> Iterator[Finding]:
    """Columns whose values training and test do not share."""
    at_random = isinstance(split.choice, RandomSplit)
    for table, column, train, test in _sides(case, split):
        read = case.is_read(table, column)
        known = train.unique()
        unseen = int((~test.is_in(known.implode())).sum())
        where = f"{table}.{column}"
        if unseen == len(test) and len(test) >= FEW_EVENTS and (at_random or read):
            yield Finding(
                "problem" if at_random and read is not False else "warning",
                "column-tells-split",
                f"{where} tells training from test: no value of it occurs in both (training has "
                f"{shorten(known.sort().head(2).to_list())}, the test "
                f"{shorten(test.unique().sort().head(2).to_list())}).",
                "Leave it out: a model learns nothing from it that it could use in the test.",
            )
        elif unseen > MANY_UNSEEN * len(test) and read:
            yield Finding(
                "warning",
                "values-unseen-in-training",
                f"{percent(unseen, len(test))} of test events have a value of {where} that training never saw.",
                "A lookup knows nothing of them: use coarser values, or numbers in buckets.",
            )


def _sides(case: Case, split: Split) -> Iterator[tuple[str, str, pl.Series, pl.Series]]:
    """Each column whose values repeat, as training and as test events have it, without missing values."""
    train, test = split.train, split.test
    rows: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {"users": (train.user_rows, test.user_rows)}
    for table, values in case.columns():
        codes = values.dtype.is_integer() or values.dtype in (pl.String, pl.Boolean)
        if table == "items" or not codes:
            continue
        if table == "interactions":
            if values.n_unique() > REPEATS * len(values):
                continue
            pair = train.events[values.name], test.events[values.name]
        else:
            pair = values[rows[table][0]], values[rows[table][1]]
        present = [side.drop_nulls() for side in pair]
        if all(len(side) for side in present):
            yield table, values.name, present[0], present[1]

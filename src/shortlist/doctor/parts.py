"""Findings about a split: what its parts share that they should not, and do not share that they should."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from shortlist.data import Dataset, Split
from shortlist.doctor.case import Case
from shortlist.doctor.finding import Finding, percent
from shortlist.errors import shorten

__all__ = ["find_in_parts"]

# Test events of users whom training does not know: below the first share no word, from the second on most of the test.
SOME_NEW, MOSTLY_NEW = 0.05, 0.5
# Targets that cannot be ranked: from this share on the metrics speak of another test than the one that was cut.
MANY_ABSENT = 0.05

NEW_USERS = (
    "A lookup of the user's id knows nothing of them: give the query tower what is known of a new user or the items "
    "that were touched, and read the slice of new users."
)
NEW_ITEMS = (
    "A lookup of the item's id knows nothing of them: let the item tower read what an item is, and read the slice of "
    "new items."
)


def find_in_parts(case: Case) -> Iterator[Finding]:
    """Rows that stand in two parts, targets that the catalogue lacks, users and items that training never saw."""
    split = case.split
    if split is None:
        return
    yield from _shared_rows(split)
    yield from _absent(split)
    yield from _new(split)


def _shared_rows(split: Split) -> Iterator[Finding]:
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    present = [(name, part) for name, part in parts.items() if part is not None]
    for place, (later, part) in enumerate(present):
        for earlier, before in present[:place]:
            yield from _shared(later, part, earlier, before)


def _shared(later: str, part: Dataset, earlier: str, before: Dataset) -> Iterator[Finding]:
    roles = part.roles
    timed = roles.time is not None
    columns = [roles.query_id, roles.item_id]
    # Without a time nothing but all columns together can say that two rows are one.
    columns += [roles.time or ""] if timed else [c for c in part.events.columns if c not in columns]
    rows, known = (pl.DataFrame([side.events[column] for column in columns]) for side in (part, before))
    shared = rows.join(known.unique(), on=columns, how="semi", nulls_equal=True)
    if shared.height:
        example = ", ".join(f"{column} {value!r}" for column, value in shared.row(0, named=True).items())
        yield Finding(
            "problem" if timed else "warning",
            f"{later}-rows-in-{'train' if earlier == 'training' else earlier}",
            f"{shared.height:,} of {rows.height:,} {later} rows ({percent(shared.height, rows.height)}) stand in "
            f"{earlier} too, with the same {'user, item and time' if timed else 'values in all columns'}, such as "
            f"{example}.",
            f"Drop the doubles before the split, so that the {later} part asks for what the model has not been told.",
        )


def _absent(split: Split) -> Iterator[Finding]:
    test = split.test
    absent = test.item_rows < 0
    count = int(absent.sum())
    if count:
        ids = test.events[test.roles.item_id].filter(pl.Series(absent)).unique(maintain_order=True).to_list()
        yield Finding(
            "problem" if count > MANY_ABSENT * test.num_events else "warning",
            "targets-outside-catalogue",
            f"{count:,} test events ({percent(count, test.num_events)}) name {len(ids):,} items that the catalogue "
            f"does not hold, such as {shorten(ids[:3])}; they cannot be ranked and are counted apart.",
            "Give a table of items that holds them; without one the catalogue is what training touched.",
        )


def _new(split: Split) -> Iterator[Finding]:
    train, test = split.train, split.test
    users = np.isin(test.user_rows, train.user_rows, invert=True)
    items = (test.item_rows >= 0) & np.isin(test.item_rows, train.item_rows, invert=True)
    for what, a_new_one, unseen, remedy in (
        ("users", "a user whom", users, NEW_USERS),
        ("items", "an item that", items, NEW_ITEMS),
    ):
        count = int(unseen.sum())
        if count > SOME_NEW * test.num_events:
            yield Finding(
                "warning" if count > MOSTLY_NEW * test.num_events else "note",
                f"new-{what}-in-test",
                f"{count:,} of {test.num_events:,} test events ({percent(count, test.num_events)}) have {a_new_one} "
                "training never saw.",
                remedy,
            )

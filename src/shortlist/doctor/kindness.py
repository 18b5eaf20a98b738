"""How much kinder a random split is than a split by time, told by popularity alone."""

from collections.abc import Iterator

import numpy as np

from shortlist.data import Dataset, RandomSplit, Split, split_by_time, split_random
from shortlist.data.seen import Seen
from shortlist.doctor.case import Case
from shortlist.doctor.finding import Finding, percent
from shortlist.errors import DataError
from shortlist.settings import Protocol

__all__ = ["find_kindness", "popularity_accuracy"]

# A gap of less is not worth another split; and three standard errors, so that a small test does not cry wolf.
LARGE_GAP = 0.05
ERRORS = 3.0
TEST_SHARE = 0.2


def find_kindness(case: Case, protocol: Protocol) -> Iterator[Finding]:
    """The accuracy of popularity on a random split against that on a split by time of the same size."""
    data = case.data
    metric = protocol.decisive(data.num_items)
    if data.roles.time is None or not metric.endswith("_accuracy"):
        return
    choice = None if case.split is None else case.split.choice
    share = getattr(choice, "test", TEST_SHARE)
    try:
        k = int(metric.split("_")[1])
        cuts: list[Split] = [split_random(data, test=share), split_by_time(data, test=share)]
        kind, harsh = (popularity_accuracy(cut, k, exclude_seen=protocol.seen == "excluded") for cut in cuts)
    except DataError:
        return  # too few events or moments for two splits; the split of the experiment itself says so
    errors = [np.sqrt(p * (1 - p) / cut.test.num_events) for p, cut in zip((kind, harsh), cuts, strict=True)]
    gap = kind - harsh
    if abs(gap) > max(LARGE_GAP, ERRORS * float(np.hypot(*errors))):
        word = "kinder" if gap > 0 else "harsher"
        cut = cuts[1]
        new = np.isin(cut.test.user_rows, cut.train.user_rows, invert=True).sum()
        yield Finding(
            "warning" if isinstance(choice, RandomSplit) else "note",
            "random-time-gap",
            f"Popularity finds {kind:.3f} of the test in its top {k} after a random split and {harsh:.3f} after a "
            f"split by time (seen items {protocol.seen}): a random split is {word} than what comes next. By time "
            f"{percent(new, cut.test.num_events)} of test events have a user whom training never saw.",
            "Judge by a split by time what is to be served tomorrow; keep the random one to compare with others' "
            "numbers.",
        )


def popularity_accuracy(split: Split, k: int, *, exclude_seen: bool) -> float:
    """The share of test events whose item is among the k that training touched most, equal ones in catalogue order.

    With `exclude_seen` each user's training items make room, but never the true item itself. A test event outside the
    catalogue is not found.
    """
    train, test = split.train, split.test
    place = _places(train)
    held = test.item_rows >= 0
    users, places = test.user_rows[held], place[test.item_rows[held]]
    if exclude_seen:
        seen = Seen.of(train)
        owners = np.repeat(np.arange(len(seen.offsets) - 1), np.diff(seen.offsets))
        better = np.sort(owners * train.num_items + place[seen.item_rows])
        # Of the user's seen items those in a better place; the keys of lesser users all stand before.
        places = places - (np.searchsorted(better, users * train.num_items + places) - seen.offsets[users])
    return float((places < k).sum() / test.num_events)


def _places(train: Dataset) -> np.ndarray:
    """The place of each item by training events [N]: 0 is the most popular."""
    counts = np.bincount(train.item_rows, minlength=train.num_items)
    place = np.empty(train.num_items, np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(train.num_items)
    return place

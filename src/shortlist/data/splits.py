"""Cutting a dataset into training, validation and test events.

Every split is a choice that can stand in an experiment file, and a function that does it at once. Validation
is always cut from what would be training, so that a model can be chosen without a look at the test events.
"""

import dataclasses
import hashlib
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from shortlist.choice import Number, Seed, choice
from shortlist.data.dataset import Dataset
from shortlist.data.seen import Seen
from shortlist.errors import DataError

__all__ = [
    "LeaveLastOut",
    "RandomSplit",
    "Split",
    "SplitChoice",
    "TimeSplit",
    "split_by_time",
    "split_leave_last_out",
    "split_random",
]

Share = Annotated[Number, Field(gt=0, lt=1)]
ShareOrNone = Annotated[Number, Field(ge=0, lt=1)]


@choice
class RandomSplit:
    """Shares of the events, after one seeded shuffle. It mixes past and future: easy, and kind to every model."""

    test: Share = 0.2
    validation: ShareOrNone = 0.0
    seed: Seed = 0


@choice
class TimeSplit:
    """The last share of the events in time is the test; a moment in time is never cut in two."""

    test: Share = 0.2
    validation: ShareOrNone = 0.0


@choice
class LeaveLastOut:
    """Each user's last event is the test, and with `validation` the one before it the validation event.

    Users with too few events to leave one for training stay in training whole, and are counted.
    """

    validation: bool = False


SplitChoice = RandomSplit | TimeSplit | LeaveLastOut


@dataclasses.dataclass(frozen=True)
class Split:
    """Three datasets over the same users and items, and the choice that made them.

    `validation` is None where none was asked for. `notes` says in sentences what the reader of a result should
    know, such as how many users could not be split.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset
    choice: SplitChoice
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over every event of every part: equal data cut the same way, equal text."""
        parts = [self.train, self.validation, self.test]
        digests = [part.fingerprint() for part in parts if part is not None]
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def seen_before(self, part: Dataset) -> Seen:
        """What users had touched before the events of `part`: training, and validation unless that is `part` itself.

        Some rows taken from the validation part are not the part itself: their users have seen them.
        """
        if self.validation is None or part is self.validation:
            return Seen.of(self.train)
        return Seen.of(self.train, self.validation)

    def __repr__(self) -> str:
        sizes = {"train": self.train, "validation": self.validation, "test": self.test}
        return "Split(" + ", ".join(f"{k}={d.num_events:,}" for k, d in sizes.items() if d is not None) + ")"


def split(data: Dataset, how: SplitChoice) -> Split:
    """Cut the data as the choice says."""
    match how:
        case RandomSplit():
            return split_random(data, test=how.test, validation=how.validation, seed=how.seed)
        case TimeSplit():
            return split_by_time(data, test=how.test, validation=how.validation)
        case LeaveLastOut():
            return split_leave_last_out(data, validation=how.validation)


def split_random(data: Dataset, *, test: float = 0.2, validation: float = 0.0, seed: int = 0) -> Split:
    """Cut by one seeded shuffle: the permutation's first rows train, the next validate, the last test.

    `test` and `validation` are shares of all events, between 0 and 1.

    >>> data = Dataset({"u": list("aabbccddee"), "i": list("0101010101")}, query_id="u", item_id="i")
    >>> split_random(data, test=0.3, validation=0.1, seed=1)
    Split(train=6, validation=1, test=3)
    """
    how = RandomSplit(test=test, validation=validation, seed=seed)
    order = np.random.default_rng(seed).permutation(data.num_events)
    num_test, num_validation = _counts(data.num_events, test, validation)
    num_train = data.num_events - num_test - num_validation
    parts = np.split(order, [num_train, num_train + num_validation])
    return _cut(data, how, parts[0], parts[1] if validation else None, parts[2])


def split_by_time(data: Dataset, *, test: float = 0.2, validation: float = 0.0) -> Split:
    """Cut at moments in time, so that nothing of the test was known when training ended.

    Each cut is moved to the nearest change of time at or before the share asked for, so that events of one
    moment stay together; the test then holds at least its share. Raises `DataError` where the times leave
    no such cut.

    >>> data = Dataset({"u": [1, 1, 2, 2], "i": [7, 8, 7, 8], "t": [1, 2, 2, 3]}, query_id="u", item_id="i", time="t")
    >>> split_by_time(data, test=0.5)
    Split(train=1, test=3)
    """
    how = TimeSplit(test=test, validation=validation)
    times = data.times
    order = np.argsort(times, kind="stable")
    num_test, num_validation = _counts(data.num_events, test, validation)
    ordered = times[order]
    test_from = int(np.searchsorted(ordered, ordered[len(order) - num_test]))
    valid_from = test_from
    if validation:
        wanted = max(test_from - num_validation, 0)
        valid_from = int(np.searchsorted(ordered, ordered[wanted]))
    if valid_from == 0 or (validation and valid_from == test_from):
        raise DataError(
            f"The times leave no cut with test={test} and validation={validation}: too many of the "
            f"{data.num_events} events share one moment. Choose other shares or a random split."
        )
    parts = np.split(order, [valid_from, test_from])
    return _cut(data, how, parts[0], parts[1] if validation else None, parts[2])


def split_leave_last_out(data: Dataset, *, validation: bool = False) -> Split:
    """Leave each user's last event out for the test; events of one moment go by their order in the table.

    >>> data = Dataset({"u": [1, 1, 2], "i": [7, 8, 7], "t": [1, 2, 2]}, query_id="u", item_id="i", time="t")
    >>> split = split_leave_last_out(data)
    >>> split, split.notes
    (Split(train=2, test=1), ('1 users have too few events to leave one out and stay in training whole.',))
    """
    how = LeaveLastOut(validation=validation)
    order = np.lexsort((data.times, data.user_rows))
    users = data.user_rows[order]
    # Place from the end within each user: 0 is the last event.
    ends = np.flatnonzero(np.append(users[1:] != users[:-1], True))
    from_end = ends[np.searchsorted(ends, np.arange(len(users)))] - np.arange(len(users))
    counts = np.bincount(users, minlength=data.num_users)
    enough = counts[users] > (2 if validation else 1)
    is_test = enough & (from_end == 0)
    is_validation = enough & (from_end == 1) & validation
    if not is_test.any():
        raise DataError("No user has enough events to leave one out; choose a random split or a split by time.")
    short = int(((counts > 0) & (counts <= (2 if validation else 1))).sum())
    notes = (f"{short} users have too few events to leave one out and stay in training whole.",) if short else ()
    train = order[~(is_test | is_validation)]
    return _cut(data, how, train, order[is_validation] if validation else None, order[is_test], notes)


def _counts(num_events: int, test: float, validation: float) -> tuple[int, int]:
    num_test, num_validation = round(num_events * test), round(num_events * validation)
    empty = num_test == 0 or (validation > 0 and num_validation == 0)
    if empty or num_test + num_validation >= num_events:
        raise DataError(
            f"{num_events} events cannot be cut into test={test}, validation={validation} and training: "
            "one part would be empty. Choose other shares."
        )
    return num_test, num_validation


def _cut(
    data: Dataset,
    how: SplitChoice,
    train: npt.NDArray[Any],
    validation: npt.NDArray[Any] | None,
    test: npt.NDArray[Any],
    notes: tuple[str, ...] = (),
) -> Split:
    fit = data.take(train)
    if not data.has_items:
        # Without an items table, items that only the test knows were never there to be recommended.
        fit = fit.with_own_items()
    held_out = None if validation is None else data.take(validation).with_items_of(fit)
    return Split(fit, held_out, data.take(test).with_items_of(fit), how, notes)

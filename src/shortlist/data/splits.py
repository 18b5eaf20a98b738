"""Cutting a dataset into training, validation and test events.

Every split is a choice (`split_choices`) and a function that does it at once. Validation is always cut from what would
be training, so that a model can be chosen without a look at the test events.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.dataset import Dataset
from shortlist.data.histories import Histories, last_before, last_times
from shortlist.data.seen import Seen
from shortlist.data.split_choices import (
    ColdItems,
    GivenParts,
    HeldOutUsers,
    LeaveLastOut,
    RandomSplit,
    SplitChoice,
    TimeSplit,
)
from shortlist.errors import DataError, shorten

__all__ = [
    "Split",
    "split",
    "split_as_given",
    "split_by_time",
    "split_cold_items",
    "split_held_out_users",
    "split_leave_last_out",
    "split_random",
]

PARTS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Split:
    """Three datasets over the same users and items, and the choice that made them.

    `validation` is None where none was asked for. `notes` says in sentences what the reader of a result should
    know, such as how many users could not be split. `known` are events of held-out users that are neither trained on
    nor to be found: their history. `join` makes the same split with the validation events in
    training, which `is_joined` says of one; see `joined`.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset
    choice: SplitChoice
    notes: tuple[str, ...] = ()
    known: Dataset | None = None
    join: Callable[[], "Split"] | None = dataclasses.field(default=None, repr=False, compare=False)
    is_joined: bool = False

    def joined(self) -> "Split":
        """The same test, with the validation events in training: what a model whose settings are chosen learns from.

        Of held-out users whom the validation asked for, all events train. Raises `DataError` where there is no
        validation part.
        """
        if self.validation is None or self.join is None:
            raise DataError("This split has no validation events to join to the training; give it a share of them.")
        return dataclasses.replace(self.join(), is_joined=True)

    @property
    def fingerprint(self) -> str:
        """A SHA-256 over every event of every part: equal data cut the same way, equal text."""
        parts = [self.train, self.validation, self.test, self.known]
        digests = [part.fingerprint() for part in parts if part is not None]
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def seen_before(self, part: Dataset) -> Seen:
        """What users had touched before the events of `part`; see `parts_before`."""
        return Seen.of(*self.parts_before(part))

    @property
    def seen(self) -> Seen:
        """What users had touched in all of the events: what a served list leaves out."""
        return Seen.of(*self._parts)

    def histories_before(self, part: Dataset) -> Histories:
        """What users had touched before the events of `part`, as `seen_before` has it, in the order of time.

        The histories of the training events are those events themselves: training holds out what it asks for.
        """
        return Histories.of(self.train) if part is self.train else Histories.of(*self.parts_before(part))

    @property
    def histories(self) -> Histories:
        """What users had touched in all of the events, in the order of time: what a served query has behind it."""
        return Histories.of(*self._parts)

    def last_before(self, part: Dataset, gap: float = 0.0) -> pl.Series:
        """When the user of each event [E] of `part` was last active before it, as far as was known by then; null for
        never.

        What was known is what `seen_before` has; the training events know one another, under a split in time those
        that were at least `gap` seconds earlier. Raises `SettingsError` without a time role.
        """
        if part is self.train:
            return last_before(part, [part], gap if self.in_time else 0.0)
        return last_before(part, self.parts_before(part))

    @property
    def last_times(self) -> pl.Series:
        """When each user [U] was last active in all of the events, null for who never was."""
        return last_times(self._parts)

    @property
    def in_time(self) -> bool:
        """Whether what is to be found came after what was there to learn from, for each user."""
        match self.choice:
            case TimeSplit() | LeaveLastOut():
                return True
            case HeldOutUsers():
                return self.train.roles.time is not None
            case GivenParts():
                later = [part for part in (self.validation, self.test) if part is not None]
                return self.train.roles.time is not None and all(_came_after(part, self.train) for part in later)
            case _:
                return False

    @property
    def _parts(self) -> list[Dataset]:
        parts = (self.train, self.known, self.validation, self.test)
        return [part for part in parts if part is not None]

    def parts_before(self, part: Dataset) -> list[Dataset]:
        """What had happened before the events of `part`: training, the known events of held-out users, and validation
        unless `part` is that or some rows of it.
        """
        validation = self.validation
        if validation is not None and (part is validation or part.events.shares_rows_with(validation.events)):
            validation = None
        return [before for before in (self.train, self.known, validation) if before is not None]

    def __repr__(self) -> str:
        sizes = {"train": self.train, "validation": self.validation, "test": self.test, "known": self.known}
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
        case ColdItems():
            return split_cold_items(data, test=how.test, validation=how.validation, seed=how.seed)
        case HeldOutUsers():
            return split_held_out_users(data, test=how.test, validation=how.validation, known=how.known, seed=how.seed)
        case GivenParts():
            return split_as_given(data, how.column, validation=how.validation, seed=how.seed)


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


def split_cold_items(data: Dataset, *, test: float = 0.1, validation: float = 0.0, seed: int = 0) -> Split:
    """Hold out items: all events of a drawn share of the touched items are the test's, and none of them trains.

    The items stay in the catalogue, so that the model has to rank them by their features. Raises `DataError` without
    an items table, which has these features, and where too few items are touched.

    >>> data = Dataset({"u": [1, 1, 2, 2], "i": [7, 8, 8, 9]}, items={"i": [7, 8, 9]}, query_id="u", item_id="i")
    >>> split = split_cold_items(data, test=0.34, seed=1)
    >>> len(set(split.train.item_rows) & set(split.test.item_rows))
    0
    """
    how = ColdItems(test=test, validation=validation, seed=seed)
    if not data.has_items:
        raise DataError("A split by cold items needs a table of items, whose features find them; pass items=….")
    touched = np.unique(data.item_rows[data.item_rows >= 0])
    num_test, num_validation = _counts(len(touched), test, validation, "touched items")
    drawn = np.random.default_rng(seed).permutation(touched)
    is_test = np.isin(data.item_rows, drawn[:num_test])
    is_validation = np.isin(data.item_rows, drawn[num_test : num_test + num_validation])
    rows = np.arange(data.num_events)
    train = rows[~(is_test | is_validation)]
    return _cut(data, how, train, rows[is_validation] if validation else None, rows[is_test])


def split_held_out_users(
    data: Dataset, *, test: float = 0.1, validation: float = 0.0, known: float = 0.8, seed: int = 0
) -> Split:
    """Hold out users: none of a drawn share of the users' events trains; the first `known` share of each one's are
    history, at least one event, and the others are to be found, at least one.

    Events go by their time, or by their order in the table where no column has that role. Users of one event are never
    drawn, and are counted in the notes. Raises `DataError` where too few users have two events.

    >>> data = Dataset({"u": [1, 1, 2, 2, 3, 3], "i": [7, 8, 7, 9, 8, 9]}, query_id="u", item_id="i")
    >>> split_held_out_users(data, test=0.34, known=0.5)
    Split(train=4, test=1, known=1)
    """
    how = HeldOutUsers(test=test, validation=validation, known=known, seed=seed)
    counts = np.bincount(data.user_rows, minlength=data.num_users)
    several = np.flatnonzero(counts > 1)
    num_test, num_validation = _counts(len(several), test, validation, "users of two events or more")
    drawn = np.random.default_rng(seed).permutation(several)
    held_out = drawn[: num_test + num_validation]
    times = data.times if data.roles.time is not None else np.zeros(data.num_events)
    order = np.lexsort((times, data.user_rows))
    users = data.user_rows[order]
    place = np.arange(len(users)) - np.searchsorted(users, users)  # from 0 within each user
    num_known = np.clip(np.round(counts * known), 1, np.maximum(counts - 1, 1))[users]
    out = np.isin(users, held_out)
    of_test = np.isin(users, drawn[:num_test])
    is_known = out & (place < num_known)
    one_event = int((counts == 1).sum())
    notes = (f"{one_event} users have one event and were not held out.",) if one_event else ()
    to_find = {"validation": order[out & ~is_known & ~of_test], "test": order[of_test & ~is_known]}

    def split_of(train: npt.NDArray[Any], known: npt.NDArray[Any], validation: npt.NDArray[Any] | None) -> Split:
        parts = _cut(data, how, train, validation, to_find["test"], notes)
        return dataclasses.replace(parts, known=data.take(known).with_items_of(parts.train))

    split = split_of(order[~out], order[is_known], to_find["validation"] if validation else None)
    return dataclasses.replace(split, join=lambda: split_of(order[~of_test], order[is_known & of_test], None))


def split_as_given(data: Dataset, column: str, *, validation: float = 0.0, seed: int = 0) -> Split:
    """Cut as a column of the events says: "train", "validation" or "test" each; see `GivenParts`.

    Raises `DataError` for a column that is not there, for other words in it, where training or test would be empty,
    and for a share of validation events where the column names some already.

    >>> clicks = {"u": [1, 1, 2], "i": [7, 8, 7], "part": ["train", "test", "train"]}
    >>> split_as_given(Dataset(clicks, query_id="u", item_id="i"), "part")
    Split(train=2, test=1)
    """
    how = GivenParts(column, validation=validation, seed=seed)
    if column not in data.events.columns:
        raise DataError(
            f"The interactions have no column {column!r} that could say which part each belongs to; they have "
            f"{shorten(data.events.columns, 12)}."
        )
    parts = data.events[column].cast(pl.String)
    rows = {part: np.flatnonzero((parts == part).fill_null(False).to_numpy()) for part in PARTS}
    known = sum(len(of_part) for of_part in rows.values())
    if known < len(parts):
        strangers = parts.filter(~parts.is_in(PARTS).fill_null(False)).unique(maintain_order=True).to_list()
        raise DataError(
            f"interactions.{column} should say {', '.join(PARTS)} in every row, but {len(parts) - known} rows say "
            f"{shorten(strangers)}. Correct them, or leave these rows out."
        )
    empty = [part for part in ("train", "test") if not len(rows[part])]
    if empty:
        raise DataError(f"interactions.{column} names no {empty[0]} event; both train and test are needed.")
    if len(rows["validation"]) and validation:
        raise DataError(
            f"interactions.{column} names validation events, and validation={validation} asks for others; leave one."
        )
    if validation:
        _, num_validation = _counts(data.num_events, len(rows["test"]) / data.num_events, validation)
        timed = data.roles.time is not None
        if timed and _came_after(data.take(rows["test"]), data.take(rows["train"])):
            ordered = rows["train"][np.argsort(-data.times[rows["train"]], kind="stable")]  # the latest first
        else:
            ordered = np.random.default_rng(seed).permutation(rows["train"])
        rows["train"], rows["validation"] = np.sort(ordered[num_validation:]), np.sort(ordered[:num_validation])
    return _cut(data, how, rows["train"], rows["validation"] if len(rows["validation"]) else None, rows["test"])


def _came_after(later: Dataset, earlier: Dataset) -> bool:
    """Whether no event of the one is earlier than one of its user in the other."""
    latest = np.full(earlier.num_users, np.iinfo(np.int64).min)
    np.maximum.at(latest, earlier.user_rows, earlier.times)
    return bool((later.times >= latest[later.user_rows]).all())


def _counts(num_events: int, test: float, validation: float, what: str = "events") -> tuple[int, int]:
    num_test, num_validation = round(num_events * test), round(num_events * validation)
    empty = num_test == 0 or (validation > 0 and num_validation == 0)
    if empty or num_test + num_validation >= num_events:
        raise DataError(
            f"{num_events} {what} cannot be cut into test={test}, validation={validation} and training: "
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

    def join() -> Split:
        return _cut(data, how, train if validation is None else np.append(train, validation), None, test, notes)

    return Split(fit, held_out, data.take(test).with_items_of(fit), how, notes, join=join)

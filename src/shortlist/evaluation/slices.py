"""Parts of the targets that averages hide: new users, light and heavy ones, new items, head, middle, tail, repeats."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.seen import Seen
from shortlist.evaluation.evaluate import Targets

__all__ = ["Slice", "column_slices", "default_slices"]


# The head are the most popular items that take this share of the training events, the tail those that take the last.
HEAD, TAIL = 0.5, 0.2
# The most frequent values of a column that have a slice each.
MAX_VALUES = 10


@dataclasses.dataclass(frozen=True)
class Slice:
    """Some of the targets: `mask` [E] says which. `group` are the slices that it stands among, such as users."""

    group: str
    name: str
    mask: npt.NDArray[np.bool_]


def default_slices(
    targets: Targets, user_events: npt.NDArray[Any], item_events: npt.NDArray[Any], seen: Seen
) -> list[Slice]:
    """The slices of every evaluation, those without a target left out.

    `user_events` [U] and `item_events` [N] say how often training touched each. New ones were never touched. Light
    users have as many training events as the median user among the targets' known ones, or fewer; heavy ones more. The
    head are the most popular items that together take the first half of the training events, the tail the least popular
    that take the last fifth. Items with the same number of events fall on the same side. Where users come back to
    items, what they had `seen` stands apart from what is new to them: a model can be good at one of these alone.

    >>> targets = Targets(event_rows=np.arange(4), user_rows=np.array([0, 0, 1, 2]), item_rows=np.array([0, 1, 3, 4]),
    ...                   absent=0, repeated=0)
    >>> slices = default_slices(targets, user_events=np.array([0, 2, 8]), item_events=np.array([5, 3, 1, 1, 0]),
    ...                         seen=Seen(offsets=np.array([0, 0, 2, 3]), item_rows=np.array([1, 3, 0])))
    >>> for part in slices:
    ...     print(part.name, np.flatnonzero(part.mask))
    new users [0 1]
    light users (1 to 5 events) [2]
    heavy users (more than 5) [3]
    new items [3]
    head items [0]
    middle items [1]
    tail items [2]
    had before [2]
    new to the user [0 1 3]
    """
    mine = user_events[targets.user_rows]
    known_users = user_events[np.unique(targets.user_rows)]
    known_users = known_users[known_users > 0]
    median = int(np.median(known_users)) if len(known_users) else 0
    its = item_events[targets.item_rows]
    head_from, tail_to = _edges(item_events.astype(np.float64))
    slices = [
        Slice("users", "new users", mine == 0),
        Slice("users", f"light users (1 to {median:,} events)", (mine > 0) & (mine <= median)),
        Slice("users", f"heavy users (more than {median:,})", mine > median),
        Slice("items", "new items", its == 0),
        Slice("items", "head items", its >= head_from),
        Slice("items", "middle items", (its > tail_to) & (its < head_from)),
        Slice("items", "tail items", (its > 0) & (its <= tail_to) & (its < head_from)),
    ]
    had_before = seen.holds(targets.user_rows, targets.item_rows, len(item_events))
    if had_before.any() and not had_before.all():
        slices += [Slice("repeats", "had before", had_before), Slice("repeats", "new to the user", ~had_before)]
    return [part for part in slices if part.mask.any()]


def column_slices(values: pl.Series) -> list[Slice]:
    """A slice for each of the ten most frequent values of a column over the targets [E], and one for the others."""
    texts = values.cast(pl.String)
    counts = texts.alias("value").value_counts(sort=True).sort(["count", "value"], descending=[True, False])
    frequent = counts["value"].head(MAX_VALUES).to_list()
    slices = [
        Slice(
            values.name,
            f"{values.name} missing" if value is None else f"{values.name} = {value}",
            (texts.is_null() if value is None else texts == value).fill_null(False).to_numpy(),
        )
        for value in frequent
    ]
    others = ~np.logical_or.reduce([part.mask for part in slices]) if slices else np.zeros(0, np.bool_)
    return [*slices, *([Slice(values.name, f"{values.name}: others", others)] if others.any() else [])]


def _edges(events: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The fewest events of a head item, and the most of a tail item."""
    ordered = np.sort(events[events > 0])[::-1]
    if not len(ordered):
        return np.inf, 0.0
    running = np.cumsum(ordered) / ordered.sum()
    head_from = ordered[int(np.searchsorted(running, HEAD))]
    # The tail begins behind the last item with which the share of all but the tail is reached.
    reached = int(np.searchsorted(running, 1 - TAIL))
    behind = ordered[reached + 1 :]
    return float(head_from), float(behind[0]) if len(behind) else 0.0

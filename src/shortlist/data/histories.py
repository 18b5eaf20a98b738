"""What each user had touched, in the order of time: what a history feature reads."""

import dataclasses
import math
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.dataset import Dataset
from shortlist.data.ragged import list_places

__all__ = ["Histories", "touched_before"]

Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Histories:
    """The item rows of each user, repeats included: user u touched `item_rows[offsets[u]:offsets[u + 1]]`, the latest
    last.

    `offsets` [U + 1] int64, `item_rows` [M] int64. Events go by their time, and by their order in the tables where no
    column has that role.
    """

    offsets: Rows
    item_rows: Rows

    @classmethod
    def of(cls, *parts: Dataset) -> Self:
        """All that the users of these datasets (over the same users and items) have touched in the catalogue.

        >>> clicks = {"user": [1, 1, 2], "sku": [8, 7, 8], "at": [5, 3, 4]}
        >>> Histories.of(Dataset(clicks, query_id="user", item_id="sku", time="at")).by_user(0).tolist()
        [0, 1]
        """
        users = np.concatenate([part.user_rows for part in parts])
        items = np.concatenate([part.item_rows for part in parts])
        places = np.concatenate([part.events.places for part in parts])  # their order in the table
        timed = parts[0].roles.time is not None
        times = np.concatenate([part.times for part in parts]) if timed else places
        order = np.lexsort((places, times, users))
        order = order[items[order] >= 0]
        lengths = np.bincount(users[order], minlength=parts[0].num_users)
        return cls(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), items[order])

    def by_user(self, user_row: int) -> Rows:
        """The item rows that one user has touched, the latest last."""
        return self.item_rows[self.offsets[user_row] : self.offsets[user_row + 1]]

    def take(self, user_rows: Rows) -> Self:
        """The histories of these users [B], one after another."""
        starts = self.offsets[user_rows]
        lengths = self.offsets[user_rows + 1] - starts
        offsets: Rows = np.concatenate([[0], np.cumsum(lengths)])
        return type(self)(offsets, self.item_rows[list_places(starts, lengths)])

    def for_users(self, num_users: int) -> Self:
        """The same for more users, of whom those beyond the known ones have touched nothing."""
        more = np.full(num_users + 1 - len(self.offsets), self.offsets[-1])
        return type(self)(np.concatenate([self.offsets, more]), self.item_rows)


def touched_before(data: Dataset, gap: float = 0.0) -> Rows:
    """How many entries of its user's history, made of these very events, each event [E] came after.

    With a `gap` in seconds only those that came at least so long before it count; without, those that came strictly
    before, for events of one moment do not come after each other. A gap counts in the column's own unit where times are
    numbers without one. Raises `SettingsError` without a time role.

    >>> clicks = {"user": [1, 1, 1, 2], "sku": [8, 7, 8, 8], "at": [5, 3, 5, 9]}
    >>> touched_before(Dataset(clicks, query_id="user", item_id="sku", time="at")).tolist()
    [1, 0, 1, 0]
    """
    times = data.times
    order = np.lexsort((times, data.user_rows))
    users, times = data.user_rows[order], times[order]
    ordered = np.sort(times)  # np.unique takes ten times as long on millions
    moments = ordered[np.append(True, np.diff(ordered) > 0)[: len(ordered)]]
    # The first moment that an event's history may not hold.
    ends = np.searchsorted(moments, times, side="left")
    if gap:
        ends = np.searchsorted(moments, times - math.ceil(gap * _ticks(data)), side="right")
    # Users and moments in one number, in the order of the events: where each history ends among all events.
    span = len(moments) + 1
    place = users * span + np.searchsorted(moments, times)
    in_history: Rows = np.concatenate([[0], np.cumsum(data.item_rows[order] >= 0)])
    starts, stops = np.searchsorted(place, users * span), np.searchsorted(place, users * span + ends)
    counts = np.empty(len(order), np.int64)
    counts[order] = in_history[stops] - in_history[starts]
    return counts


def _ticks(data: Dataset) -> float:
    """How many of the units that its times count in make a second; 1 where these are numbers without one."""
    dtype = data.events[data.roles.time or ""].dtype
    if dtype == pl.Date:
        return 1 / 86_400
    return {"ms": 1e3, "us": 1e6, "ns": 1e9}[dtype.time_unit or "us"] if isinstance(dtype, pl.Datetime) else 1.0

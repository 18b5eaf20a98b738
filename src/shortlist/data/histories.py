"""What each user had touched, in the order of time, and when it last was: what features of the past read."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.dataset import Dataset
from shortlist.data.ragged import list_places

__all__ = ["Histories", "last_before", "last_times", "ticks_per_second", "touched_before"]

Rows = npt.NDArray[np.int64]

# A gap of more is taken as so much, which is longer than there are times: int64 holds what is left of any time after
# it.
MOST_TICKS = float(1 << 62)


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
        ends = np.searchsorted(moments, times - _ticks_of(gap, data), side="right")
    # Users and moments in one number, in the order of the events: where each history ends among all events.
    span = len(moments) + 1
    place = users * span + np.searchsorted(moments, times)
    in_history: Rows = np.concatenate([[0], np.cumsum(data.item_rows[order] >= 0)])
    starts, stops = np.searchsorted(place, users * span), np.searchsorted(place, users * span + ends)
    counts = np.empty(len(order), np.int64)
    counts[order] = in_history[stops] - in_history[starts]
    return counts


def last_before(data: Dataset, known: Sequence[Dataset], gap: float = 0.0) -> pl.Series:
    """When the last of its user's `known` events was that each event [E] came after, in the type of the times.

    It is null where there was none. Which events count says `gap`, as in `touched_before`; those whose item is not in
    the catalogue do too. Raises `SettingsError` without a time role.

    >>> clicks = {"user": [1, 1, 1, 2], "sku": [8, 7, 8, 8], "at": [5, 3, 5, 9]}
    >>> data = Dataset(clicks, query_id="user", item_id="sku", time="at")
    >>> last_before(data, [data]).to_list()
    [3, None, 3, None]
    """
    until = data.times - _ticks_of(gap, data)
    asked = pl.DataFrame({"user": data.user_rows, "at": until}).with_row_index("event").sort("at")
    found = asked.join_asof(
        _times(known).sort("at"),
        on="at",
        by="user",
        allow_exact_matches=gap > 0,
        check_sortedness=False,  # it is sorted, but Polars cannot see that of every user
    )
    return found.sort("event")["time"]


def last_times(parts: Sequence[Dataset]) -> pl.Series:
    """When each user [U] of these datasets (over the same users) was last active, null for who never was.

    >>> clicks = {"user": [1, 1, 2], "sku": [8, 7, 8], "at": [5, 3, 9]}
    >>> last_times([Dataset(clicks, query_id="user", item_id="sku", time="at")]).to_list()
    [5, 9]
    """
    latest = _times(parts).group_by("user").agg(pl.col("time").max())
    users = pl.DataFrame({"user": np.arange(parts[0].num_users)})
    return users.join(latest, on="user", how="left", maintain_order="left")["time"]


def _times(parts: Sequence[Dataset]) -> pl.DataFrame:
    """The user of every event, when it was, and the same as whole numbers."""
    return pl.concat(
        pl.DataFrame({"user": part.user_rows, "at": part.times, "time": part.events[part.roles.time or ""]})
        for part in parts
    )


def _ticks_of(gap: float, data: Dataset) -> int:
    """A gap in the units that the times count in."""
    return math.ceil(min(gap * ticks_per_second(data), MOST_TICKS))


def ticks_per_second(data: Dataset) -> float:
    """How many of the units that its times count in make a second; 1 where these are numbers without one."""
    dtype = data.events[data.roles.time or ""].dtype
    if dtype == pl.Date:
        return 1 / 86_400
    return {"ms": 1e3, "us": 1e6, "ns": 1e9}[dtype.time_unit or "us"] if isinstance(dtype, pl.Datetime) else 1.0

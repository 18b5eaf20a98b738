"""What each user had touched, in the order of time: what a history feature reads."""

import dataclasses
from typing import Self

import numpy as np
import numpy.typing as npt

from shortlist.data.dataset import Dataset

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
        timed = parts[0].roles.time is not None
        times = np.concatenate([part.times for part in parts]) if timed else np.zeros(len(users), np.int64)
        order = np.lexsort((times, users))
        order = order[items[order] >= 0]
        lengths = np.bincount(users[order], minlength=parts[0].num_users)
        return cls(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), items[order])

    def by_user(self, user_row: int) -> Rows:
        """The item rows that one user has touched, the latest last."""
        return self.item_rows[self.offsets[user_row] : self.offsets[user_row + 1]]

    def for_users(self, num_users: int) -> Self:
        """The same for more users, of whom those beyond the known ones have touched nothing."""
        more = np.full(num_users + 1 - len(self.offsets), self.offsets[-1])
        return type(self)(np.concatenate([self.offsets, more]), self.item_rows)


def touched_before(data: Dataset) -> Rows:
    """How many entries of its user's history, made of these very events, each event [E] came strictly after.

    Events of one moment do not come after each other. Raises `SettingsError` without a time role.

    >>> clicks = {"user": [1, 1, 1, 2], "sku": [8, 7, 8, 8], "at": [5, 3, 5, 9]}
    >>> touched_before(Dataset(clicks, query_id="user", item_id="sku", time="at")).tolist()
    [1, 0, 1, 0]
    """
    in_history = data.item_rows >= 0
    order = np.lexsort((data.times, data.user_rows))
    users, times = data.user_rows[order], data.times[order]
    new_user = np.diff(users, prepend=-1) != 0
    new_moment = new_user | (np.diff(times, prepend=0) != 0)
    before: Rows = np.cumsum(in_history[order]) - in_history[order]  # entries of all users before each event
    starts = np.flatnonzero(new_user)
    moments = np.flatnonzero(new_moment)
    of_user: Rows = np.repeat(before[starts], np.diff(starts, append=len(order)))
    of_moment: Rows = np.repeat(before[moments], np.diff(moments, append=len(order)))
    counts = np.empty(len(order), np.int64)
    counts[order] = of_moment - of_user
    return counts

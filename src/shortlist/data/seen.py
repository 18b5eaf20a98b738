"""What each user has already touched: the items that an evaluation or a shortlist may leave out."""

import dataclasses
from typing import Self

import numpy as np
import numpy.typing as npt

from shortlist.data.dataset import Dataset
from shortlist.data.ragged import list_places

__all__ = ["Seen"]


@dataclasses.dataclass(frozen=True)
class Seen:
    """The distinct item rows of each user: user u has seen `item_rows[offsets[u]:offsets[u + 1]]`, ascending.

    `offsets` [U + 1] int64, `item_rows` [M] int64.
    """

    offsets: npt.NDArray[np.int64]
    item_rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, *parts: Dataset) -> Self:
        """All that the users of these datasets (over the same users and items) have touched.

        >>> data = Dataset({"user": [1, 1, 1, 2], "sku": [8, 7, 8, 8]}, query_id="user", item_id="sku")
        >>> Seen.of(data).by_user(0).tolist()
        [0, 1]
        """
        num_users, num_items = parts[0].num_users, parts[0].num_items
        pairs = np.concatenate([part.user_rows * num_items + part.item_rows for part in parts])
        in_catalogue = np.concatenate([part.item_rows >= 0 for part in parts])
        # Not np.unique, whose hash table takes ten times as long on millions of pairs.
        ordered = np.sort(pairs[in_catalogue])
        distinct = ordered[np.diff(ordered, prepend=-1) > 0]
        counts = np.bincount(distinct // num_items, minlength=num_users)
        return cls(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), distinct % num_items)

    def for_users(self, num_users: int) -> Self:
        """The same for more users, of whom those beyond the known ones have touched nothing."""
        more = np.full(num_users + 1 - len(self.offsets), self.offsets[-1])
        return type(self)(np.concatenate([self.offsets, more]), self.item_rows)

    def by_user(self, user_row: int) -> npt.NDArray[np.int64]:
        """The item rows that one user has touched."""
        return self.item_rows[self.offsets[user_row] : self.offsets[user_row + 1]]

    def holds(
        self, user_rows: npt.NDArray[np.int64], item_rows: npt.NDArray[np.int64], num_items: int
    ) -> npt.NDArray[np.bool_]:
        """Whether each of these users [B] has touched the item [B] beside it; `num_items` is the catalogue's size."""
        users = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        pairs, asked = users * num_items + self.item_rows, user_rows * num_items + item_rows
        if not len(pairs):
            return np.zeros(len(asked), np.bool_)
        # Pairs are ascending, and looking them up takes a ninth of the time of np.isin on ten million.
        held: npt.NDArray[np.bool_] = pairs[np.searchsorted(pairs, asked).clip(max=len(pairs) - 1)] == asked
        return held

    def without(self, user_rows: npt.NDArray[np.int64], item_rows: npt.NDArray[np.int64], num_items: int) -> Self:
        """The same without the pairs of a user [B] and an item [B] given."""
        users = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        stay = ~np.isin(users * num_items + self.item_rows, user_rows * num_items + item_rows)
        counts = np.bincount(users[stay], minlength=len(self.offsets) - 1)
        return type(self)(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), self.item_rows[stay])

    def among(self, allowed: npt.NDArray[np.bool_]) -> Self:
        """What was touched of the `allowed` items [N], their rows counted among these alone."""
        stay = allowed[self.item_rows]
        before = np.concatenate([[0], np.cumsum(stay)])
        return type(self)(before[self.offsets], (np.cumsum(allowed) - 1)[self.item_rows[stay]])

    def num_items(self, user_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many items each of these users [B] has touched."""
        return self.offsets[user_rows + 1] - self.offsets[user_rows]

    def padded(self, user_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The item rows that each of these users [B] has touched, side by side [B, M], filled up with -1.

        >>> Seen(np.array([0, 2, 3]), np.array([4, 7, 5])).padded(np.array([1, 0])).tolist()
        [[5, -1], [4, 7]]
        """
        starts, lengths = self.offsets[user_rows], self.num_items(user_rows)
        within = np.arange(lengths.max(initial=0))
        filled = within < lengths[:, None]
        table = np.full(filled.shape, -1, np.int64)
        table[filled] = self.item_rows[(starts[:, None] + within)[filled]]
        return table

    def pairs(self, user_rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For users [B]: the places 0..B-1 and item rows of everything they have touched, both [M], by place."""
        starts = self.offsets[user_rows]
        lengths = self.offsets[user_rows + 1] - starts
        return np.repeat(np.arange(len(user_rows)), lengths), self.item_rows[list_places(starts, lengths)]

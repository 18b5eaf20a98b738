"""What lists show, whether it is right or not: how much of the catalogue, how evenly, how popular, how alike."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["ShownItems"]

Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class ShownItems:
    """The lists of S users: item rows, best first, and how often training touched each of the N items [N].

    Every figure looks at the first k of each list; a list may be shorter, where a user may see no more.

    >>> shown = ShownItems([np.array([0, 1]), np.array([0, 2])], np.array([6, 1, 0, 0]))
    >>> shown.coverage(2), shown.overlap(2), shown.average_popularity(2)
    (0.75, 0.5, 3.25)
    """

    lists: Sequence[Rows]
    popularity: npt.NDArray[np.float32]

    def coverage(self, k: int) -> float:
        """The share of the catalogue that stands in at least one list. It grows with the number of users."""
        return float((self._times(k) > 0).mean())

    def gini(self, k: int) -> float:
        """How unevenly the places fall on the items of the catalogue: 0 all alike, near 1 one item takes all.

        The Gini coefficient of how often each item is shown (Fleder and Hosanagar 2009).
        """
        times = np.sort(self._times(k))
        place = np.arange(1, len(times) + 1)
        return float((2 * place - len(times) - 1) @ times / (len(times) * times.sum()))

    def average_popularity(self, k: int) -> float:
        """How often training touched a shown item, on average over all places."""
        times = self._times(k)
        return float(times @ self.popularity / times.sum())

    def novelty(self, k: int) -> float:
        """The information in bits of meeting a shown item, -log2 of its share of the training events, on average.

        One event more is counted for each item, so that one that training never touched has a share too (Vargas and
        Castells 2011 for the measure).
        """
        share = (self.popularity + 1.0) / (self.popularity.sum(dtype=np.float64) + len(self.popularity))
        times = self._times(k)
        return float(times @ -np.log2(share) / times.sum())

    def overlap(self, k: int) -> float:
        """The share of one user's list that another's holds too, on average over pairs of users; 1 for one user.

        1 says that everybody sees the same.
        """
        lengths = np.array([len(rows[:k]) for rows in self.lists])
        num_lists, times = len(lengths), self._times(k)
        if num_lists == 1:
            return 1.0
        # Ordered pairs of users who share an item, over the places of the first of each pair.
        return float(times @ (times - 1) / (lengths.sum() * (num_lists - 1)))

    def _times(self, k: int) -> npt.NDArray[np.float64]:
        """In how many lists each item stands [N]."""
        rows = np.concatenate([rows[:k] for rows in self.lists])
        return np.bincount(rows, minlength=len(self.popularity)).astype(np.float64)

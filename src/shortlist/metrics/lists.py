"""Metrics of ranked lists that hold several true items each; exact under ties.

Where candidates tie, every order of them is equally likely, and a metric is its expectation over these orders
(McSherry and Najork 2008, "Computing information retrieval performance measures efficiently in the presence of tied
scores"). Recall, precision and DCG are sums over true items, of which each stands anywhere in its run of ties with
equal chance; the others also depend on which true items tie with one another.
"""

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from shortlist.metrics.ranking import Gains, ideal_discounted, top_k_discounted, top_k_hits
from shortlist.metrics.ranks import Ranks
from shortlist.settings.evaluation import TieRule

__all__ = ["RankedLists"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class RankedLists:
    """E true items in L ranked lists: `ranks` [E] says where each stands, `owner` [E] in which list 0..L-1.

    Every list holds at least one. Each metric is an array [L] float64.

    >>> two = RankedLists(Ranks(higher=np.array([0, 2]), ties=np.array([0, 0])), owner=np.array([0, 0]))
    >>> two.recall(2).tolist(), two.average_precision(3).tolist()  # hits at places 1 and 3: (1/1 + 2/3) / 2
    ([0.5], [0.8333333333333333])
    """

    ranks: Ranks
    owner: Rows

    @classmethod
    def under(cls, ranks: Ranks, owner: Rows, ties: TieRule) -> "RankedLists":
        """The lists under a tie rule: with the optimistic and the pessimistic one every place is settled."""
        return cls(ranks if ties == "expected" else ranks.in_one_list(owner, ties), owner)

    @functools.cached_property
    def true_items(self) -> Rows:
        """How many true items each list has [L]."""
        return np.bincount(self.owner)

    def recall(self, k: int) -> Floats:
        """The share of the true items among the first k places."""
        recall: Floats = self._sums(top_k_hits(k)) / self.true_items
        return recall

    def precision(self, k: int) -> Floats:
        """True items among the first k places, over k."""
        precision: Floats = self._sums(top_k_hits(k)) / k
        return precision

    def ndcg(self, k: int) -> Floats:
        """The first k places' DCG over the best that so many true items allow (Järvelin and Kekäläinen 2002)."""
        ndcg: Floats = self._sums(top_k_discounted(k)) / ideal_discounted(self.true_items, k)
        return ndcg

    def hit_rate(self, k: int) -> Floats:
        """The chance that a true item stands among the first k places: 1 or 0 where no ties decide."""
        best = self._best
        size = self._size[best]
        inside = np.clip(k - self.ranks.higher[best], 0, size)  # places of the best run that the list shows
        return 1 - _none_among(inside, size, self._together[best])

    def average_precision(self, k: int) -> Floats:
        """The mean, over true items (at most k), of the precision at each one's place within the first k."""
        higher, size = self.ranks.higher, self._size
        inside = np.clip(k - higher, 0, size)
        harmonic = _harmonic(int((higher + size).max(initial=0)))
        run = harmonic[higher + inside] - harmonic[higher]  # 1 / place, over the places that the list shows
        # At the j-th place of its run a true item has those above the run before it, itself, and of the others that
        # tie with it (j - 1) / (size - 1) each.
        others = (self._together - 1) / np.maximum(size - 1, 1)
        gains = ((self._above + 1) * run + others * (inside - (higher + 1) * run)) / size
        precision: Floats = np.bincount(self.owner, gains) / np.minimum(self.true_items, k)
        return precision

    def reciprocal_rank(self) -> Floats:
        """1 over the place of the best true item."""
        best = self._best
        higher, size, together = self.ranks.higher[best], self._size[best], self._together[best]
        harmonic = _harmonic(int((higher + size).max(initial=0)))
        reciprocal: Floats = (harmonic[higher + size] - harmonic[higher]) / size  # the mean over the run's places
        several = np.flatnonzero(together > 1)
        runs, which = np.unique(np.stack([higher, size, together])[:, several], axis=1, return_inverse=True)
        values = np.array([_first_reciprocal(*map(int, run)) for run in runs.T])
        reciprocal[several] = values[which.reshape(-1)] if len(several) else 0
        return reciprocal

    def _sums(self, gains: Gains) -> Floats:
        """The gains of each list's true items together [L]."""
        return np.bincount(self.owner, gains.of(self.ranks, "expected")).astype(np.float64)

    @property
    def _size(self) -> Rows:
        """How many candidates stand in the run of ties that each true item is in, itself too [E]."""
        return self.ranks.ties + 1

    @functools.cached_property
    def _runs(self) -> tuple[Rows, Rows, Rows]:
        """For each true item, how many of its list stand above its run and how many in it [E]; each list's best [L]."""
        # By list, then by place: one number for both sorts faster than two.
        order = np.argsort(self.owner * (self.ranks.higher.max(initial=0) + 1) + self.ranks.higher, kind="stable")
        owner, higher = self.owner[order], self.ranks.higher[order]
        new_list = np.append(True, owner[1:] != owner[:-1])
        new_run = new_list | np.append(True, higher[1:] != higher[:-1])
        starts = np.flatnonzero(new_run)
        run = np.cumsum(new_run) - 1
        first_of_list = np.flatnonzero(new_list)[owner]
        above, together = np.empty_like(order), np.empty_like(order)
        above[order] = starts[run] - first_of_list
        together[order] = np.diff(np.append(starts, len(order)))[run]
        return above, together, order[new_list]

    @property
    def _above(self) -> Rows:
        return self._runs[0]

    @property
    def _together(self) -> Rows:
        return self._runs[1]

    @property
    def _best(self) -> Rows:
        return self._runs[2]


def _harmonic(longest: int) -> Floats:
    """The sums of 1 / place over the first 0, 1, … places [longest + 1]."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, longest + 1))])


def _none_among(shown: Rows, size: Rows, true: Rows) -> Floats:
    """The chance that none of the true ones is among `shown` of `size` candidates in random order [L].

    The product over the true ones, one after the other, of the chance that it falls among what is not shown.
    """
    chance = np.ones(len(size))
    for place in range(int(true.max(initial=0))):
        left, hidden = size - place, np.maximum(size - shown - place, 0)
        chance *= np.where(place < true, hidden / np.maximum(left, 1), 1.0)
    return chance


def _first_reciprocal(higher: int, size: int, true: int) -> float:
    """The expectation of 1 / place for the first of the true ones in a run of ties below `higher` others."""
    places = np.arange(size + 1)  # how many places of the run are looked at
    none_yet = _none_among(places, np.full(size + 1, size), np.full(size + 1, true))
    return float(((none_yet[:-1] - none_yet[1:]) / (higher + places[1:])).sum())

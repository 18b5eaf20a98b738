"""What a place in the ranking is worth: hits and discounted gain; exact under ties.

Every metric here is a gain for each place, 0 being the top. With ties the true item stands anywhere in a run
of places with equal chance, so its expected gain is the mean of the gains over the run: a difference of two
running sums. Putting the expected *rank* into the metric instead would call one tie a full hit at the edge.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.metrics.ranks import Ranks
from shortlist.settings.evaluation import TieRule

__all__ = ["Gains", "ideal_discounted", "top_k_discounted", "top_k_hits"]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Gains:
    """The gain of each place from the top [K] float64; places from K on gain nothing."""

    by_place: Floats

    def of(self, ranks: Ranks, ties: TieRule) -> Floats:
        """The gain of each true item [E] under the tie rule.

        >>> ranks = Ranks(higher=np.array([0]), ties=np.array([3]))  # one of the first four places
        >>> [float(top_k_hits(1).of(ranks, rule)[0]) for rule in ("optimistic", "expected", "pessimistic")]
        [1.0, 0.25, 0.0]
        """
        running = np.concatenate([[0.0], np.cumsum(self.by_place)])  # [K + 1]
        first, last = ranks.higher, ranks.higher + ranks.ties
        match ties:
            case "optimistic":
                last = first
            case "pessimistic":
                first = last
        end = len(self.by_place)
        total = running[np.minimum(last + 1, end)] - running[np.minimum(first, end)]
        gains: Floats = total / (last - first + 1)
        return gains


def top_k_hits(k: int) -> Gains:
    """1 for each of the first k places: top-K accuracy, and recall where it is averaged within users."""
    return Gains(np.ones(k))


def top_k_discounted(k: int) -> Gains:
    """1 / log2(place + 2) for each of the first k places: the terms of DCG (Järvelin and Kekäläinen 2002)."""
    return Gains(1 / np.log2(np.arange(k) + 2))


def ideal_discounted(num_true: npt.NDArray[Any], k: int) -> Floats:
    """The best DCG that users with so many true items [U] can have in k places [U]."""
    running = np.concatenate([[0.0], np.cumsum(top_k_discounted(k).by_place)])
    ideal: Floats = running[np.minimum(num_true, k)]
    return ideal

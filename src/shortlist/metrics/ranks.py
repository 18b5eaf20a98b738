"""Ranks by counting: how many candidates score higher than the true item, and how many score the same.

Runs on NumPy arrays and on tensors of any device.
"""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device, is_torch_array

__all__ = ["Ranks", "Scratch", "count_rivals"]


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Where each of E true items stands among its candidates.

    `higher` [E] int64 counts candidates with a higher score, `ties` [E] int64 those with the very same score,
    the true item itself not counted. The item's place is between `higher` (first of its ties) and
    `higher + ties` (last), 0 being the top.
    """

    higher: npt.NDArray[np.int64]
    ties: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.higher)

    def in_one_list(self, owner: npt.NDArray[np.int64], ties: Literal["optimistic", "pessimistic"]) -> "Ranks":
        """The places at the ends of their ties where true items of the same `owner` [E] share one list.

        Each alone could take the first place of its ties, but true items that tie with one another take one
        place each: the first ones together, or the last ones together.

        >>> both = Ranks(higher=np.array([0, 0]), ties=np.array([3, 3]))  # two true items among four that tie
        >>> both.in_one_list(np.array([7, 7]), "optimistic").higher.tolist()
        [0, 1]
        """
        tied = np.flatnonzero(self.ties)  # the others' places are settled
        tied = tied[np.lexsort((self.higher[tied], owner[tied]))]
        grouped = np.stack([owner[tied], self.higher[tied]])
        first = np.append(True, (grouped[:, 1:] != grouped[:, :-1]).any(axis=0))[: len(tied)]
        within = np.arange(len(tied)) - np.maximum.accumulate(np.where(first, np.arange(len(tied)), 0))
        places = self.higher.copy()
        if ties == "optimistic":
            places[tied] += within
        else:
            places[tied] = np.maximum(places[tied] + self.ties[tied] - within, places[tied])
        return Ranks(places, np.zeros_like(places))

    @property
    def expected(self) -> npt.NDArray[np.float64]:
        """The mean place over all orders of the ties [E]."""
        return self.higher + self.ties / 2


class Scratch:
    """Memory used over and over for arrays that live shortly: fresh memory costs more than what is put there."""

    def __init__(self) -> None:
        self._kept: Any = None

    def array(self, xp: Any, shape: tuple[int, ...], dtype: Any, on: Any) -> Any:
        """An array of this shape with any content, in the place of the last one that was asked for."""
        size = math.prod(shape)
        kept = self._kept
        if kept is None or kept.dtype != dtype or device(kept) != on or kept.shape[0] < size:
            self._kept = kept = xp.empty((size,), dtype=dtype, device=on)
        return xp.reshape(kept[:size], shape)


def count_rivals(scores: Any, true: Any, counts: Any = None, *, scratch: Scratch | None = None) -> tuple[Any, Any]:
    """How many candidates of each row score higher than the row's true item, and how many the same.

    `scores` [B, U] are the scores of U distinct item vectors, `true` [B, 1] those of the true items; a true item that
    is among the U is counted with those that score the same. `counts` [U] float says how many items share each vector
    (None: one each). `scratch` is what flags are written in, for who counts many blocks. Returns higher and ties, both
    [B] int64.

    >>> higher, ties = count_rivals(np.array([[0.5, 0.9, 0.5, 0.1]]), np.array([[0.5]]))
    >>> higher.tolist(), ties.tolist()
    ([1], [2])
    """
    xp = array_namespace(scores)
    width = scores.shape[1]
    # What flags are, and what they are summed in. float32 holds whole numbers up to 2^24 exactly, float64 up to 2^53.
    if counts is not None:
        kind = sum_in = counts.dtype
    elif is_torch_array(scores):  # a sum over truth values takes torch six times as long as one over numbers
        kind = sum_in = xp.float32 if width < 1 << 24 else xp.float64
    else:  # NumPy is fastest with small whole numbers
        kind, sum_in = xp.bool, xp.uint16 if width < 1 << 16 else xp.int64
    flags = (scratch or Scratch()).array(xp, scores.shape, kind, device(scores))

    def total(comparison: Any) -> Any:
        comparison(scores, true, out=flags)
        return xp.astype(xp.sum(flags, axis=1, dtype=sum_in) if counts is None else flags @ counts, xp.int64)

    return total(xp.greater), total(xp.equal)

"""Ranks by counting: how many candidates score higher than the true item, and how many score the same.

Written once against the array API, so that the same lines run on NumPy arrays and on tensors of any device.
"""

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

__all__ = ["Ranks", "count_rivals"]


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
        order = np.lexsort((self.higher, owner))
        grouped = np.stack([owner[order], self.higher[order]])
        first = np.concatenate([[True], (grouped[:, 1:] != grouped[:, :-1]).any(axis=0)])
        within = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
        places = np.empty_like(self.higher)
        if ties == "optimistic":
            places[order] = self.higher[order] + within
        else:
            places[order] = np.maximum(self.higher[order] + self.ties[order] - within, self.higher[order])
        return Ranks(places, np.zeros_like(places))

    @property
    def expected(self) -> npt.NDArray[np.float64]:
        """The mean place over all orders of the ties [E]."""
        return self.higher + self.ties / 2


def count_rivals(scores: Any, own: Any, counts: Any = None, left_out: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
    """How many candidates of each row score higher than the row's own, and how many the same.

    `scores` [B, U] are the scores of U distinct item vectors, of which `own` [B] int64 is the true one's column:
    its score is read from the same matrix as its rivals', since one computed apart differs in the last bit.
    `counts` [U] float says how many items share each vector (None: one each). `left_out` names pairs that are no
    candidates, as (row [M] ascending, column [M]), one for each item left out; the true item must not be among
    them. Returns higher and ties, both [B] int64.

    >>> scores = np.array([[0.5, 0.9, 0.5, 0.1]])
    >>> higher, ties = count_rivals(scores, np.array([0]))
    >>> higher.tolist(), ties.tolist()
    ([1], [1])
    """
    xp = array_namespace(scores)
    num_rows, num_columns = scores.shape
    true = xp.take_along_axis(scores, own[:, None], axis=1)  # [B, 1]
    higher, same = _total(xp, scores > true, counts), _total(xp, scores == true, counts) - 1
    if left_out is not None:
        row, column = left_out
        left_scores = xp.take(xp.reshape(scores, (-1,)), row * num_columns + column, axis=0)  # [M]
        its_true = xp.take(true[:, 0], row, axis=0)
        higher = higher - _by_row(xp, left_scores > its_true, row, num_rows)
        same = same - _by_row(xp, left_scores == its_true, row, num_rows)
    return higher, same


def _total(xp: Any, flags: Any, counts: Any) -> Any:
    """The number of items flagged in each row [B, U] -> [B] int64."""
    if counts is None:
        return xp.sum(flags, axis=1, dtype=xp.int64)
    # float32 holds whole numbers up to 2^24 exactly, float64 up to 2^53.
    return xp.astype(xp.astype(flags, counts.dtype) @ counts, xp.int64)


def _by_row(xp: Any, flags: Any, row: Any, num_rows: int) -> Any:
    """The number of flagged pairs of each row: flags [M], row [M] ascending -> [B] int64."""
    on = device(row)
    running = xp.concat([xp.zeros((1,), dtype=xp.int64, device=on), xp.cumulative_sum(xp.astype(flags, xp.int64))])
    rows = xp.arange(num_rows, dtype=row.dtype, device=on)
    ends = xp.searchsorted(row, rows, side="right")
    starts = xp.searchsorted(row, rows, side="left")
    return xp.take(running, ends, axis=0) - xp.take(running, starts, axis=0)

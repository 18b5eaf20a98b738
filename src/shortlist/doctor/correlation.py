"""Spearman's correlation, in NumPy alone."""

import numpy as np
import numpy.typing as npt

__all__ = ["spearman"]


def spearman(left: npt.NDArray[np.generic], right: npt.NDArray[np.generic]) -> float | None:
    """The correlation of the ranks of two columns [N], equal values at their mean rank; None where one is constant.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 30, 20]))
    0.5
    """
    first, second = _centred_ranks(left), _centred_ranks(right)
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else None


def _centred_ranks(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    centred: npt.NDArray[np.float64] = ranks[place] - (len(values) + 1) / 2
    return centred

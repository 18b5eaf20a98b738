"""How much of an exact search an approximate one finds."""

import numpy as np
import numpy.typing as npt

from shortlist.index.index import Found

__all__ = ["recall_at_k"]


def recall_at_k(approximate: Found, exact: Found) -> npt.NDArray[np.float64]:
    """The share of each query's exact list that the approximate one holds too [B], 1 where the exact list is empty.

    >>> one = np.zeros(1, np.bool_)
    >>> exact = Found([np.array([4, 2, 7, 1])], [np.ones(4, np.float32)], ~one)
    >>> recall_at_k(Found([np.array([4, 7, 1, 0])], [np.ones(4, np.float32)], one), exact).tolist()
    [0.75]
    """
    pairs = zip(approximate.rows, exact.rows, strict=True)
    return np.array([np.isin(right, found).mean() if len(right) else 1.0 for found, right in pairs], np.float64)

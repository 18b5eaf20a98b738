"""Lists of any length that stand one after another in one array."""

import numpy as np
import numpy.typing as npt

__all__ = ["list_places"]


def list_places(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the values of some lists stand [M], list after list, by where each begins and how long it is, both [B].

    >>> list_places(np.array([7, 2]), np.array([2, 3])).tolist()
    [7, 8, 2, 3, 4]
    """
    ends = np.cumsum(lengths)
    places: npt.NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
    return places

"""EASE: a linear model of each item from all others, in closed form."""

from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.baselines.history import touched
from shortlist.baselines.popularity import popularity
from shortlist.baselines.scorer import PersonalScorer, Rows
from shortlist.data import Dataset
from shortlist.errors import DivergedError, SettingsError

__all__ = ["ease_too_large", "fit_ease"]

# Columns that are filled or mirrored together.
BLOCK = 1_024
# Bytes of the one matrix that is held: 22,360 items, some minutes on two cores.
MOST_BYTES = 4_000_000_000


def fit_ease(train: Dataset, *, known: Dataset | None = None, penalty: float = 100.0) -> PersonalScorer:
    """Each item explained by the others that the user touched, with weights from one inverted matrix.

    With X [U, N] binary and P = (X'X + penalty I)^-1, the weights are B_ij = -P_ij / P_jj off the diagonal and 0 on
    it, and a user's scores are x B: the least squares fit of X by X B that may not explain an item by itself (Steck
    2019, https://arxiv.org/abs/1905.03375). Computed in float64. Weights and repeats of events count for nothing.
    Memory is 8 N^2 bytes, time grows with N^3; see `ease_too_large`. `known` are events of users whom training does not
    know: no weight is fitted on them, but these users are scored by them.

    Raises `SettingsError` for a penalty that is not positive, and `DivergedError` where it is so small that the
    matrix has no inverse in float64.

    A good yardstick for catalogues of up to some ten thousand items with many events each: there it is often better
    than deep models. Differs from item-kNN by weighing the items of a history against each other.

    >>> data = Dataset({"u": [1, 1, 2, 2, 3], "i": [7, 8, 7, 8, 7]}, query_id="u", item_id="i")
    >>> fit_ease(data, penalty=1)(np.array([2])).round(3).tolist()  # 2 of item 7's 3 users touched 8: 2 / (3 + 1)
    [[0.0, 0.5]]
    """
    if not penalty > 0:
        raise SettingsError(f"penalty should be greater than 0, but it is {penalty}.")
    weights = _weights(touched(train), penalty)
    histories = touched(train, known)

    def score(user_rows: Rows) -> Any:
        # Sparse times dense adds up row by row in the items' order, whatever the block of users.
        return histories[user_rows] @ weights

    return PersonalScorer(score, np.diff(histories.indptr) > 0, popularity(train))


def ease_too_large(train: Dataset) -> str | None:
    """Why the matrix of all pairs of items is too large, or None.

    >>> ease_too_large(Dataset({"u": [1, 1], "i": [7, 8]}, query_id="u", item_id="i")) is None
    True
    """
    needed = 8 * train.num_items**2
    if needed <= MOST_BYTES:
        return None
    size = f"{train.num_items:,} × {train.num_items:,}"
    return f"needs {needed / 1e9:.1f} GB for the {size} matrix; the bound is {MOST_BYTES / 1e9:.0f} GB"


def _weights(histories: Any, penalty: float) -> npt.NDArray[np.float64]:
    """B [N, N] float64, made in the memory of the one matrix X'X."""
    from scipy.linalg import lapack

    num_items = histories.shape[1]
    matrix = np.empty((num_items, num_items), order="F")  # what LAPACK overwrites without a copy
    by_item, users_of = histories.tocsc(), histories.T.tocsr()
    for start in range(0, num_items, BLOCK):
        matrix[:, start : start + BLOCK] = (users_of @ by_item[:, start : start + BLOCK]).toarray()
    matrix[np.diag_indices(num_items)] += penalty
    matrix, failed = lapack.dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
    if not failed:
        matrix, failed = lapack.dpotri(matrix, lower=1, overwrite_c=1)
    if failed:
        raise DivergedError(f"EASE's matrix has no inverse in float64 with a penalty of {penalty}; raise the penalty.")
    for start in range(0, num_items, BLOCK):  # only the lower triangle is filled
        stop = start + BLOCK
        corner = np.tril(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.tril(corner, -1).T
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T
    weights: npt.NDArray[np.float64] = (
        matrix.T
    )  # symmetric, and in C order, which sparse times dense would copy it into
    weights /= -np.diag(weights).copy()
    np.fill_diagonal(weights, 0)
    return weights

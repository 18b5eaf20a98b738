"""Item-kNN: items are alike where the same users touched them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from shortlist.baselines.history import touched
from shortlist.baselines.popularity import popularity
from shortlist.baselines.scorer import PersonalScorer, Rows
from shortlist.data import Dataset
from shortlist.data.seen import Seen
from shortlist.errors import SettingsError

__all__ = ["fit_item_knn", "item_knn_too_large"]

# Pairs of items that are compared together: about 200 MB.
BLOCK_PAIRS = 1 << 24
# Some three minutes on one core.
MOST_PAIRS = 10_000_000_000


def fit_item_knn(
    train: Dataset, *, known: Dataset | None = None, neighbors: int = 100, shrinkage: float = 10.0
) -> PersonalScorer:
    """For each item, how alike it is to what the user touched, added up.

    With U_i the users who touched item i in training, items i and j are alike by
    |U_i & U_j| / (sqrt(|U_i| |U_j|) + shrinkage): the cosine of binary sets, and less the fewer users there are. Each
    item of the history counts for its `neighbors` nearest items only, more where several tie for the last place
    (Deshpande and Karypis 2004, https://doi.org/10.1145/963770.963776). Weights and repeats of events count for
    nothing: a user touched an item or did not. `known` are events of users whom training does not know: no likeness
    comes from them, but these users are scored by them.

    Raises `SettingsError` for fewer than one neighbour or a negative shrinkage.

    A good yardstick where users have histories of some length and items many users. Differs from EASE by judging each
    pair alone, so that it is faster, fits large catalogues and recommends what is popular among the neighbours.

    >>> data = Dataset({"u": [1, 1, 2, 2, 3], "i": [7, 8, 7, 8, 9]}, query_id="u", item_id="i")
    >>> fit_item_knn(data, shrinkage=0)(np.array([0])).round(3).tolist()  # 7 and 8 have the same users, 9 another
    [[1.0, 1.0, 0.0]]
    """
    if neighbors < 1:
        raise SettingsError(f"neighbors should be at least 1, but it is {neighbors}.")
    if not shrinkage >= 0:
        raise SettingsError(f"shrinkage should not be negative, but it is {shrinkage}.")
    alike = _nearest(touched(train), neighbors, shrinkage)
    histories = touched(train, known)

    def score(user_rows: Rows) -> Any:
        return (histories[user_rows] @ alike).toarray()

    return PersonalScorer(score, np.diff(histories.indptr) > 0, popularity(train))


def item_knn_too_large(train: Dataset) -> str | None:
    """Why the pairs of items that some user touched are too many to be compared, or None.

    >>> item_knn_too_large(Dataset({"u": [1, 1], "i": [7, 8]}, query_id="u", item_id="i")) is None
    True
    """
    lengths = np.diff(Seen.of(train).offsets)
    pairs = int((lengths.astype(np.int64) ** 2).sum())
    if pairs <= MOST_PAIRS:
        return None
    return f"needs {pairs:,} comparisons of two items that one user touched; the bound is {MOST_PAIRS:,}"


def _nearest(histories: Any, neighbors: int, shrinkage: float) -> Any:
    """How alike each item is to its nearest ones: a CSR array [N, N], with row i for the neighbours of item i."""
    from scipy import sparse

    users_of = histories.T.tocsr()  # [N, U]
    counts = np.diff(users_of.indptr).astype(np.float64)
    blocks = []
    for start, stop in _blocks(users_of @ np.diff(histories.indptr)):
        block = (users_of[start:stop] @ histories).tocsr()  # how many users two items share [stop - start, N]
        row = np.repeat(np.arange(start, stop), np.diff(block.indptr))
        block.data /= np.sqrt(counts[row] * counts[block.indices]) + shrinkage
        block.data[row == block.indices] = 0  # no item is its own neighbour
        for first, last in zip(block.indptr[:-1], block.indptr[1:], strict=True):
            if last - first > neighbors:
                values = block.data[first:last]
                values[values < np.partition(values, -neighbors)[-neighbors]] = 0
        block.eliminate_zeros()
        block.sort_indices()
        blocks.append(block)
    return sparse.vstack(blocks, format="csr")


def _blocks(pairs: Any) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most `BLOCK_PAIRS` pairs each, where `pairs` [N] says how many each row has."""
    running = np.cumsum(pairs)
    start = 0
    while start < len(running):
        before = running[start - 1] if start else 0
        stop = max(int(np.searchsorted(running, before + BLOCK_PAIRS, side="right")), start + 1)
        yield start, stop
        start = stop

"""Exact search: all scores, and the k best of them without a sort."""

import numpy as np
import numpy.typing as npt

from shortlist.errors import DivergedError, SettingsError

__all__ = ["best_rows", "check_k", "exact_top_k"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# Scores held at once: 2^24 float32 are 64 MB.
TILE_SCORES = 1 << 24
# Scores are looked at in blocks, this many and four for each of the k: the k with the highest maxima hold all k best.
BLOCKS = 64


def exact_top_k(
    queries: Floats,
    item_vectors: Floats,
    k: int,
    *,
    left_out: tuple[Rows, Rows] | None = None,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> tuple[list[Rows], list[Floats]]:
    """The rows and scores of the k best items for each query, best first, equal scores by row.

    `queries` [B, H, D] and `item_vectors` [N, D] are float32; a score is the highest dot product over the H
    interests. `left_out` names pairs (query [M], item row [M]) that may not come back, `allowed` [N] the items
    that may. Each query gets min(k, what it may have) items, never one that is left out. Returns B arrays of
    rows int64 and B of scores float32.

    Raises `SettingsError` for a k below 1 and `DivergedError` for NaN or infinity in a score.

    >>> items = np.array([[1.0], [3.0], [2.0]], np.float32)
    >>> rows, scores = exact_top_k(np.ones((1, 1, 1), np.float32), items, 5, left_out=(np.array([0]), np.array([1])))
    >>> rows[0].tolist(), scores[0].tolist()
    ([2, 0], [2.0, 1.0])
    """
    check_k(k)
    rows: list[Rows] = []
    best: list[Floats] = []
    height = max(TILE_SCORES // max(len(item_vectors), 1), 1)
    for start in range(0, len(queries), height):
        tile = queries[start : start + height]
        scores = _scores(tile, item_vectors)
        if not np.isfinite(scores).all():
            raise DivergedError(
                "A query or an item vector gives scores that are no numbers (NaN or infinity); train anew."
            )
        banned = np.zeros(scores.shape, np.bool_) if allowed is None else np.tile(~allowed, (len(tile), 1))
        if left_out is not None:
            here = (left_out[0] >= start) & (left_out[0] < start + len(tile))
            banned[left_out[0][here] - start, left_out[1][here]] = True
        scores[banned] = -np.inf
        for row_scores, row_banned in zip(scores, banned, strict=True):
            found = best_rows(row_scores, k)
            found = found[~row_banned[found]]
            rows.append(found)
            best.append(row_scores[found])
    return rows, best


def check_k(k: int) -> None:
    """Raise `SettingsError` unless k is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise SettingsError(f"k should be a whole number of at least 1, but it is {k!r}.")


def _scores(queries: Floats, item_vectors: Floats) -> Floats:
    """[B, H, D] against [N, D]: the best interest's score [B, N]."""
    scores: Floats = queries[:, 0] @ item_vectors.T
    for interest in range(1, queries.shape[1]):
        np.maximum(scores, queries[:, interest] @ item_vectors.T, out=scores)
    return scores


def best_rows(scores: Floats, k: int) -> Rows:
    """The rows of the k highest of N scores, highest first, equal scores by row."""
    num_items = len(scores)
    if k >= num_items:
        return np.argsort(-scores, kind="stable")
    blocks = max(BLOCKS, 4 * k)
    width = num_items // blocks
    candidates = np.arange(num_items)
    if width >= 2:
        # The k-th highest block maximum is no higher than the k-th highest score: all else can go.
        maxima = scores[: width * blocks].reshape(blocks, width).max(axis=1)
        bound = np.partition(maxima, blocks - k)[blocks - k]
        candidates = np.flatnonzero(scores >= bound)
    if len(candidates) > k:
        values = scores[candidates]
        edge = np.partition(values, len(values) - k)[len(values) - k]
        candidates = candidates[values >= edge]  # all ties at the edge stay, so that they go by row
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]

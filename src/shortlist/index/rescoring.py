"""Candidates that an approximate search fetched, scored by their own vectors."""

import numpy as np

from shortlist.index.index import Floats, Found, LeftOut, Rows

__all__ = ["best_of", "without"]

# Numbers of candidates' vectors held at once: 2^22 float32 are 16 MB.
TILE_NUMBERS = 1 << 22


def without(rows: Rows, left_out: LeftOut, num_items: int) -> Rows:
    """Rows [B, M] with -1 in place of what each query leaves out."""
    if len(rows) == 1:
        banned = np.isin(rows[0], left_out[1])[None]
    else:
        keys = np.arange(len(rows))[:, None] * num_items + rows
        banned = np.isin(keys, left_out[0] * num_items + left_out[1])
    return np.where(banned, -1, rows)


def best_of(vectors: Floats, queries: Floats, rows: Rows, k: int) -> Found:
    """The k best of each query's candidates [B, M], whose rows ascend with -1 anywhere for none.

    A score is the dot product with the item's vector in `vectors` [N, D], the best of the query's H interests'. No list
    is called exact.
    """
    height = max(TILE_NUMBERS // max(rows.shape[1] * vectors.shape[1], 1), 1)
    found = Found([], [], np.zeros(len(rows), np.bool_))
    for start in range(0, len(rows), height):
        tile = rows[start : start + height]
        scores = _scores(vectors, queries[start : start + height], tile)
        orders = (-scores).argsort(axis=1, kind="stable")[:, :k]  # equal scores stay in the order of rows
        counts = np.count_nonzero(tile >= 0, axis=1).tolist()
        for its_rows, its_scores, order, count in zip(tile, scores, orders, counts, strict=True):
            best = order[:count]
            found.rows.append(its_rows[best])
            found.scores.append(its_scores[best])
    return found


def _scores(vectors: Floats, queries: Floats, rows: Rows) -> Floats:
    """The best interest's score of each candidate [B, M], -inf for none."""
    # take(), and no look at each row whether it is one, takes half of the time of vectors[rows]; -1 becomes row 0.
    taken = vectors.take(rows, axis=0, mode="clip")  # [B, M, D]
    scores: Floats = (taken @ queries.transpose(0, 2, 1)).max(axis=2)  # [B, M, H]
    scores[rows < 0] = -np.inf
    return scores

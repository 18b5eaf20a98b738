"""The rank of every true item over the whole catalogue, tile by tile."""

from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace

from shortlist.data.seen import Seen
from shortlist.evaluation.scoring import QueryEncoder, Scoring, VectorScores, like, to_numpy
from shortlist.index.exact import best_rows
from shortlist.metrics import Ranks, count_rivals

__all__ = ["rank", "rank_targets"]

Rows = npt.NDArray[np.int64]

# Scores held at once: 2^22 float32 are 16 MB, however large the catalogue.
TILE_SCORES = 1 << 22
# Queries encoded at once, however small the catalogue.
MAX_QUERIES = 8_192


def rank_targets(
    encode_queries: QueryEncoder,
    item_vectors: Any,
    item_rows: Rows,
    *,
    user_rows: Rows | None = None,
    seen: Seen | None = None,
) -> Ranks:
    """Where each target's item stands among all items, scored by dot products as `VectorScores` says.

    `item_vectors` [N, D] may be a NumPy array or a tensor, and the queries are of its kind. `item_rows` [E] int64 are
    the true items. With `seen`, and then `user_rows` [E], the items that the user has seen are no candidates, but a
    true item never leaves itself out.
    """
    return rank(VectorScores(encode_queries, item_vectors), item_rows, user_rows=user_rows, seen=seen)[0]


def rank(
    scoring: Scoring,
    item_rows: Rows,
    *,
    user_rows: Rows | None = None,
    seen: Seen | None = None,
    listed: Rows | None = None,
    k: int = 0,
) -> tuple[Ranks, list[Rows]]:
    """Where each target's item [E] stands, and the k best items for the targets at the places `listed`, ascending.

    A list leaves out what the ranks leave out: what the target's user has seen, but for true items. Equal scores go by
    the catalogue's order.
    """
    higher, ties = np.empty(len(item_rows), np.int64), np.empty(len(item_rows), np.int64)
    lists: list[Rows] = []
    height = min(max(TILE_SCORES // scoring.num_columns, 1), MAX_QUERIES)
    for start in range(0, len(item_rows), height):
        stop = min(start + height, len(item_rows))
        scores = scoring.tile(start, stop)
        xp = array_namespace(scores)
        place, item = np.empty(0, np.int64), np.empty(0, np.int64)
        if seen is not None and user_rows is not None:
            place, item = seen.pairs(user_rows[start:stop])
            others = item != item_rows[start:stop][place]
            place, item = place[others], item[others]
        left_out = tuple(like(xp, values, scores) for values in (place, _columns(scoring, item)))
        own = like(xp, _columns(scoring, item_rows[start:stop]), scores)
        above, same = count_rivals(scores, own, scoring.counts, left_out if len(place) else None)
        higher[start:stop], ties[start:stop] = to_numpy(above), to_numpy(same)
        for row in () if listed is None else listed[(listed >= start) & (listed < stop)] - start:
            own_scores = to_numpy(scores[int(row)])
            by_item = own_scores.copy() if scoring.column_of is None else own_scores[scoring.column_of]  # [N]
            by_item[item[place == row]] = -np.inf
            best = best_rows(by_item, k)
            lists.append(best[np.isfinite(by_item[best])])
    return Ranks(higher, ties), lists


def _columns(scoring: Scoring, item_rows: Rows) -> Rows:
    return item_rows if scoring.column_of is None else scoring.column_of[item_rows]

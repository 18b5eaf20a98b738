"""The rank of every true item over the whole catalogue, block by block."""

from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace

from shortlist.data.seen import Seen
from shortlist.evaluation.scoring import QueryEncoder, Scoring, Tile, VectorScores, like, to_numpy
from shortlist.index.exact import best_rows
from shortlist.metrics import Ranks, Scratch, count_rivals

__all__ = ["best_lists", "rank", "rank_targets"]

Rows = npt.NDArray[np.int64]

# Targets and columns of a block, whose scores are held at once: 8 MB, which stay near the cache until they are counted.
BLOCK_TARGETS = 1_024
BLOCK_COLUMNS = 2_048
# On a GPU blocks of that width are done before the next is ordered: 256 MB of scores take an eighth of the time.
BLOCK_COLUMNS_ON_GPU = 65_536
# Places that seen items take in a block at most: queries times the longest history among them.
SEEN_PLACES = 1 << 22
# Scores held at once for whole lists at most: 128 MB.
LIST_SCORES = 1 << 25


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
    return rank(VectorScores(encode_queries, item_vectors), item_rows, user_rows=user_rows, seen=seen)


def rank(
    scoring: Scoring,
    item_rows: Rows,
    *,
    query_of: Rows | None = None,
    user_rows: Rows | None = None,
    seen: Seen | None = None,
) -> Ranks:
    """Where each target's item [E] stands.

    Targets with the same number in `query_of` [E] ask by one query, which is scored once; they belong to one user, and
    none of their items may be in his `seen`. None: each target asks by its own.

    Queries are encoded a tile at a time; their scores are made and counted in blocks of some rows by some columns, so
    that no more is held however large the catalogue is. What it must cost are the products of every query with every
    column.
    """
    query_of = np.arange(len(item_rows)) if query_of is None else query_of
    order = np.argsort(query_of, kind="stable")  # what shares a query stands together
    if seen is not None and user_rows is not None:
        # And histories of like length, for the shorter ones of a block are filled up to the longest.
        order = order[np.argsort(seen.num_items(user_rows[order]), kind="stable")]
    higher, ties = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    scratch = Scratch()
    for start in range(0, len(order), scoring.tile_rows):
        targets = order[start : start + scoring.tile_rows]
        first = np.flatnonzero(np.diff(query_of[targets], prepend=-1))  # target of each query in the tile
        row = np.repeat(np.arange(len(first)), np.diff(first, append=len(targets)))
        tile = scoring.tile(targets[first])
        height = BLOCK_TARGETS
        if seen is not None and user_rows is not None:
            height = max(min(height, SEEN_PLACES // int(seen.num_items(user_rows[targets]).max(initial=1))), 1)
        for top in range(0, len(targets), height):
            block, of_block = targets[top : top + height], row[top : top + height]
            queries = slice(int(of_block[0]), int(of_block[-1]) + 1)
            left_out = np.empty((queries.stop - queries.start, 0), np.int64)
            if seen is not None and user_rows is not None:
                asking = targets[first[queries]]
                left_out = seen.padded(user_rows[asking])
                left_out[left_out == item_rows[asking][:, None]] = -1
            places = of_block - queries.start
            found = _rank_rows(scoring, tile.rows(queries), places, item_rows[block], left_out, scratch)
            higher[block], ties[block] = found
    return Ranks(higher, ties)


def best_lists(
    scoring: Scoring,
    targets: Rows,
    item_rows: Rows,
    k: int,
    *,
    user_rows: Rows | None = None,
    seen: Seen | None = None,
) -> list[Rows]:
    """The k best items for each of the targets at these places [L], best first, equal scores by the catalogue's order.

    A list leaves out what the target's rank leaves out: what its user [E] has seen, but for the true item [E].
    """
    lists: list[Rows] = []
    height = max(min(LIST_SCORES // scoring.num_items, scoring.tile_rows), 1)
    for start in range(0, len(targets), height):
        places = targets[start : start + height]
        scores = to_numpy(scoring.tile(places).block(0, scoring.num_columns))
        for place, of_columns in zip(places, scores, strict=True):
            of_items = of_columns if scoring.column_of is None else of_columns[scoring.column_of]  # [N]
            if seen is not None and user_rows is not None:
                left_out = seen.by_user(user_rows[place])
                of_items[left_out[left_out != item_rows[place]]] = -np.inf
            best = best_rows(of_items, k)
            lists.append(best[np.isfinite(of_items[best])])
    return lists


def _rank_rows(
    scoring: Scoring, tile: Tile, row: Rows, own_items: Rows, left_out_items: Rows, scratch: Scratch
) -> tuple[Rows, Rows]:
    """Higher and ties [T] of the targets of some queries: `row` [T] is each one's query, `own_items` [T] its true item.

    `left_out_items` [Q, M] are no candidates of a query's targets, -1 being nothing.
    """
    width = min(scoring.num_columns, BLOCK_COLUMNS_ON_GPU if scoring.on_gpu else BLOCK_COLUMNS)
    own, left_out = _columns(scoring, own_items)[:, None], _columns(scoring, left_out_items)
    num_queries = len(left_out)
    true = None
    if width < scoring.num_columns:
        # The true scores first, by a product of the same shape as those to come, so that equal scores come out equal.
        picked = tile.picked(np.resize(own, max(width, len(own))))
        true = picked[like(picked, row), like(picked, np.arange(len(row)))][:, None]
    own_scores: Any = None
    left_out_scores: Any = None
    higher: Any = 0
    ties: Any = 0
    for start in range(0, scoring.num_columns, width):
        scores = tile.block(start, min(start + width, scoring.num_columns))  # [Q, W]
        if start == 0:
            own, left_out, row = like(scores, own), like(scores, left_out), like(scores, row)
        shared = len(row) > num_queries  # some query is asked for several targets
        of_targets = array_namespace(scores).take(scores, row, axis=0) if shared else scores  # [T, W]
        own_scores = _pick(of_targets, own, start, own_scores)
        left_out_scores = _pick(scores, left_out, start, left_out_scores)
        true = own_scores if true is None else true
        counts = None if scoring.counts is None else scoring.counts[start : start + width]
        above, same = count_rivals(of_targets, true, counts, scratch=scratch)
        higher, ties = higher + above, ties + same
    # The true item is no rival of itself, nor is what is left out. Each takes one item off, whatever shares its column.
    for scores in [own_scores] if left_out_scores is None else [own_scores, left_out_scores[row]]:
        above, same = count_rivals(scores, true)
        higher, ties = higher - above, ties - same
    return to_numpy(higher), to_numpy(ties)


def _pick(scores: Any, columns: Any, start: int, before: Any) -> Any:
    """The scores in the columns [Q, M]: from this block [Q, W], which begins with column `start`, or as found before.

    Before the first block `before` is None, and scores not met yet are -inf. Gives None where M is 0.
    """
    if columns.shape[1] == 0:
        return None
    xp = array_namespace(scores)
    inside = (columns >= start) & (columns < start + scores.shape[1])
    found = xp.take_along_axis(scores, xp.where(inside, columns - start, 0), axis=1)
    return xp.where(inside, found, -xp.inf if before is None else before)


def _columns(scoring: Scoring, item_rows: Rows) -> Rows:
    """The columns of items, -1 staying -1."""
    if scoring.column_of is None:
        return item_rows
    return np.where(item_rows < 0, -1, scoring.column_of[item_rows])

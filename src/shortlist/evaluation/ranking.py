"""The rank of every true item over the whole catalogue, tile by tile."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

from shortlist.data.seen import Seen
from shortlist.errors import DivergedError
from shortlist.metrics import Ranks, count_rivals

__all__ = ["QueryEncoder", "distinct_rows", "rank_targets"]

Rows = npt.NDArray[np.int64]
# Gives the query vectors [B, H, D] of the target rows start to stop.
QueryEncoder = Callable[[int, int], Any]

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
    """Where each target's item stands among all items.

    `encode_queries(start, stop)` gives the query vectors [B, H, D] of those targets; a score is the highest dot
    product over the H interests. `item_vectors` [N, D] may be a NumPy array or a tensor, and the queries are of
    its kind. `item_rows` [E] int64 are the true items. With `seen`, and then `user_rows` [E], the items that the
    user has seen are no candidates, but a true item never leaves itself out.

    Items with the same vector are scored once and counted as many times as they are, so that their tie is exact
    whatever the order of summation. Raises `DivergedError` for a vector with NaN or infinity.
    """
    xp = array_namespace(item_vectors)
    _refuse_nonfinite(xp, item_vectors, "item")
    column_of, first = distinct_rows(_to_numpy(item_vectors))
    vectors, on = xp.take(item_vectors, _like(xp, first, item_vectors), axis=0), device(item_vectors)
    counts = None
    if len(first) < len(column_of):
        dtype = xp.float32 if len(column_of) < 1 << 24 else xp.float64
        counts = xp.asarray(np.bincount(column_of), dtype=dtype, device=on)
    higher, ties = np.empty(len(item_rows), np.int64), np.empty(len(item_rows), np.int64)
    height = min(max(TILE_SCORES // len(first), 1), MAX_QUERIES)
    for start in range(0, len(item_rows), height):
        stop = min(start + height, len(item_rows))
        queries = encode_queries(start, stop)
        _refuse_nonfinite(xp, queries, "query")
        left_out = None
        if seen is not None and user_rows is not None:
            place, item = seen.pairs(user_rows[start:stop])
            others = item != item_rows[start:stop][place]
            left_out = tuple(_like(xp, a, vectors) for a in (place[others], column_of[item[others]]))
        own = _like(xp, column_of[item_rows[start:stop]], vectors)
        above, same = count_rivals(_scores(xp, queries, vectors), own, counts, left_out)
        higher[start:stop], ties[start:stop] = _to_numpy(above), _to_numpy(same)
    return Ranks(higher, ties)


def distinct_rows(vectors: npt.NDArray[np.float32]) -> tuple[Rows, Rows]:
    """Which distinct row each of the vectors [N, D] is, [N], and where each distinct one stands first, [U].

    Rows are told apart by a 64-bit sum over their bits and then compared, which costs one pass instead of a
    sort of whole rows; where two different rows share a sum, the rows are sorted after all.

    >>> column_of, first = distinct_rows(np.array([[1, 2], [3, 4], [1, 2]], np.float32))
    >>> first[column_of].tolist()
    [0, 1, 0]
    """
    # Adding zero makes -0.0 the same bits as 0.0.
    bits: npt.NDArray[Any] = np.ascontiguousarray(vectors + np.zeros((), vectors.dtype)).view(
        f"u{vectors.dtype.itemsize}"
    )
    generator = np.random.default_rng(0)
    odd: npt.NDArray[Any] = np.bitwise_or(generator.integers(1 << 63, size=bits.shape[1], dtype=np.uint64), 1)
    sums: npt.NDArray[Any] = np.zeros(len(bits), np.uint64)
    for place in range(bits.shape[1]):
        np.add(sums, np.multiply(bits[:, place], odd[place], dtype=np.uint64), out=sums)  # wraps at 2^64, as it should
    _, first, column_of = np.unique(sums, return_index=True, return_inverse=True)
    if not np.array_equal(bits[first[column_of]], bits):
        _, first, column_of = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    return column_of.reshape(-1), first


def _scores(xp: Any, queries: Any, vectors: Any) -> Any:
    """Queries [B, H, D] against item vectors [U, D]: the best interest's scores [B, U]."""
    if queries.shape[1] == 1:
        return queries[:, 0, :] @ vectors.T
    return xp.max(queries @ vectors.T, axis=1)


def _refuse_nonfinite(xp: Any, vectors: Any, side: str) -> None:
    if not bool(xp.all(xp.isfinite(vectors))):
        bad = np.flatnonzero(~np.isfinite(_to_numpy(vectors)).reshape(len(vectors), -1).all(axis=1))
        raise DivergedError(
            f"{len(bad)} of {len(vectors)} {side} vectors hold NaN or infinity, the first in row {bad[0]}. "
            "No metric means anything then; lower the learning rate, or look for extreme values in the features."
        )


def _like(xp: Any, values: npt.NDArray[Any], other: Any) -> Any:
    return xp.asarray(values, device=device(other))


def _to_numpy(array: Any) -> npt.NDArray[Any]:
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu())

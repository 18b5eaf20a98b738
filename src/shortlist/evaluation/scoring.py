"""How a model scores items, in the form that ranking takes: one tile of queries at a time."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

from shortlist.errors import DivergedError

__all__ = ["QueryEncoder", "Scoring", "UserScores", "VectorScores", "distinct_rows", "like", "to_numpy"]

Rows = npt.NDArray[np.int64]
# Gives the query vectors [B, H, D] of the target rows start to stop.
QueryEncoder = Callable[[int, int], Any]

# Rows that are looked at together.
BLOCK_ROWS = 1 << 16


class Scoring(Protocol):
    """Scores of targets' queries, [B, U] for U columns. Items with equal vectors share a column.

    `column_of` [N] int64 is each item's column, None where each has its own; `counts` [U] float says how many items
    share each, None where none do.
    """

    num_items: int
    num_columns: int
    column_of: Rows | None
    counts: Any

    def tile(self, start: int, stop: int) -> Any:
        """The scores [B, U] of the targets start to stop, an array or a tensor."""


class VectorScores:
    """Scores as dot products: `encode_queries(start, stop)` gives query vectors [B, H, D], items have [N, D].

    A score is the highest over the H interests. Items with the same vector are scored once and counted as many times
    as they are, so that their tie is exact whatever the order of summation. Raises `DivergedError` for a vector with
    NaN or infinity.
    """

    def __init__(self, encode_queries: QueryEncoder, item_vectors: Any) -> None:
        xp = array_namespace(item_vectors)
        _refuse_nonfinite(xp, item_vectors, "item")
        self._encode = encode_queries
        self._vectors = item_vectors
        self.num_items = self.num_columns = len(item_vectors)
        self.column_of: Rows | None = None
        self.counts: Any = None
        column_of, first = distinct_rows(to_numpy(item_vectors))
        if len(first) < self.num_items:
            self.column_of = column_of
            self.num_columns = len(first)
            self._vectors = xp.take(item_vectors, like(xp, first, item_vectors), axis=0)
            dtype = xp.float32 if self.num_items < 1 << 24 else xp.float64
            self.counts = xp.asarray(np.bincount(column_of), dtype=dtype, device=device(item_vectors))

    def tile(self, start: int, stop: int) -> Any:
        queries = self._encode(start, stop)
        xp = array_namespace(queries)
        _refuse_nonfinite(xp, queries, "query")
        if queries.shape[1] == 1:
            return queries[:, 0, :] @ self._vectors.T
        return xp.max(queries @ self._vectors.T, axis=1)


class UserScores:
    """Scores of a baseline: `score(user_rows [B])` gives those of all N items, [B, N].

    `user_rows` [E] are the users of the targets.
    Raises `DivergedError` for a score that is NaN or infinite.
    """

    column_of: Rows | None = None
    counts: Any = None

    def __init__(self, score: Callable[[Rows], Any], user_rows: Rows, num_items: int) -> None:
        self._score = score
        self._user_rows = user_rows
        self.num_items = self.num_columns = num_items

    def tile(self, start: int, stop: int) -> Any:
        users, place = np.unique(self._user_rows[start:stop], return_inverse=True)
        scores = self._score(users)
        if not np.isfinite(scores).all():
            raise DivergedError("A baseline gave a score that is NaN or infinity; that is a mistake of its own.")
        return scores[place]


def distinct_rows(vectors: npt.NDArray[np.float32]) -> tuple[Rows, Rows]:
    """Which distinct row each of the vectors [N, D] is, [N], and where each distinct one stands first, [U].

    Rows are told apart by a 64-bit sum over their bits, and those that share a sum are then compared, which costs one
    pass instead of a sort of whole rows; where two different rows share one, the rows are sorted after all.

    >>> column_of, first = distinct_rows(np.array([[1, 2], [3, 4], [1, 2]], np.float32))
    >>> first[column_of].tolist()
    [0, 1, 0]
    """
    sums = np.concatenate(
        [_sums(vectors[start : start + BLOCK_ROWS]) for start in range(0, max(len(vectors), 1), BLOCK_ROWS)]
    )
    _, first, column_of = np.unique(sums, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[column_of] != np.arange(len(vectors)))
    for start in range(0, len(repeats), BLOCK_ROWS):
        rows = repeats[start : start + BLOCK_ROWS]
        if not np.array_equal(vectors[first[column_of[rows]]], vectors[rows]):
            bits = _bits(vectors)
            _, first, column_of = np.unique(bits, axis=0, return_index=True, return_inverse=True)
            break
    return column_of.reshape(-1), first


def _bits(vectors: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    # Adding zero makes -0.0 the same bits as 0.0.
    bits: npt.NDArray[Any] = np.ascontiguousarray(vectors + np.zeros((), vectors.dtype)).view(
        f"u{vectors.dtype.itemsize}"
    )
    return bits


def _sums(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """A sum over the bits of each row, weighted by odd random numbers and wrapping at 2^64."""
    bits = _bits(vectors)
    generator = np.random.default_rng(0)
    odd: npt.NDArray[Any] = np.bitwise_or(generator.integers(1 << 63, size=bits.shape[1], dtype=np.uint64), 1)
    sums: npt.NDArray[Any] = np.zeros(len(bits), np.uint64)
    for place in range(bits.shape[1]):
        np.add(sums, np.multiply(bits[:, place], odd[place], dtype=np.uint64), out=sums)
    return sums


def _refuse_nonfinite(xp: Any, vectors: Any, side: str) -> None:
    """Raise `DivergedError` unless every number is finite; looked at in blocks, so that it needs no memory."""
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS]
        if not bool(xp.all(xp.isfinite(block))):
            bad = np.flatnonzero(~np.isfinite(to_numpy(vectors)).reshape(len(vectors), -1).all(axis=1))
            raise DivergedError(
                f"{len(bad)} of {len(vectors)} {side} vectors hold NaN or infinity, the first in row {bad[0]}. "
                "No metric means anything then; lower the learning rate, or look for extreme values in the features."
            )


def like(xp: Any, values: npt.NDArray[Any], other: Any) -> Any:
    """NumPy values as an array of the other's kind and on its device."""
    return xp.asarray(values, device=device(other))


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """An array or a tensor of any device as a NumPy array."""
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu())

"""How a model scores items, in the form that ranking takes: one tile of queries at a time."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

from shortlist.errors import DivergedError
from shortlist.metrics import Scratch

__all__ = ["QueryEncoder", "Scoring", "Tile", "UserScores", "VectorScores", "distinct_rows", "like", "to_numpy"]

Rows = npt.NDArray[np.int64]
# Gives the query vectors [Q, H, D] of the targets at these places [Q].
QueryEncoder = Callable[[Rows], Any]

# Vectors that are looked at together.
CHECKED_VECTORS = 1 << 16
# Targets whose queries are encoded together at most.
ENCODED_TARGETS = 2_048
# Scores of a baseline held at once: 2^22 float32 are 16 MB.
TILE_SCORES = 1 << 22


class Tile(Protocol):
    """The scores of some queries [Q], made as they are asked for: arrays or tensors [Q, columns].

    What is given may be written into, and what is asked for next may take its place.
    """

    def rows(self, part: slice) -> "Tile":
        """The scores of some of the queries."""

    def block(self, start: int, stop: int) -> Any:
        """The scores in the columns start to stop."""

    def picked(self, columns: Rows) -> Any:
        """The scores in these columns, to the bit as in a block of as many."""


class Scoring(Protocol):
    """Scores of targets' queries in U columns. Items with equal vectors share a column.

    `column_of` [N] int64 is each item's column, None where each has its own; `counts` [U] float says how many items
    share each, None where none do. `tile_rows` is how many queries should be made ready together; `on_gpu` says whether
    scores are made on a GPU, which wants more at once.
    """

    num_items: int
    num_columns: int
    column_of: Rows | None
    counts: Any
    tile_rows: int
    on_gpu: bool

    def tile(self, targets: Rows) -> Tile:
        """The scores of the queries of the targets at these places [Q]."""


class VectorScores:
    """Scores as dot products: `encode_queries(targets [Q])` gives query vectors [Q, H, D], items have [N, D].

    A score is the highest over the H interests. Items with the same vector are scored once and counted as many times
    as they are, so that their tie is exact whatever the order of summation. Raises `DivergedError` for a vector with
    NaN or infinity.
    """

    tile_rows = ENCODED_TARGETS

    def __init__(self, encode_queries: QueryEncoder, item_vectors: Any) -> None:
        xp = array_namespace(item_vectors)
        _refuse_nonfinite(xp, item_vectors, "item")
        self._encode = encode_queries
        self._vectors = item_vectors
        self.on_gpu = getattr(device(item_vectors), "type", "cpu") != "cpu"
        self._scratch = Scratch()
        self.num_items = self.num_columns = len(item_vectors)
        self.column_of: Rows | None = None
        self.counts: Any = None
        column_of, first = distinct_rows(to_numpy(item_vectors))
        if len(first) < self.num_items:
            self.column_of = column_of
            self.num_columns = len(first)
            self._vectors = xp.take(item_vectors, like(item_vectors, first), axis=0)
            dtype = xp.float32 if self.num_items < 1 << 24 else xp.float64
            self.counts = xp.asarray(np.bincount(column_of), dtype=dtype, device=device(item_vectors))

    def tile(self, targets: Rows) -> "_VectorTile":
        queries = self._encode(targets)
        _refuse_nonfinite(array_namespace(queries), queries, "query")
        return _VectorTile(queries, self._vectors, self._scratch)


class _VectorTile:
    def __init__(self, queries: Any, vectors: Any, scratch: Scratch) -> None:
        self._queries = queries
        self._vectors = vectors
        self._scratch = scratch

    def rows(self, part: slice) -> "_VectorTile":
        return _VectorTile(self._queries[part], self._vectors, self._scratch)

    def block(self, start: int, stop: int) -> Any:
        return self._against(self._vectors[start:stop])

    def picked(self, columns: Rows) -> Any:
        return self._against(array_namespace(self._vectors).take(self._vectors, like(self._vectors, columns), axis=0))

    def _against(self, vectors: Any) -> Any:
        xp = array_namespace(vectors)
        num_queries, interests, width = self._queries.shape
        shape = (num_queries * interests, len(vectors))
        scores = self._scratch.array(xp, shape, vectors.dtype, device(vectors))
        xp.matmul(xp.reshape(self._queries, (-1, width)), vectors.T, out=scores)
        if interests == 1:
            return scores
        return xp.max(xp.reshape(scores, (num_queries, interests, -1)), axis=1)


class UserScores:
    """Scores of a baseline: `score(user_rows [B])` gives those of all N items, [B, N].

    `user_rows` [E] are the users of the targets.
    Raises `DivergedError` for a score that is NaN or infinite.
    """

    column_of: Rows | None = None
    counts: Any = None
    on_gpu = False

    def __init__(self, score: Callable[[Rows], Any], user_rows: Rows, num_items: int) -> None:
        self._score = score
        self._user_rows = user_rows
        self.num_items = self.num_columns = num_items
        self.tile_rows = max(min(TILE_SCORES // num_items, ENCODED_TARGETS), 1)

    def tile(self, targets: Rows) -> "_UserTile":
        users, place = np.unique(self._user_rows[targets], return_inverse=True)
        scores = self._score(users)
        if not np.isfinite(scores).all():
            raise DivergedError("A baseline gave a score that is NaN or infinity; that is a mistake of its own.")
        return _UserTile(scores[place])


class _UserTile:
    def __init__(self, scores: Any) -> None:
        self._scores = scores

    def rows(self, part: slice) -> "_UserTile":
        return _UserTile(self._scores[part])

    def block(self, start: int, stop: int) -> Any:
        return self._scores[:, start:stop]

    def picked(self, columns: Rows) -> Any:
        return self._scores[:, columns]


def distinct_rows(vectors: npt.NDArray[np.float32]) -> tuple[Rows, Rows]:
    """Which distinct row each of the vectors [N, D] is, [N], and where each distinct one stands first, [U].

    Rows are told apart by a 64-bit sum over their bits, and those that share a sum are then compared, which costs one
    pass instead of a sort of whole rows; where two different rows share one, the rows are sorted after all.

    >>> column_of, first = distinct_rows(np.array([[1, 2], [3, 4], [1, 2]], np.float32))
    >>> first[column_of].tolist()
    [0, 1, 0]
    """
    sums = np.concatenate(
        [_sums(vectors[start : start + CHECKED_VECTORS]) for start in range(0, max(len(vectors), 1), CHECKED_VECTORS)]
    )
    _, first, column_of = np.unique(sums, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[column_of] != np.arange(len(vectors)))
    for start in range(0, len(repeats), CHECKED_VECTORS):
        rows = repeats[start : start + CHECKED_VECTORS]
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
    for start in range(0, len(vectors), CHECKED_VECTORS):
        block = vectors[start : start + CHECKED_VECTORS]
        if not bool(xp.all(xp.isfinite(block))):
            bad = np.flatnonzero(~np.isfinite(to_numpy(vectors)).reshape(len(vectors), -1).all(axis=1))
            raise DivergedError(
                f"{len(bad)} of {len(vectors)} {side} vectors hold NaN or infinity, the first in row {bad[0]}. "
                "No metric means anything then; lower the learning rate, or look for extreme values in the features."
            )


def like(other: Any, values: npt.NDArray[Any]) -> Any:
    """NumPy values as an array of the other's kind and on its device."""
    return array_namespace(other).asarray(values, device=device(other))


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """An array or a tensor of any device as a NumPy array."""
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu())

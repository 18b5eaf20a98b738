"""Exact search: all scores, and the k best of them without a sort."""

from typing import Any, ClassVar

import numpy as np

from shortlist.errors import DataError, SettingsError
from shortlist.index.catalogue import Candidates, Catalogue, Precision
from shortlist.index.index import Floats, Found, Index, LeftOut, Mask, Rows
from shortlist.index.tiles import refuse_overflow, search_tiles

__all__ = ["ExactIndex", "best_rows", "check_allowed", "check_k", "exact_top_k"]

# Scores are looked at in blocks, this many and four for each of the k: the k with the highest maxima hold all k best.
BLOCKS = 64
# Up to so many queries are scored one after the other, each by a product with a vector.
FEW_QUERIES = 6
# A filter that allows fewer than one item in so many is met by scoring those alone.
NARROW = 4


class ExactIndex(Index):
    """Exact search over all items, block by block: the scores' highest k and no others.

    With `precision` "float16" or "int8" (whole steps of a 127th of each item's largest number) the vectors are kept
    rounded, in a half or a quarter of the memory, and the search is exact over the rounded vectors. It is then slower,
    for float32 numbers are made of them a block at a time. What is held besides the vectors is some tens of MB whatever
    N and B, but for the N scores of one query.

    Use it when the catalogue is small enough that an answer is fast: about a millisecond for each 90,000 items of width
    64, an eighth of that for each of many queries at once. Differs from `IvfIndex` by looking at every item, so that it
    misses none.

    Raises `DivergedError` for NaN or infinity in a vector, naming the item.

    >>> index = ExactIndex(np.array([[1.0], [3.0], [2.0]], np.float32))
    >>> found = index.search(np.ones((1, 1, 1), np.float32), 5, left_out=(np.array([0]), np.array([1])))
    >>> found.rows[0].tolist(), found.scores[0].tolist()
    ([2, 0], [2.0, 1.0])
    """

    kind: ClassVar[str] = "exact"

    def __init__(self, vectors: Floats, *, precision: Precision = "float32") -> None:
        self.precision = precision
        self._catalogue = Catalogue.of(vectors, precision)
        self._all = Candidates(self._catalogue)

    @property
    def vectors(self) -> Floats:
        return self._catalogue.block(slice(None))

    @property
    def longest(self) -> float:
        """The length of the longest vector."""
        return self._catalogue.longest

    @property
    def settings(self) -> dict[str, Any]:
        return {"kind": self.kind, "precision": self.precision}

    def must_look(self, queries: Floats) -> bool:
        """Whether some score may be too large for a float32, by the vectors' lengths; refuses what is no query."""
        return self._catalogue.must_look(queries)

    def search(self, queries: Floats, k: int, *, left_out: LeftOut | None = None, allowed: Mask | None = None) -> Found:
        check_k(k)
        must_look = self._catalogue.must_look(queries)
        num_allowed = check_allowed(allowed, len(self._catalogue))
        exact = np.full(len(queries), self.precision == "float32")
        few = len(queries) <= FEW_QUERIES
        candidates = self._all
        if allowed is not None and num_allowed < len(allowed) and (not few or num_allowed * NARROW < len(allowed)):
            candidates, allowed = Candidates(self._catalogue, np.flatnonzero(allowed)), None
        if not few:
            return Found(*search_tiles(candidates, queries, k, left_out=left_out, must_look=must_look), exact)
        rows, scores = [], []
        for number, query in enumerate(queries):
            banned = None if left_out is None else _of_query(left_out, number, len(queries))
            its_rows, its_scores = _search_one(candidates, query, k, banned, allowed, number if must_look else None)
            rows.append(its_rows)
            scores.append(its_scores)
        return Found(rows, scores, exact)


def exact_top_k(
    queries: Floats, item_vectors: Floats, k: int, *, left_out: LeftOut | None = None, allowed: Mask | None = None
) -> tuple[list[Rows], list[Floats]]:
    """The rows and scores that an `ExactIndex` over these vectors finds, for vectors that are searched but once.

    >>> items = np.array([[1.0], [3.0], [2.0]], np.float32)
    >>> rows, scores = exact_top_k(np.ones((1, 1, 1), np.float32), items, 2)
    >>> rows[0].tolist(), scores[0].tolist()
    ([1, 2], [3.0, 2.0])
    """
    found = ExactIndex(item_vectors).search(queries, k, left_out=left_out, allowed=allowed)
    return found.rows, found.scores


def check_k(k: int) -> None:
    """Raise `SettingsError` unless k is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise SettingsError(f"k should be a whole number of at least 1, but it is {k!r}.")


def check_allowed(allowed: Mask | None, num_items: int) -> int:
    """How many items may come back; raises `DataError` for a mask of another length."""
    if allowed is None:
        return num_items
    if allowed.shape != (num_items,) or allowed.dtype != np.bool_:
        raise DataError(
            f"allowed should be a mask of the {num_items} items (booleans [N]), but it is {allowed.dtype} "
            f"{list(allowed.shape)}. For rows, set those places of np.zeros({num_items}, bool)."
        )
    return int(np.count_nonzero(allowed))


def best_rows(scores: Floats, k: int) -> Rows:
    """The rows of the k highest of N scores, highest first, equal scores by row."""
    num_items = len(scores)
    if k >= num_items:
        return (-scores).argsort(kind="stable")
    # A block is every so many-th score, so that maxima are taken of whole rows of a matrix at once.
    blocks = max(BLOCKS, 4 * k)
    height = num_items // blocks
    values = scores
    candidates: Rows | None = None
    if height >= 2:
        # The k-th highest block maximum is no higher than the k-th highest score: all else can go.
        maxima = np.maximum.reduce(scores[: height * blocks].reshape(height, blocks), axis=0)
        maxima.partition(blocks - k)
        candidates = (scores >= maxima[blocks - k]).nonzero()[0]
        values = scores[candidates]
    if len(values) > 4 * k:
        edge = np.partition(values, len(values) - k)[len(values) - k]
        near = (values >= edge).nonzero()[0]  # all ties at the edge stay, so that they go by row
        values = values[near]
        candidates = near if candidates is None else candidates[near]
    order: Rows = (-values).argsort(kind="stable")[:k]
    return order if candidates is None else candidates[order]


def _of_query(left_out: LeftOut, number: int, num_queries: int) -> Rows:
    return left_out[1] if num_queries == 1 else left_out[1][left_out[0] == number]


def _search_one(
    candidates: Candidates, query: Floats, k: int, left_out: Rows | None, allowed: Mask | None, looked_at: int | None
) -> tuple[Rows, Floats]:
    """Rows and scores of one query [H, D]; `looked_at` is its number where its scores may be too large."""
    if looked_at is None:
        scores = candidates.scores(query)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            scores = candidates.scores(query)
        refuse_overflow(scores, looked_at, candidates)
    # Every score is a number, so that -inf marks what may not come back, and nothing else.
    if allowed is not None:
        scores[(~allowed).nonzero()[0]] = -np.inf
    if left_out is not None:
        scores[candidates.places_of(left_out)[0]] = -np.inf
    places = best_rows(scores, k)
    values = scores[places]
    if len(values) and values[-1] == -np.inf:
        left = int(np.count_nonzero(values > -np.inf))
        places, values = places[:left], values[:left]
    return candidates.rows_at(places), values

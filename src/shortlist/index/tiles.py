"""Exact search for many queries at once: scores in tiles, of which little is looked at."""

import dataclasses
import itertools

import numpy as np

from shortlist.errors import DivergedError
from shortlist.index.catalogue import Candidates
from shortlist.index.index import Floats, LeftOut, Mask, Rows

__all__ = ["refuse_overflow", "search_tiles"]

# Scores held at once: 2^21 float32 are 8 MB, which stay near the cache until they are looked at.
TILE_SCORES = 1 << 21
TILE_QUERIES = 256
# Numbers of vectors held at once, where they must be made.
TILE_NUMBERS = 1 << 22
# Scores of a query are looked at by the highest of so many, where k leaves enough such groups to choose from.
GROUP = 32
GROUPS_PER_K = 4
# Scores to keep of a tile are so many times k for a query at most, unless they stand in one group.
MANY_TIES = 4
# What was found is sifted when it comes to so many times k for a query.
SIFT_AT = 0.5


def search_tiles(
    candidates: Candidates, queries: Floats, k: int, *, left_out: LeftOut | None, must_look: bool
) -> tuple[list[Rows], list[Floats]]:
    """Rows and scores of the k best candidates for each query [B, H, D], best first, equal scores by row.

    With `must_look` some score may be too large, and `DivergedError` names the first that is.
    """
    rows: list[Rows] = []
    scores: list[Floats] = []
    for start in range(0, len(queries), TILE_QUERIES):
        tile = queries[start : start + TILE_QUERIES]
        pairs = _pairs(candidates, left_out, start, start + len(tile))
        search = _Search(candidates, tile, k, first_query=start, must_look=must_look)
        search.run(pairs)
        its_rows, its_scores = search.lists()
        rows += its_rows
        scores += its_scores
    return rows, scores


def refuse_overflow(scores: Floats, query: int, candidates: Candidates, start: int = 0) -> None:
    """Raise `DivergedError` for a score that is no number: of one query [C], or of several from `query` on [C, B]."""
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        row = int(candidates.rows_at(bad[:1, 0] + start)[0])
        number = query + int(bad[0, 1]) if scores.ndim == 2 else query
        raise DivergedError(
            f"Query {number} and item row {row} together give scores that are no numbers (NaN or infinity); train anew."
        )


def _pairs(candidates: Candidates, left_out: LeftOut | None, start: int, stop: int) -> tuple[Rows, Rows]:
    """Left-out places among the candidates, ascending, and the query in its tile of each."""
    if left_out is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    here = (left_out[0] >= start) & (left_out[0] < stop)
    places, there = candidates.places_of(left_out[1][here])
    of_query = left_out[0][here][there] - start
    order = np.argsort(places, kind="stable")
    return places[order], of_query[order]


def _places(mask: Mask) -> tuple[Rows, Rows]:
    """`mask.nonzero()` of a matrix, in an eighth of its time: over one long row NumPy has a faster road."""
    rows, columns = np.divmod(mask.ravel().nonzero()[0], mask.shape[1])
    return rows, columns


class _Search:
    """The k best so far of one tile of queries.

    What was found lies flat, by query and in the order of places: `_queries`, `_places` and `_values`. Nothing at or
    below a query's floor can be among its k best any more, for places ascend and equal scores go by place.
    """

    def __init__(self, candidates: Candidates, queries: Floats, k: int, *, first_query: int, must_look: bool) -> None:
        self.candidates, self.queries, self.k = candidates, queries, k
        self.first_query, self.must_look = first_query, must_look
        self._floor = np.full(len(queries), -np.inf, np.float32)
        self._found: list[_Flat] = []

    def run(self, left_out: tuple[Rows, Rows]) -> None:
        """Look at all candidates; `left_out` are places, ascending, and the query of each."""
        num_queries, num_interests, width = self.queries.shape
        height = max(min(TILE_SCORES // num_queries, TILE_NUMBERS // max(width, 1), len(self.candidates)), 1)
        group = min(max(height // (GROUPS_PER_K * self.k), 1), GROUP)
        height += -height % group
        scores = np.empty((height, num_queries), np.float32)
        other = np.empty_like(scores if num_interests > 1 else scores[:0])
        for start in range(0, len(self.candidates), height):
            stop = min(start + height, len(self.candidates))
            self._score(start, stop, scores, other)
            inside = slice(*np.searchsorted(left_out[0], [start, stop]))
            scores[left_out[0][inside] - start, left_out[1][inside]] = -np.inf
            filled = stop - start + -(stop - start) % group
            scores[stop - start : filled] = -np.inf
            self._look(scores[:filled].reshape(-1, group, num_queries), start)
        self._sift()

    def _score(self, start: int, stop: int, scores: Floats, other: Floats) -> None:
        """Fill the first rows of `scores` [C, B] with those of some candidates."""
        vectors, filled = self.candidates.block(start, stop), scores[: stop - start]
        with np.errstate(over="ignore", invalid="ignore"):
            np.matmul(vectors, self.queries[:, 0].T, out=filled)
            for interest in range(1, self.queries.shape[1]):
                np.matmul(vectors, self.queries[:, interest].T, out=other[: stop - start])
                np.maximum(filled, other[: stop - start], out=filled)
        if self.must_look:
            refuse_overflow(filled, self.first_query, self.candidates, start)

    def _look(self, scores: Floats, start: int) -> None:
        """Keep what may be among the best of scores in groups [G, group, B], the first at place `start`."""
        maxima = np.maximum.reduce(scores, axis=1)  # [G, B]
        hits = maxima > self._floor
        num_groups, num_queries = hits.shape
        least = np.full(num_queries, -np.inf, np.float32)
        if num_groups > self.k and np.count_nonzero(hits) > self.k * num_queries:
            # The k-th highest of the groups' maxima is no higher than the k-th highest score.
            least = np.partition(maxima.T, num_groups - self.k, axis=1)[:, num_groups - self.k]
            hits &= maxima >= least
        groups, queries = _places(hits)
        values = scores[groups, :, queries]  # [hits, group]
        above = (values > self._floor[queries, None]) & (values >= least[queries, None])
        if num_groups > 1 and np.count_nonzero(above) > MANY_TIES * self.k * num_queries:
            # Most scores tie. When half of them are sifted the floor is at the tie, and the rest is not even looked at.
            middle = num_groups // 2
            self._look(scores[:middle], start)
            self._look(scores[middle:], start + middle * scores.shape[1])
            return
        hit, within = _places(above)
        places = start + groups[hit] * scores.shape[1] + within
        self._found.append(_Flat(queries[hit], places, values[hit, within]))
        if sum(len(flat.values) for flat in self._found[1:]) > SIFT_AT * self.k * num_queries or start == 0:
            self._sift()

    def _sift(self) -> None:
        """Order what was found by query, and drop what is below each query's k-th best."""
        flat = _Flat.joined(self._found)
        num_queries = len(self.queries)
        counts = np.bincount(flat.queries, minlength=num_queries)
        longest = int(counts.max(initial=0))
        if longest > self.k:
            within = np.arange(len(flat.values)) - np.repeat(np.cumsum(counts) - counts, counts)
            table = np.full((num_queries, longest), -np.inf, np.float32)
            table[flat.queries, within] = flat.values
            table.partition(longest - self.k, axis=1)
            self._floor = table[:, longest - self.k].copy()
            flat = flat.where(flat.values >= self._floor[flat.queries])
        self._found = [flat]

    def lists(self) -> tuple[list[Rows], list[Floats]]:
        """What was found, each query's best first."""
        flat = self._found[0]
        edges = np.searchsorted(flat.queries, np.arange(len(self.queries) + 1)).tolist()
        rows, scores = [], []
        for start, stop in itertools.pairwise(edges):
            values = flat.values[start:stop]
            order = (-values).argsort(kind="stable")[: self.k]
            rows.append(self.candidates.rows_at(flat.places[start:stop][order]))
            scores.append(values[order])
        return rows, scores


@dataclasses.dataclass(frozen=True)
class _Flat:
    """Scores [M], each with its query and its candidate's place."""

    queries: Rows
    places: Rows
    values: Floats

    @classmethod
    def joined(cls, parts: "list[_Flat]") -> "_Flat":
        """All of several, by query, those of one query in their order."""
        queries = np.concatenate([np.empty(0, np.int64), *(part.queries for part in parts)])
        order = queries.astype(np.uint16).argsort(kind="stable")  # by counting, as NumPy does for 16 bits
        places = np.concatenate([np.empty(0, np.int64), *(part.places for part in parts)])
        values = np.concatenate([np.empty(0, np.float32), *(part.values for part in parts)])
        return cls(queries[order], places[order], values[order])

    def where(self, kept: Mask) -> "_Flat":
        return _Flat(self.queries[kept], self.places[kept], self.values[kept])

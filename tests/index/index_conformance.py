"""What every index must satisfy: never what is left out, exactly as many as there are, the best first.

An approximate index may miss items, and says so in `exact`: its lists are then asked for the rules alone.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.errors import DataError, DivergedError, SettingsError
from shortlist.index import Found, Index
from shortlist.index.index import Floats, LeftOut, Mask

CHECKS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.differing_executors])
SIZES = st.one_of(st.integers(1, 12), st.integers(127, 300), st.just(2_500))
SHARES = st.sampled_from([None, 0.0, 0.1, 0.5, 0.9, 1.0])


@dataclasses.dataclass(frozen=True)
class World:
    """Items, queries and rules. `may` [B, N] is what may come back, `scores` [B, N] are true."""

    items: Floats
    queries: Floats
    left_out: LeftOut | None
    allowed: Mask | None
    may: Mask
    scores: Floats

    def plain_search(self, query: int, k: int) -> list[tuple[int, float]]:
        """Every score, then one plain sort: the highest first, equal ones by row."""
        rows = np.flatnonzero(self.may[query])
        scores = self.scores[query, rows]
        best = np.lexsort((rows, -scores))[:k]
        return list(zip(rows[best].tolist(), scores[best].tolist(), strict=True))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Vectors of whole numbers, so that a score is the same in any order of summation; few of them, so that many tie.

    Every item's largest number is 127, so that 8 bits hold it as it is.
    """
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_items, num_queries, interests = draw(SIZES), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    values = draw(st.sampled_from([1, 3, 50]))
    items = generator.integers(-values, values + 1, size=(num_items, 4)).astype(np.float32)
    items[:, 3] = 127
    queries = generator.integers(-values, values + 1, size=(num_queries, interests, 4)).astype(np.float32)
    scores = (queries.reshape(-1, 4) @ items.T).reshape(num_queries, interests, num_items).max(axis=1)
    may = np.ones((num_queries, num_items), np.bool_)
    allowed = left_out = None
    share_allowed, share_retired, share_left_out = draw(SHARES), draw(SHARES), draw(SHARES)
    if share_allowed is not None:
        allowed = generator.random(num_items) < share_allowed
    if share_retired is not None:
        kept = generator.random(num_items) >= share_retired
        allowed = kept if allowed is None else allowed & kept
    if allowed is not None:
        may &= allowed
    if share_left_out is not None:
        pairs = np.argwhere(generator.random(may.shape) < share_left_out)
        may[pairs[:, 0], pairs[:, 1]] = False
        pairs = pairs[generator.integers(0, len(pairs), size=len(pairs) // 3).tolist() + list(range(len(pairs)))]
        generator.shuffle(pairs)  # some stand there twice, and in no order
        left_out = (pairs[:, 0].copy(), pairs[:, 1].copy())
    return World(items, queries, left_out, allowed, may, scores)


def of_ones(num_items: int, width: int = 1) -> Floats:
    return np.ones((num_items, width), np.float32)


def query_of(*values: float) -> Floats:
    return np.array([[values]], np.float32)


class IndexConformance:
    """Inherit this, name the class `Test…` and define `index`.

    `exact` says that every list is a plain sort, and `rounds` that this is one of rounded vectors.
    """

    exact = True
    rounds = False

    def index(self, items: Floats) -> Index:
        raise NotImplementedError

    @CHECKS
    @given(world=worlds(), k=st.one_of(st.integers(1, 12), st.integers(1, 320)))
    def test_lists_hold_under_every_mixture_of_rules(self, world: World, k: int) -> None:
        before = world.queries.copy(), world.items.copy()
        found = self.index(world.items).search(world.queries, k, left_out=world.left_out, allowed=world.allowed)
        self._check(found, world, k)
        assert np.array_equal(world.queries, before[0])
        assert np.array_equal(world.items, before[1])

    def _check(self, found: Found, world: World, k: int) -> None:
        assert len(found.rows) == len(found.scores) == len(found.exact) == len(world.queries)
        if self.exact:
            assert found.exact.tolist() == [not self.rounds] * len(world.queries)
        for query, (rows, scores, exact) in enumerate(zip(found.rows, found.scores, found.exact, strict=True)):
            assert rows.dtype == np.int64
            assert scores.dtype == np.float32
            assert len(set(rows.tolist())) == len(rows) == len(scores) == min(k, int(world.may[query].sum()))
            assert world.may[query, rows].all()
            assert scores.tolist() == world.scores[query, rows].tolist()
            assert np.lexsort((rows, -scores)).tolist() == list(range(len(rows)))
            if exact or self.exact:
                assert list(zip(rows.tolist(), scores.tolist(), strict=True)) == world.plain_search(query, k)

    def test_a_k_beyond_what_is_left_gives_what_is_left(self) -> None:
        items = np.array([[4.0], [3], [2], [1]], np.float32)
        left_out = (np.array([0, 0, 1]), np.array([0, 2, 3]))
        found = self.index(items).search(np.ones((2, 1, 1), np.float32), 10, left_out=left_out)
        assert [rows.tolist() for rows in found.rows] == [[1, 3], [0, 1, 2]]
        assert [scores.tolist() for scores in found.scores] == [[3, 1], [4, 3, 2]]

    def test_negative_scores_come_back_as_they_are(self) -> None:
        found = self.index(np.array([[5.0], [6]], np.float32)).search(query_of(-1), 2)
        assert (found.rows[0].tolist(), found.scores[0].tolist()) == ([0, 1], [-5, -6])

    def test_equal_vectors_go_by_row(self) -> None:
        found = self.index(of_ones(500)).search(query_of(1), 7)
        assert found.rows[0].tolist() == [0, 1, 2, 3, 4, 5, 6]

    @pytest.mark.parametrize("num_queries", [1, 9])
    @pytest.mark.parametrize("num_items", [5, 300])
    def test_nothing_allowed_gives_an_empty_list(self, num_items: int, num_queries: int) -> None:
        queries = np.ones((num_queries, 1, 1), np.float32)
        found = self.index(of_ones(num_items)).search(queries, 3, allowed=np.zeros(num_items, np.bool_))
        assert [len(rows) for rows in found.rows] == [len(scores) for scores in found.scores] == [0] * num_queries

    @pytest.mark.parametrize("num_queries", [1, 9])
    def test_empty_catalogue_gives_empty_lists(self, num_queries: int) -> None:
        found = self.index(of_ones(0, 2)).search(np.ones((num_queries, 1, 2), np.float32), 3)
        assert [len(rows) for rows in found.rows] == [0] * num_queries

    def test_no_query_gives_no_list(self) -> None:
        found = self.index(of_ones(3, 2)).search(np.ones((0, 1, 2), np.float32), 2)
        assert (found.rows, found.scores, found.exact.tolist()) == ([], [], [])

    @pytest.mark.parametrize("k", [0, -3, True, 2.0, "2", None])
    def test_k_that_is_no_whole_number_from_one_is_refused(self, k: Any) -> None:
        with pytest.raises(SettingsError) as caught:
            self.index(of_ones(3)).search(query_of(1), k)
        assert str(caught.value) == f"k should be a whole number of at least 1, but it is {k!r}."

    def test_k_may_be_a_whole_number_of_numpys(self) -> None:
        k: Any = np.int64(2)
        assert self.index(of_ones(3)).search(query_of(1), k).rows[0].tolist() == [0, 1]

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_item_that_is_no_number_is_refused(self, bad: float) -> None:
        items = of_ones(200, 2)
        items[150, 1] = bad
        with pytest.raises(DivergedError, match=r"^Item row 150 gives scores that are no numbers \(NaN or infinity\)"):
            self.index(items)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("num_queries", [1, 9])
    def test_query_that_is_no_number_is_refused(self, num_queries: int, bad: float) -> None:
        queries = np.ones((num_queries, 2, 2), np.float32)
        queries[-1, 1, 0] = bad
        wanted = rf"^Query {num_queries - 1} gives scores that are no numbers \(NaN or infinity\); train anew"
        with pytest.raises(DivergedError, match=wanted):
            self.index(of_ones(200, 2)).search(queries, 3)

    @pytest.mark.parametrize("num_queries", [1, 9])
    def test_score_too_large_for_a_float_is_refused(self, num_queries: int) -> None:
        items = of_ones(200, 2)
        items[7] = [3e4, 3e4]
        queries = np.ones((num_queries, 1, 2), np.float32)
        queries[-1] = 3e38
        items[:7], items[8:] = 0, 0
        wanted = rf"^Query {num_queries - 1} and item row 7 together give scores that are no numbers"
        with pytest.raises(DivergedError, match=wanted):
            self.index(items).search(queries, 3)

    @pytest.mark.parametrize("num_queries", [1, 9])
    def test_long_vectors_whose_scores_are_numbers_are_searched(self, num_queries: int) -> None:
        # The lengths alone would allow for 1.8e39, but no query points where the items are long.
        items = np.stack([np.full(200, 6e4), np.arange(200) % 128], axis=1).astype(np.float32)
        queries = np.tile(np.array([0, 3e34], np.float32), (num_queries, 1, 1))
        index = self.index(items)
        found = index.search(queries, 2)
        for rows, scores in zip(found.rows, found.scores, strict=True):
            assert scores.tolist() == (index.vectors[rows, 1] * np.float32(3e34)).tolist()

    @pytest.mark.parametrize("shape", [(3,), (3, 2), (1, 1, 3), (1, 0, 2)])
    def test_query_of_another_shape_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(
            DataError, match=r"^Queries should be \[B, H, 2\] as the items' vectors are.*their shape is"
        ):
            self.index(of_ones(3, 2)).search(np.ones(shape, np.float32), 1)

    def test_mask_of_another_length_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"mask of the 3 items \(booleans \[N\]\), but it is bool \[4\]"):
            self.index(of_ones(3)).search(query_of(1), 1, allowed=np.ones(4, np.bool_))

    def test_items_of_another_shape_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"^Item vectors should be \[N, D\], but their shape is \[3\]"):
            self.index(np.ones(3, np.float32))

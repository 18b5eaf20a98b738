"""What every index must satisfy: never what is left out, never more than there is, the best first.

An approximate index may miss items: it says so in `exact`, and is then asked for the rules alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.errors import SettingsError

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Found = tuple[list[Rows], list[Floats]]
CHECKS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.differing_executors])


def plain_search(
    queries: Floats, items: Floats, k: int, left_out: set[tuple[int, int]], allowed: npt.NDArray[np.bool_] | None
) -> list[list[tuple[int, float]]]:
    """Every score worked out in turn, then one plain sort: the highest first, equal ones by row."""
    lists = []
    for number, query in enumerate(queries):
        scores = [(row, max(float(interest @ item) for interest in query)) for row, item in enumerate(items)]
        may = [
            (row, score)
            for row, score in scores
            if (number, row) not in left_out and (allowed is None or bool(allowed[row]))
        ]
        lists.append(sorted(may, key=lambda found: (-found[1], found[0]))[:k])
    return lists


class IndexConformance:
    """Inherit this, name the class `Test…` and define `search` with the arguments of `exact_top_k`."""

    exact = True

    def search(
        self,
        queries: Floats,
        items: Floats,
        k: int,
        left_out: tuple[Rows, Rows] | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Found:
        raise NotImplementedError

    @CHECKS
    @given(
        seed=st.integers(0, 2**32 - 1),
        num_items=st.one_of(st.integers(1, 12), st.integers(127, 300)),
        num_queries=st.integers(1, 4),
        interests=st.integers(1, 3),
        k=st.one_of(st.integers(1, 12), st.integers(1, 320)),
        share_left_out=st.sampled_from([None, 0.0, 0.2, 0.9, 1.0]),
        share_allowed=st.sampled_from([None, 0.0, 0.1, 0.8, 1.0]),
        values=st.sampled_from([1, 3, 50]),
    )
    def test_equals_a_plain_sort_under_every_mixture_of_rules(
        self,
        seed: int,
        num_items: int,
        num_queries: int,
        interests: int,
        k: int,
        share_left_out: float | None,
        share_allowed: float | None,
        values: int,
    ) -> None:
        # Whole numbers, so that a score is the same in every order of summation; few of them, so that many tie.
        generator = np.random.default_rng(seed)
        queries = generator.integers(-values, values + 1, size=(num_queries, interests, 3)).astype(np.float32)
        items = generator.integers(-values, values + 1, size=(num_items, 3)).astype(np.float32)
        allowed = None if share_allowed is None else generator.random(num_items) < share_allowed
        pairs = None
        if share_left_out is not None:
            number, row = np.nonzero(generator.random((num_queries, num_items)) < share_left_out)
            pairs = (number.astype(np.int64), row.astype(np.int64))
        before = queries.copy(), items.copy()
        rows, scores = self.search(queries, items, k, pairs, allowed)
        banned = set() if pairs is None else set(zip(*(side.tolist() for side in pairs), strict=True))
        self._check(plain_search(queries, items, k, banned, allowed), rows, scores)
        assert np.array_equal(queries, before[0])
        assert np.array_equal(items, before[1])

    def _check(self, expected: list[list[tuple[int, float]]], rows: list[Rows], scores: list[Floats]) -> None:
        assert len(rows) == len(scores) == len(expected)
        for wanted, found, values in zip(expected, rows, scores, strict=True):
            assert found.dtype == np.int64
            assert values.dtype == np.float32
            assert len(set(found.tolist())) == len(found) == len(values)
            assert (np.diff(values) <= 0).all()
            if self.exact:
                assert list(zip(found.tolist(), values.tolist(), strict=True)) == wanted

    def test_a_k_beyond_what_is_left_gives_what_is_left(self) -> None:
        items = np.array([[4.0], [3], [2], [1]], np.float32)
        rows, scores = self.search(
            np.ones((2, 1, 1), np.float32), items, 10, (np.array([0, 0, 1]), np.array([0, 2, 3])), None
        )
        assert [found.tolist() for found in rows] == [[1, 3], [0, 1, 2]]
        assert [values.tolist() for values in scores] == [[3, 1], [4, 3, 2]]

    def test_negative_scores_come_back_as_they_are(self) -> None:
        rows, scores = self.search(-np.ones((1, 1, 1), np.float32), np.array([[5.0], [6]], np.float32), 2)
        assert (rows[0].tolist(), scores[0].tolist()) == ([0, 1], [-5, -6])

    def test_equal_scores_go_by_row(self) -> None:
        rows, _ = self.search(np.ones((1, 1, 1), np.float32), np.ones((500, 1), np.float32), 7)
        assert rows[0].tolist() == [0, 1, 2, 3, 4, 5, 6]

    @pytest.mark.parametrize("num_items", [5, 300])
    def test_nothing_allowed_gives_an_empty_list(self, num_items: int) -> None:
        rows, scores = self.search(
            np.ones((2, 1, 1), np.float32),
            np.ones((num_items, 1), np.float32),
            3,
            allowed=np.zeros(num_items, np.bool_),
        )
        assert [len(found) for found in rows] == [len(values) for values in scores] == [0, 0]

    def test_no_query_gives_no_list(self) -> None:
        assert self.search(np.ones((0, 1, 2), np.float32), np.ones((3, 2), np.float32), 2) == ([], [])

    @pytest.mark.parametrize("k", [0, -3, True, 2.0, "2", None])
    def test_k_that_is_no_whole_number_from_one_is_refused(self, k: Any) -> None:
        with pytest.raises(SettingsError) as caught:
            self.search(np.ones((1, 1, 1), np.float32), np.ones((3, 1), np.float32), k)
        assert str(caught.value) == f"k should be a whole number of at least 1, but it is {k!r}."

    def test_k_may_be_a_whole_number_of_numpys(self) -> None:
        k: Any = np.int64(2)
        rows, _ = self.search(np.ones((1, 1, 1), np.float32), np.ones((3, 1), np.float32), k)
        assert rows[0].tolist() == [0, 1]

import importlib

import numpy as np
import numpy.typing as npt
import pytest
from index_conformance import Floats, Found, IndexConformance, Rows

from shortlist.errors import DivergedError
from shortlist.index import exact_top_k

EXACT = importlib.import_module("shortlist.index.exact")


class TestExactTopK(IndexConformance):
    def search(
        self,
        queries: Floats,
        items: Floats,
        k: int,
        left_out: tuple[Rows, Rows] | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Found:
        return exact_top_k(queries, items, k, left_out=left_out, allowed=allowed)


class TestExactTopKInTilesOfOneQuery(IndexConformance):
    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def one_query_at_a_time() -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EXACT, "TILE_SCORES", 1)
            yield

    def search(
        self,
        queries: Floats,
        items: Floats,
        k: int,
        left_out: tuple[Rows, Rows] | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Found:
        return exact_top_k(queries, items, k, left_out=left_out, allowed=allowed)


@pytest.mark.parametrize("num_items", [127, 128, 129, 191, 6_400, 10_007])
@pytest.mark.parametrize("k", [1, 10, 63, 64, 65])
def test_blocks_give_what_a_sort_gives(num_items: int, k: int) -> None:
    generator = np.random.default_rng(num_items + k)
    items = generator.normal(size=(num_items, 8)).astype(np.float32)
    queries = generator.normal(size=(3, 1, 8)).astype(np.float32)
    rows, scores = exact_top_k(queries, items, k)
    for query, found, values in zip(queries[:, 0], rows, scores, strict=True):
        exact = items.astype(np.float64) @ query
        assert set(found.tolist()) == set(np.argsort(-exact)[:k].tolist())
        np.testing.assert_allclose(values, exact[found], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("start", [0, 64, 6_390])
def test_best_items_may_all_stand_in_one_block_or_behind_the_last(start: int) -> None:
    # 6,410 items are 64 blocks of 100 and ten more behind them.
    items = np.zeros((6_410, 1), np.float32)
    items[start : start + 20, 0] = np.arange(1, 21)
    rows, _ = exact_top_k(np.ones((1, 1, 1), np.float32), items, 15)
    assert rows[0].tolist() == list(range(start + 19, start + 4, -1))


def test_left_out_items_do_not_take_a_blocks_place() -> None:
    items = np.arange(6_400, dtype=np.float32)[::-1, None]
    banned = np.arange(100)
    rows, _ = exact_top_k(np.ones((1, 1, 1), np.float32), items, 5, left_out=(np.zeros(100, np.int64), banned))
    assert rows[0].tolist() == [100, 101, 102, 103, 104]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["query", "item"])
def test_score_that_is_no_number_is_refused(side: str, bad: float) -> None:
    queries, items = np.ones((2, 1, 2), np.float32), np.ones((200, 2), np.float32)
    (queries if side == "query" else items)[-1, ..., 0] = bad
    with pytest.raises(DivergedError, match=r"gives scores that are no numbers \(NaN or infinity\); train anew"):
        exact_top_k(queries, items, 3)


def test_empty_catalogue_gives_empty_lists() -> None:
    rows, scores = exact_top_k(np.ones((1, 1, 2), np.float32), np.ones((0, 2), np.float32), 3)
    assert len(rows[0]) == len(scores[0]) == 0

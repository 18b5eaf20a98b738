import importlib
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from index_conformance import IndexConformance, query_of

from shortlist.errors import SettingsError
from shortlist.index import ExactIndex, Index, exact_top_k
from shortlist.index.catalogue import Precision
from shortlist.index.exact import best_rows
from shortlist.index.index import Floats

CATALOGUE = importlib.import_module("shortlist.index.catalogue")
EXACT = importlib.import_module("shortlist.index.exact")
TILES = importlib.import_module("shortlist.index.tiles")


class TestExactIndex(IndexConformance):
    def index(self, items: Floats) -> Index:
        return ExactIndex(items)


class TestExactIndexOfHalves(IndexConformance):
    rounds = True

    def index(self, items: Floats) -> Index:
        return ExactIndex(items, precision="float16")


class TestExactIndexOfBytes(IndexConformance):
    rounds = True

    def index(self, items: Floats) -> Index:
        return ExactIndex(items, precision="int8")


class TestExactIndexInTinyTiles(IndexConformance):
    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def tiny_tiles() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EXACT, "FEW_QUERIES", 0)
            patch.setattr(TILES, "TILE_QUERIES", 4)
            patch.setattr(TILES, "TILE_SCORES", 300)
            patch.setattr(TILES, "GROUPS_PER_K", 1)
            yield

    def index(self, items: Floats) -> Index:
        return ExactIndex(items)


class TestExactIndexInBlocksOfRoundedVectors(IndexConformance):
    rounds = True

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def small_blocks() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CATALOGUE, "BLOCK_NUMBERS", 200)
            patch.setattr(TILES, "TILE_NUMBERS", 200)
            yield

    def index(self, items: Floats) -> Index:
        return ExactIndex(items, precision="int8")


@pytest.mark.parametrize("num_items", [127, 128, 129, 191, 6_400, 10_007])
@pytest.mark.parametrize("k", [1, 10, 63, 64, 65])
@pytest.mark.parametrize("num_queries", [1, 7])
def test_blocks_give_what_a_sort_gives(num_items: int, k: int, num_queries: int) -> None:
    generator = np.random.default_rng(num_items + k)
    items = generator.normal(size=(num_items, 8)).astype(np.float32)
    queries = generator.normal(size=(num_queries, 1, 8)).astype(np.float32)
    rows, scores = exact_top_k(queries, items, k)
    for query, found, values in zip(queries[:, 0], rows, scores, strict=True):
        exact = items.astype(np.float64) @ query
        assert set(found.tolist()) == set(np.argsort(-exact)[:k].tolist())
        np.testing.assert_allclose(values, exact[found], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ascending", [True, False])
def test_items_in_the_order_of_their_scores_are_found_tile_after_tile(ascending: bool) -> None:
    # 40,000 items for 256 queries are five tiles; ascending, each tile holds nothing but better items.
    items = np.arange(40_000, dtype=np.float32)[:, None]
    items = items if ascending else items[::-1].copy()
    rows, scores = exact_top_k(np.ones((256, 1, 1), np.float32), items, 5)
    wanted = list(range(39_999, 39_994, -1)) if ascending else [0, 1, 2, 3, 4]
    assert all(found.tolist() == wanted for found in rows)
    assert all(values.tolist() == [39_999, 39_998, 39_997, 39_996, 39_995] for values in scores)


@pytest.mark.parametrize("start", [0, 64, 6_390])
def test_best_items_may_all_stand_side_by_side_or_behind_the_last_block(start: int) -> None:
    # 6,410 items are 100 rows of 64 blocks and ten more behind them.
    items = np.zeros((6_410, 1), np.float32)
    items[start : start + 20, 0] = np.arange(1, 21)
    rows, _ = exact_top_k(query_of(1), items, 15)
    assert rows[0].tolist() == list(range(start + 19, start + 4, -1))


def test_best_rows_may_all_stand_in_one_block() -> None:
    # 6,400 scores are 64 blocks of every 64th score.
    scores = np.zeros(6_400, np.float32)
    scores[5:1_285:64] = np.arange(20)
    assert best_rows(scores, 3).tolist() == [1_221, 1_157, 1_093]


def test_left_out_items_do_not_take_a_blocks_place() -> None:
    items = np.arange(6_400, dtype=np.float32)[::-1, None]
    banned = np.arange(100)
    rows, _ = exact_top_k(query_of(1), items, 5, left_out=(np.zeros(100, np.int64), banned))
    assert rows[0].tolist() == [100, 101, 102, 103, 104]


@pytest.mark.parametrize("ties", [False, True])
def test_scores_of_many_queries_stay_in_bounded_memory(ties: bool) -> None:
    items = np.ones((100_000, 2)) if ties else np.random.default_rng(0).normal(size=(100_000, 2))
    index = ExactIndex(items.astype(np.float32))
    queries = np.random.default_rng(1).normal(size=(300, 1, 2)).astype(np.float32)
    tracemalloc.start()
    try:
        found = index.search(queries, 10)  # all scores are 120 MB
        assert tracemalloc.get_traced_memory()[1] < 48e6
    finally:
        tracemalloc.stop()
    assert not ties or all(rows.tolist() == list(range(10)) for rows in found.rows)


def test_eight_bits_are_steps_of_a_127th_of_an_items_largest_number() -> None:
    # The first item's step is 2.54 / 127 = 0.02: 1.011 is 50.55 steps, so 51 of them; the second item is zero.
    index = ExactIndex(np.array([[2.54, 1.011], [0, 0]], np.float32), precision="int8")
    np.testing.assert_allclose(index.vectors, np.array([[2.54, 1.02], [0, 0]]), rtol=1e-6)
    np.testing.assert_allclose(index.search(query_of(0, 1), 1).scores[0], [1.02], rtol=1e-6)


def test_numbers_near_the_smallest_float_are_kept_in_eight_bits() -> None:
    tiny = np.float32(1e-44)
    index = ExactIndex(np.array([[tiny, -tiny], [1e-45, 0]], np.float32), precision="int8")
    assert np.abs(index.vectors).max() < 1e-42


def test_every_half_comes_back_as_the_number_it_is() -> None:
    halves = np.arange(1 << 16).astype(np.uint16).view(np.float16)
    numbers = halves[np.isfinite(halves)].astype(np.float32)[:, None]
    kept = ExactIndex(numbers, precision="float16").vectors
    assert np.array_equal(kept, numbers)
    assert np.array_equal(np.signbit(kept), np.signbit(numbers))


def test_half_precision_refuses_what_it_cannot_hold() -> None:
    wanted = r'holds numbers up to 65504, but item row 1 has 70000 in dimension 2\. Use "int8" or "float32"'
    with pytest.raises(SettingsError, match=wanted):
        ExactIndex(np.array([[0, 0, 0], [1, 2, 70_000]], np.float32), precision="float16")


def test_unknown_precision_is_refused() -> None:
    precision: Precision = "int4"  # type: ignore[assignment]
    with pytest.raises(
        SettingsError, match="precision should be one of 'float32', 'float16', 'int8', but it is 'int4'"
    ):
        ExactIndex(np.ones((1, 1), np.float32), precision=precision)


@pytest.mark.parametrize(("precision", "share"), [("float32", 1), ("float16", 0.5), ("int8", 0.28125)])
def test_rounded_vectors_take_a_half_or_a_quarter_and_a_scale(precision: Precision, share: float) -> None:
    # A vector of 32 is 128 bytes, 64 in halves, and 32 with 4 for the scale in bytes: 36 / 128 = 0.28125.
    vectors = np.ones((100, 32), np.float32)
    catalogue = ExactIndex(vectors, precision=precision)._catalogue
    kept = catalogue.numbers.nbytes + (0 if catalogue.scales is None else catalogue.scales.nbytes)
    assert kept == share * vectors.nbytes

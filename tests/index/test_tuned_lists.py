import numpy as np
import pytest

from shortlist.errors import SettingsError
from shortlist.index import ExactIndex, Found, recall_at_k, tune_ivf
from shortlist.index.index import Floats


def found(*lists: list[int]) -> Found:
    rows = [np.array(rows, np.int64) for rows in lists]
    return Found(rows, [np.zeros(len(its_rows), np.float32) for its_rows in rows], np.zeros(len(rows), np.bool_))


def test_recall_is_the_share_of_the_exact_list_that_was_found() -> None:
    # All four, whatever their order; two of four; none; an empty list to find.
    exact = found([1, 2, 3, 4], [1, 2, 3, 4], [5], [])
    approximate = found([4, 3, 2, 1], [9, 1, 8, 2], [6], [])
    assert recall_at_k(approximate, exact).tolist() == [1, 0.5, 0, 1]


def clusters(seed: int, size: int, centres: Floats) -> Floats:
    generator = np.random.default_rng(seed)
    places = generator.integers(0, len(centres), size)
    vectors: Floats = (centres[places] + 0.5 * generator.normal(size=(size, centres.shape[1]))).astype(np.float32)
    return vectors


@pytest.fixture(scope="module")
def centres() -> Floats:
    return np.random.default_rng(9).normal(size=(60, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def items(centres: Floats) -> Floats:
    return clusters(0, 6_000, centres)


@pytest.fixture(scope="module")
def queries(centres: Floats) -> Floats:
    return clusters(1, 300, centres)[:, None]


def test_tuned_index_reaches_its_target_on_queries_that_did_not_choose_it(items: Floats, queries: Floats) -> None:
    tuned = tune_ivf(items, queries, k=10, target_recall=0.9)
    measured = tuned.measured
    assert (measured.k, measured.num_queries) == (10, 150)
    assert 0.9 <= measured.recall <= 1
    assert measured.recall_p1 <= measured.recall_p5 <= measured.recall
    # The same by other queries still, and without looking at more than a part of the items.
    fresh = clusters(2, 400, items[::100])[:, None]
    answers = tuned.index.search(fresh, 10)
    assert not answers.exact.any()
    assert recall_at_k(answers, ExactIndex(items).search(fresh, 10)).mean() > 0.85
    assert tuned.index.settings["num_probes"] < tuned.index.settings["num_lists"] / 2


def test_tuning_is_the_same_under_a_seed(items: Floats, queries: Floats) -> None:
    first, second = (tune_ivf(items[:2_000], queries[:80], k=5, target_recall=0.8, seed=3) for _ in range(2))
    assert first.index.settings == second.index.settings
    assert first.measured.recall == second.measured.recall


def test_higher_target_probes_more(items: Floats, queries: Floats) -> None:
    low, high = (tune_ivf(items, queries, k=10, target_recall=target).index for target in (0.5, 0.99))
    share = [index.settings["num_probes"] / index.settings["num_lists"] for index in (low, high)]
    assert share[0] < share[1]


def test_measure_stands_beside_exact_search(items: Floats, queries: Floats) -> None:
    measured = tune_ivf(items[:500], queries[:40], k=5, target_recall=0.8).measured
    for speed in (measured.exact, measured.approximate):
        assert 0 < speed.p50_ms <= speed.p99_ms
        assert speed.queries_per_second > 0
    assert measured.build_seconds > 0
    assert measured.times_faster == measured.exact.p50_ms / measured.approximate.p50_ms
    # A product with 500 vectors takes microseconds: no list can be found as fast.
    assert not measured.faster_than_exact
    assert measured.to_json()["faster_than_exact"] is False


def test_loss_to_eight_bits_is_met_by_more_fetched_or_by_no_bytes() -> None:
    # One dimension of 1,000 makes the steps of the others' bytes no finer, but items 0.0001 apart all look the same.
    generator = np.random.default_rng(0)
    items = generator.uniform(0, 1e-4, size=(2_000, 2)).astype(np.float32)
    items[::2, 0] += 1_000
    queries = np.tile(np.array([[0, 1]], np.float32), (40, 1, 1))
    queries[:, 0, 1] += generator.random(40)
    tuned = tune_ivf(items, queries, k=10, target_recall=1.0)
    assert tuned.measured.recall == 1


def test_target_out_of_reach_is_refused_with_the_best_that_was_reached() -> None:
    # 60 items hold no more than 60: to choose 50 of them, 63 would have to be fetched, so that all is searched exactly.
    items = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    wanted = r"No inverted file over these 60 items reaches recall@50 0.9.*the best was 0\.0000\. Lower target_recall"
    with pytest.raises(SettingsError, match=wanted):
        tune_ivf(items, items[:20, None], k=50, target_recall=0.9)


@pytest.mark.parametrize("target", [0, -1, 1.5, float("nan")])
def test_target_that_cannot_be_is_refused(items: Floats, queries: Floats, target: float) -> None:
    with pytest.raises(SettingsError, match="target_recall should be above 0 and at most 1, but it is"):
        tune_ivf(items, queries, k=5, target_recall=target)


def test_too_few_queries_are_refused(items: Floats, queries: Floats) -> None:
    with pytest.raises(SettingsError, match=r"queries should be 16 or more, one half .*but there are 15"):
        tune_ivf(items, queries[:15], k=5, target_recall=0.9)

import importlib
import math

import numpy as np
import pytest
from baseline_worlds import Floats, binary, everyone, random_world
from scorer_conformance import ScorerConformance

import shortlist as sl
from shortlist.baselines import BASELINES, fit_item_knn

MODULE = importlib.import_module("shortlist.baselines.item_knn")
# Users: ann 7 8, bob 7 8, cat 7 9, dan 9.
WORLD = sl.Dataset(
    {"user": ["ann", "ann", "bob", "bob", "cat", "cat", "dan"], "item": [7, 8, 7, 8, 7, 9, 9]},
    query_id="user",
    item_id="item",
)
# 7 has three users, 8 and 9 two each; 7 and 8 share two, 7 and 9 one, 8 and 9 none. With a shrinkage of 1:
NEAR, FAR = 2 / (math.sqrt(6) + 1), 1 / (math.sqrt(6) + 1)


class TestConformance(ScorerConformance):
    name = "item_knn"
    settings = {"neighbors": 3, "shrinkage": 2.0}  # noqa: RUF012


def test_likeness_is_the_shrunk_cosine_of_the_sets_of_users() -> None:
    scores = fit_item_knn(WORLD, neighbors=2, shrinkage=1)(np.arange(4))
    expected = [
        [NEAR, NEAR, FAR],  # ann touched 7 and 8: 8 is like 7, 7 like 8, 9 like 7 alone
        [NEAR, NEAR, FAR],
        [FAR, NEAR, FAR],  # cat touched 7 and 9
        [FAR, 0, 0],  # dan touched 9
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_each_item_of_the_history_counts_for_its_nearest_only() -> None:
    scores = fit_item_knn(WORLD, neighbors=1, shrinkage=1)(np.array([0, 2]))
    # The nearest of 7 is 8, of 8 it is 7, of 9 it is 7.
    np.testing.assert_allclose(scores, [[NEAR, NEAR, 0], [FAR, NEAR, 0]], rtol=1e-6)


def test_items_that_tie_for_the_last_place_are_all_kept() -> None:
    data = sl.Dataset({"u": [1, 1, 2, 2, 3, 3], "i": [7, 8, 7, 9, 7, 6]}, query_id="u", item_id="i")
    history_of_7 = fit_item_knn(data, neighbors=1, shrinkage=0)(np.array([0]))[0]
    # 6, 8 and 9 each share their only user with 7: 1 / sqrt(3).
    np.testing.assert_allclose(history_of_7[[0, 2, 3]], [1 / math.sqrt(3)] * 3, rtol=1e-6)


def reference(data: sl.Dataset, neighbors: int, shrinkage: float) -> Floats:
    matrix = binary(data)
    shared = matrix.T @ matrix
    counts = np.diag(shared)
    alike = np.divide(
        shared, np.sqrt(np.outer(counts, counts)) + shrinkage, out=np.zeros_like(shared), where=shared > 0
    )
    np.fill_diagonal(alike, 0)
    if neighbors < data.num_items:
        alike[alike < np.sort(alike, axis=1)[:, [-neighbors]]] = 0
    scores: Floats = matrix @ alike
    return scores


@pytest.mark.parametrize("pairs", [1, 7, 1 << 24])
@pytest.mark.parametrize("neighbors", [1, 2, 4, 100])
def test_scores_are_those_of_the_plain_formula_in_blocks_of_any_size(
    neighbors: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "BLOCK_PAIRS", pairs)
    for seed in range(10):
        world = random_world(num_users=15, num_items=11, seed=seed)
        known = binary(world).any(axis=1)
        scores = fit_item_knn(world, neighbors=neighbors, shrinkage=3)(everyone(world))
        np.testing.assert_allclose(scores[known], reference(world, neighbors, 3)[known], rtol=1e-6)


def test_settings_are_refused_by_name() -> None:
    with pytest.raises(sl.errors.SettingsError, match="neighbors should be at least 1, but it is 0"):
        fit_item_knn(WORLD, neighbors=0)
    with pytest.raises(sl.errors.SettingsError, match="shrinkage should not be negative, but it is -1"):
        fit_item_knn(WORLD, shrinkage=-1)


def test_too_many_pairs_are_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "MOST_PAIRS", 12)  # three users of two items: 4 each, and one of one
    expected = "needs 13 comparisons of two items that one user touched; the bound is 12"
    assert BASELINES["item_knn"].why_not(WORLD) == expected
    monkeypatch.setattr(MODULE, "MOST_PAIRS", 13)
    assert BASELINES["item_knn"].why_not(WORLD) is None

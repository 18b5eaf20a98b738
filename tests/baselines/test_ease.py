import importlib

import numpy as np
import pytest
from baseline_worlds import Floats, binary, everyone, random_world
from scorer_conformance import ScorerConformance

import shortlist as sl
from shortlist.baselines import BASELINES, fit_ease

MODULE = importlib.import_module("shortlist.baselines.ease")


class TestConformance(ScorerConformance):
    name = "ease"
    settings = {"penalty": 5.0}  # noqa: RUF012


def test_two_items_explain_each_other_by_ridge_regression() -> None:
    # 7 has the users 1, 2 and 3, 8 the users 1 and 2. With a penalty of 1, 8 from 7 weighs 2 / (3 + 1), and 7 from 8
    # weighs 2 / (2 + 1).
    data = sl.Dataset({"u": [1, 1, 2, 2, 3], "i": [7, 8, 7, 8, 7]}, query_id="u", item_id="i")
    scores = fit_ease(data, penalty=1)(np.arange(3))
    np.testing.assert_allclose(scores, [[2 / 3, 1 / 2], [2 / 3, 1 / 2], [0, 1 / 2]], rtol=1e-6)


def reference(data: sl.Dataset, penalty: float) -> Floats:
    """Each item's ridge regression on all the others, one after the other."""
    matrix = binary(data)
    scores = np.empty_like(matrix)
    for item in range(data.num_items):
        others = np.delete(matrix, item, axis=1)
        gram = others.T @ others + penalty * np.eye(data.num_items - 1)
        scores[:, item] = others @ np.linalg.solve(gram, others.T @ matrix[:, item])
    return scores


@pytest.mark.parametrize("block", [1, 4, 1_024])
def test_scores_are_those_of_a_regression_for_each_item_in_blocks_of_any_size(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MODULE, "BLOCK", block)
    for seed in range(10):
        world = random_world(num_users=15, num_items=11, seed=seed)
        known = binary(world).any(axis=1)
        scores = fit_ease(world, penalty=0.7)(everyone(world))
        np.testing.assert_allclose(scores[known], reference(world, 0.7)[known], rtol=1e-5, atol=1e-7)


def test_items_that_nobody_touched_score_zero() -> None:
    world = random_world()
    known = binary(world).any(axis=1)
    assert not fit_ease(world)(everyone(world))[known][:, -1].any()


def test_settings_are_refused_by_name() -> None:
    for penalty in (0, -1, float("nan")):
        with pytest.raises(sl.errors.SettingsError, match=f"penalty should be greater than 0, but it is {penalty}"):
            fit_ease(random_world(), penalty=penalty)


def test_a_matrix_without_an_inverse_asks_for_a_larger_penalty() -> None:
    # 1 + 1e-300 is 1: the two items cannot be told apart.
    data = sl.Dataset({"u": [1, 1], "i": [7, 8]}, query_id="u", item_id="i")
    with pytest.raises(sl.errors.DivergedError, match="no inverse in float64 with a penalty of 1e-300; raise"):
        fit_ease(data, penalty=1e-300)


def test_a_large_catalogue_is_refused_before_any_work() -> None:
    def catalogue(num_items: int) -> sl.Dataset:
        return sl.Dataset({"u": [1], "i": [0]}, items={"i": np.arange(num_items)}, query_id="u", item_id="i")

    expected = "needs 13.4 GB for the 40,981 × 40,981 matrix; the bound is 4 GB"
    assert BASELINES["ease"].why_not(catalogue(40_981)) == expected
    assert BASELINES["ease"].why_not(catalogue(22_360)) is None  # 8 x 22,360^2 bytes are 3.9997 GB

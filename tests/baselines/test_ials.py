import importlib

import numpy as np
import pytest
from baseline_worlds import Floats, binary, everyone, random_world, weighted
from scipy import sparse
from scorer_conformance import ScorerConformance

import shortlist as sl
from shortlist.baselines import BASELINES, fit_ials
from shortlist.baselines.history import touched_weights

MODULE = importlib.import_module("shortlist.baselines.ials")


class TestConformance(ScorerConformance):
    name = "ials"
    settings = {"width": 2, "alpha": 2.0, "penalty": 0.5, "seed": 3}  # noqa: RUF012
    order_of_items_is_free = False  # each item's first vector is drawn by its row


def test_one_user_and_one_item_settle_where_the_derivative_is_zero() -> None:
    # Both vectors come to the same x with c (1 - x^2) x = penalty x, c = 1 + alpha r: the score is 1 - penalty / c.
    def score(weight: float, alpha: float) -> float:
        data = sl.Dataset({"u": [1], "i": [7], "w": [weight]}, query_id="u", item_id="i", weight="w")
        return float(fit_ials(data, width=1, alpha=alpha, penalty=0.5)(np.array([0]))[0, 0])

    assert score(weight=1, alpha=1) == pytest.approx(1 - 0.5 / 2, abs=1e-4)
    assert score(weight=3, alpha=1) == pytest.approx(1 - 0.5 / 4, abs=1e-4)
    assert score(weight=3, alpha=0) == pytest.approx(1 - 0.5 / 1, abs=1e-4)


def test_a_users_second_event_with_an_item_counts() -> None:
    def score(times: int) -> float:
        data = sl.Dataset({"u": [1] * times, "i": [7] * times}, query_id="u", item_id="i")
        return float(fit_ials(data, width=1, penalty=0.5)(np.array([0]))[0, 0])

    assert score(2) == pytest.approx(1 - 0.5 / 3, abs=1e-4)


def solve(matrix: Floats, vectors: Floats, alpha: float, penalty: float) -> Floats:
    """The best vector for each row of weights [R, M], given those of the columns [M, D]."""
    solved = np.empty((len(matrix), vectors.shape[1]))
    for row, weights in enumerate(matrix):
        confidence = 1 + alpha * weights
        gram = vectors.T @ (confidence[:, None] * vectors) + penalty * np.eye(vectors.shape[1])
        solved[row] = np.linalg.solve(gram, vectors.T @ (confidence * (weights > 0)))
    return solved


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_plain_alternating_least_squares(seed: int) -> None:
    # Three steps of conjugate gradients are exact up to a width of 3.
    world = random_world(seed=seed)
    matrix = weighted(world)
    items = np.random.default_rng(4).random((world.num_items, 2)) * 0.01
    users: Floats = np.empty(0)
    for _ in range(MODULE.EPOCHS):
        users = solve(matrix, items, alpha=2, penalty=0.5)
        items = solve(matrix.T, users, alpha=2, penalty=0.5)
    known = binary(world).any(axis=1)
    scores = fit_ials(world, width=2, alpha=2, penalty=0.5, seed=4)(everyone(world))
    np.testing.assert_allclose(scores[known], (users @ items.T)[known], rtol=1e-5, atol=1e-7)


def test_the_last_pass_is_exact_at_any_width() -> None:
    world = random_world(num_users=40, num_items=30)
    confidence = touched_weights(world)
    confidence.data = 1 + 3 * confidence.data
    users, items = MODULE._vectors(confidence, 16, 0.5, 0)
    np.testing.assert_allclose(items, solve(weighted(world).T, users, alpha=3, penalty=0.5), rtol=1e-5, atol=1e-7)


def test_items_that_nobody_touched_score_zero() -> None:
    world = random_world()
    known = binary(world).any(axis=1)
    assert not fit_ials(world, width=4)(everyone(world))[known][:, -1].any()


def test_another_seed_draws_other_vectors() -> None:
    world = random_world()
    one, other = (fit_ials(world, width=2, seed=seed)(everyone(world)) for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_settings_are_refused_by_name() -> None:
    world = random_world()
    with pytest.raises(sl.errors.SettingsError, match="width should be at least 1, but it is 0"):
        fit_ials(world, width=0)
    with pytest.raises(sl.errors.SettingsError, match="alpha should not be negative, but it is -2"):
        fit_ials(world, alpha=-2)
    with pytest.raises(sl.errors.SettingsError, match="penalty should be greater than 0, but it is 0"):
        fit_ials(world, penalty=0)


@pytest.mark.parametrize("alpha", [1.0, 100.0])
def test_weights_too_high_for_the_penalty_are_an_error_with_a_next_step(alpha: float) -> None:
    data = sl.Dataset({"u": [1, 2, 2], "i": [7, 7, 8], "w": [1e38, 1e38, 1e38]}, query_id="u", item_id="i", weight="w")
    expected = r"no vectors for confidences of up to 1e\+\d\d with a penalty of 10; lower alpha or the events' weights"
    with pytest.raises(sl.errors.DivergedError, match=expected):
        fit_ials(data, alpha=alpha)


def test_weights_of_millions_are_solved() -> None:
    data = sl.Dataset({"u": [1, 2, 2], "i": [7, 7, 8], "w": [1e7, 1.0, 3e6]}, query_id="u", item_id="i", weight="w")
    assert fit_ials(data, width=2, alpha=10)(np.array([0, 1]))[[0, 1, 1], [0, 0, 1]] == pytest.approx(1, abs=0.01)


def test_too_much_work_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sl.Dataset({"u": [1, 1], "i": [7, 8]}, query_id="u", item_id="i")
    # 14 epochs of 3 + 1 products: 4 x 4 pairs x 128 + 2 x 3 rows x 128^2; and 4 pairs x 128^2 + 3 rows x 128^3 / 3.
    operations = 14 * 4 * (4 * 4 * 128 + 2 * 3 * 128**2) + 4 * 128**2 + 128**3
    monkeypatch.setattr(MODULE, "MOST_OPERATIONS", operations)
    assert BASELINES["ials"].why_not(data) is None
    monkeypatch.setattr(MODULE, "MOST_OPERATIONS", operations - 1)
    assert BASELINES["ials"].why_not(data) == "needs about 8e+06 multiplications; the bound is 8e+06"


def test_a_strangers_vector_minimises_the_objective_over_fixed_items() -> None:
    generator = np.random.default_rng(0)
    items = generator.normal(size=(6, 3))
    confidence, wanted = np.ones(6), np.zeros(6)
    confidence[[1, 4]], wanted[[1, 4]] = [3.0, 7.5], 1.0
    row = sparse.csr_array((confidence[[1, 4]], [1, 4], [0, 2]), shape=(1, 6))
    weighed = items.T * confidence  # the normal equations with every pair written out
    expected = np.linalg.solve(weighed @ items + 0.4 * np.eye(3), weighed @ wanted)
    np.testing.assert_allclose(MODULE._fold_in(row, items, 0.4), expected)

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from shortlist.comparison import compare, differences, peak_memory
from shortlist.comparison.differences import holm
from shortlist.comparison.memory import reset_peak_memory
from shortlist.data.seen import Seen
from shortlist.errors import SettingsError
from shortlist.evaluation import Evaluation, Targets
from shortlist.metrics import Ranks
from shortlist.settings import Protocol, load_preset


def _hits(hits: list[bool] | npt.NDArray[np.bool_]) -> Evaluation:
    """One target a user: on top where it is a hit, else at the bottom of a hundred items."""
    rows = np.arange(len(hits))
    targets = Targets(rows, rows, rows, absent=0, repeated=0)
    ranks = Ranks(np.where(hits, 0, 99), np.zeros(len(rows), np.int64))
    seen = Seen(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int64))
    return Evaluation("model", Protocol(ks=(1,)), targets, ranks, num_items=100, seen=seen)


def _evaluation(hit_rate: float, seed: int, users: int = 200) -> Evaluation:
    """So many users have a hit as the rate says, others with each seed."""
    return _hits(np.random.default_rng(seed).random(users) < hit_rate)


def test_a_large_difference_over_three_seeds_is_real() -> None:
    runs = {"a": [_evaluation(0.9, seed) for seed in range(3)], "b": [_evaluation(0.2, seed) for seed in range(3, 6)]}
    (found,) = differences(runs, "top_1_accuracy")
    assert found.real is True
    values = [[run.value("top_1_accuracy") for run in runs[name]] for name in "ab"]
    assert found.p_seeds == pytest.approx(stats.ttest_ind(*values, equal_var=False).pvalue)
    assert str(found).endswith(": real")


def test_under_three_seeds_no_difference_is_called_real() -> None:
    runs = {"a": [_evaluation(0.9, seed) for seed in range(2)], "b": [_evaluation(0.2, seed) for seed in range(3, 6)]}
    (found,) = differences(runs, "top_1_accuracy")
    assert (found.real, found.p_seeds) == (None, None)
    assert "fewer than 3 seeds, so no difference is called real" in str(found)


def test_equal_models_do_not_differ() -> None:
    runs = {name: [_evaluation(0.5, 1)] * 3 for name in "ab"}
    (found,) = differences(runs, "top_1_accuracy")
    assert (found.difference, found.p_seeds, found.real) == (0.0, 1.0, False)


def test_the_p_values_of_three_pairs_are_adjusted_for_their_number() -> None:
    rates = {"a": 0.5, "b": 0.55, "c": 0.8}
    runs = {name: [_evaluation(rate, 10 * place + seed) for seed in range(3)]
            for place, (name, rate) in enumerate(rates.items())}  # fmt: skip
    means = {name: [run.value("top_1_accuracy") for run in seeds] for name, seeds in runs.items()}
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    raw = [float(stats.ttest_ind(means[a], means[b], equal_var=False).pvalue) for a, b in pairs]
    smallest, middle, largest = sorted(raw)
    assert largest == raw[0] < 1 / 2
    # Holm: the smallest times 3, the next times 2, the last as it is, and none less than the one before.
    adjusted = {smallest: 3 * smallest, middle: max(3 * smallest, 2 * middle), largest: max(2 * middle, largest)}
    found = differences(runs, "top_1_accuracy")
    assert [(one.first, one.second) for one in found] == pairs
    assert [one.p_seeds for one in found] == pytest.approx([adjusted[p_value] for p_value in raw])


def test_seeds_that_agree_are_not_enough_where_users_do_not() -> None:
    # Eleven or twelve of twenty users prefer a, the others b: at least 0.1 between the means, and ±0.44 over users.
    for_a = [[user < likers for user in range(20)] for likers in (11, 12, 12)]
    runs = {"a": [_hits(hits) for hits in for_a], "b": [_hits([not hit for hit in hits]) for hits in for_a]}
    (found,) = differences(runs, "top_1_accuracy")
    assert found.difference == pytest.approx(1 / 6)
    assert found.p_seeds is not None
    assert found.p_seeds < 0.01
    assert found.users_low is not None
    assert found.users_high is not None
    assert found.users_low < 0 < found.users_high
    assert found.real is False
    assert str(found).endswith("): not called real")


def test_seeds_that_do_not_vary_say_nothing_of_the_noise() -> None:
    # 106 against 100 hits of 200, three times each: nothing tells how far a fourth seed would lie.
    a, b = _hits([user < 106 for user in range(200)]), _hits([user < 100 for user in range(200)])
    (found,) = differences({"a": [a] * 3, "b": [b] * 3}, "top_1_accuracy")
    assert (found.p_seeds, found.real) == (1.0, False)


def test_users_that_agree_are_not_enough_where_seeds_do_not() -> None:
    # Of three seeds, two of a hit for everyone and one of b does: 2/3 against 1/3 for each user alike.
    everyone, nobody = _hits([True] * 20), _hits([False] * 20)
    (found,) = differences({"a": [everyone, everyone, nobody], "b": [nobody, nobody, everyone]}, "top_1_accuracy")
    assert (found.users_low, found.users_high) == pytest.approx((1 / 3, 1 / 3))
    # Welch: t = (1/3) / √(1/9 + 1/9) with 4 degrees of freedom.
    assert found.p_seeds == pytest.approx(2 * stats.t.sf(0.5**0.5, 4))
    assert found.real is False


def test_under_twenty_users_no_difference_is_called_real() -> None:
    runs = {"a": [_hits([True] * 19)] * 3, "b": [_hits([False] * 19)] * 3}
    (found,) = differences(runs, "top_1_accuracy")
    assert (found.users_low, found.users_high, found.p_seeds, found.real) == (None, None, 1.0, None)
    assert str(found) == (
        "a − b: +1.000 (p over seeds 1.000): unknown: fewer than 20 users, so no difference is called real"
    )
    assert found.to_json()["real"] is None


def test_holm_adjusts_by_the_number_of_pairs() -> None:
    assert holm([0.5]) == [0.5]
    assert holm([0.01, 0.01, 0.9]) == pytest.approx([0.03, 0.03, 0.9])
    assert holm([]) == []


def test_peak_memory_is_at_least_what_was_just_held() -> None:
    held = np.ones(50_000_000 // 8)
    assert peak_memory() > held.nbytes / 2**20


def test_a_reset_forgets_what_is_held_no_more() -> None:
    held = np.ones(200 * 2**20 // 8)
    before = peak_memory()
    del held
    if not reset_peak_memory():
        pytest.skip("this system cannot reset the peak memory")
    assert peak_memory() < before - 150


@pytest.mark.parametrize(("layers", "seeds"), [([], [1]), ([[8]], []), ([[8], [8]], [1]), ([[8]], [1, 1])])
def test_depths_and_seeds_are_wanted_once_each(layers: list[list[int]], seeds: list[int]) -> None:
    with pytest.raises(SettingsError, match=r"compare wants at least one (layers|seed) and each once"):
        compare(load_preset("tutorial"), layers, seeds)

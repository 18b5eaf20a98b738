import numpy as np
import pytest
from scipy import stats

from shortlist.comparison import compare, differences, peak_memory
from shortlist.comparison.differences import holm
from shortlist.errors import SettingsError
from shortlist.evaluation import Evaluation, Targets
from shortlist.metrics import Ranks
from shortlist.settings import Protocol, load_preset


def _evaluation(hit_rate: float, seed: int, users: int = 200) -> Evaluation:
    """One target a user; the first users' items stand on top, as many as the rate says, others at the bottom."""
    hits = np.random.default_rng(seed).random(users) < hit_rate
    rows = np.arange(users)
    targets = Targets(rows, rows, rows, absent=0, repeated=0)
    ranks = Ranks(np.where(hits, 0, 99), np.zeros(users, np.int64))
    return Evaluation("model", Protocol(ks=(1,)), targets, ranks, num_items=100, seen_targets=0)


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


def test_holm_adjusts_by_the_number_of_pairs() -> None:
    assert holm([0.5]) == [0.5]
    assert holm([0.01, 0.01, 0.9]) == pytest.approx([0.03, 0.03, 0.9])
    assert holm([]) == []


def test_peak_memory_is_at_least_what_was_just_held() -> None:
    held = np.ones(50_000_000 // 8)
    assert peak_memory() > held.nbytes / 2**20


@pytest.mark.parametrize(("layers", "seeds"), [([], [1]), ([[8]], []), ([[8], [8]], [1]), ([[8]], [1, 1])])
def test_depths_and_seeds_are_wanted_once_each(layers: list[list[int]], seeds: list[int]) -> None:
    with pytest.raises(SettingsError, match=r"compare wants at least one (layers|seed) and each once"):
        compare(load_preset("tutorial"), layers, seeds)

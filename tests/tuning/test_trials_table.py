"""What made the difference, on studies whose answer is known."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

from shortlist.tuning.table import MIN_FINISHED, best_place, importance

DRAWN = {"rate": FloatDistribution(0.0, 1.0), "depth": CategoricalDistribution(("[8]", "[16, 8]"))}


def study(finished: int) -> optuna.Study:
    """The value is the rate; the depth alternates and has nothing to do with it."""
    made = optuna.create_study(direction="maximize")
    for n in range(finished):
        rate = (n * 7 % finished) / finished
        params = {"rate": rate, "depth": ("[8]", "[16, 8]")[n % 2]}
        made.add_trial(create_trial(params=params, distributions=DRAWN, value=rate))
    return made


def test_what_decides_has_most_of_the_importance() -> None:
    shares = importance(study(40))
    assert list(shares) == ["rate", "depth"]
    assert shares["rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_few_trials_say_nothing_of_single_settings() -> None:
    assert importance(study(MIN_FINISHED - 1)) == {}
    assert importance(study(MIN_FINISHED)) != {}


def test_the_first_of_equal_trials_is_the_best() -> None:
    made = study(4)  # rates 0, 3/4, 2/4, 1/4
    made.add_trial(create_trial(params={}, distributions={}, value=0.75))
    made.add_trial(create_trial(state=optuna.trial.TrialState.FAIL))
    assert best_place(made.trials) == 1
    assert best_place([]) is None

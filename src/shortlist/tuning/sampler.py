"""How trials draw their values."""

from collections.abc import Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from shortlist.tuning.study import place_of

__all__ = ["SampledByPlace"]


class SampledByPlace(BaseSampler):
    """Tree-structured Parzen estimators, their randomness seeded anew for each trial by its place in the search.

    A search that was cut off and goes on therefore draws what it would have drawn. Source: Watanabe 2023,
    https://arxiv.org/abs/2304.11127.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawing = TPESampler(seed=seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._drawing = TPESampler(seed=(self._seed + place_of(study, trial.number)) % 2**32)
        self._drawing.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._drawing.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._drawing.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._drawing.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._drawing.after_trial(study, trial, state, values)

"""Whether a model beats a baseline, by how much, and how sure that is."""

import dataclasses

import numpy as np
import numpy.typing as npt

from shortlist.errors import DataError
from shortlist.evaluation.evaluate import Evaluation

__all__ = ["Verdict", "bootstrap_interval", "compare_to"]

RESAMPLES = 2_000


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A model beside a baseline in one metric, with the 95 % interval of the difference over users."""

    metric: str
    model: str
    baseline: str
    model_value: float
    baseline_value: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.model_value - self.baseline_value

    @property
    def beats(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0

    def __str__(self) -> str:
        if self.beats:
            says = f"{self.model} beats {self.baseline}"
        elif self.high < 0:
            says = f"{self.model} is worse than {self.baseline}"
        else:
            says = f"{self.model} cannot be told from {self.baseline}"
        metric = self.metric.replace("_", " ")
        return (
            f"{says}: {metric} {self.model_value:.3f} against {self.baseline_value:.3f}, "
            f"a difference of {self.difference:+.3f} (95 % interval over users {self.low:+.3f} to {self.high:+.3f})."
        )


def compare_to(baseline: Evaluation, model: Evaluation) -> Verdict:
    """The verdict on the protocol's decisive metric; both must have ranked the same targets."""
    if not np.array_equal(baseline.targets.event_rows, model.targets.event_rows) or (
        baseline.protocol != model.protocol
    ):
        raise DataError("A verdict needs two evaluations of the same targets under the same protocol.")
    metric = model.protocol.decisive
    difference = model.gains(metric) - baseline.gains(metric)
    low, high = bootstrap_interval(difference, model.targets.by_user[0])
    return Verdict(
        metric, model.name, baseline.name, model.value(metric), baseline.value(metric), float(low), float(high)
    )


def bootstrap_interval(
    values: npt.NDArray[np.float64], user: npt.NDArray[np.int64], *, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of `values` [E], drawing whole users again and again.

    `user` [E] numbers the users 0, 1, …; a user's rows are drawn together, since they are not independent of
    each other (Efron and Tibshirani 1993, chapter 8). 2,000 seeded resamples.

    >>> low, high = bootstrap_interval(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
    >>> low, high
    (0.0, 1.0)
    """
    sums, sizes = np.bincount(user, values), np.bincount(user).astype(np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        drawn = np.bincount(generator.integers(len(sums), size=len(sums)), minlength=len(sums))
        means[resample] = (drawn @ sums) / (drawn @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)

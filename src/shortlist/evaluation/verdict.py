"""Whether a model beats a baseline, by how much, and how sure that is."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shortlist.errors import DataError
from shortlist.evaluation.evaluate import Evaluation

__all__ = ["MIN_USERS", "Verdict", "bootstrap_interval", "compare_to", "mean_samples", "verdict_of"]

RESAMPLES = 2_000
# Of fewer users a bootstrap says too little: its interval is too narrow, down to a single point for one user.
MIN_USERS = 20
# Of more users the bootstrap costs much and says the same as the normal interval.
MAX_RESAMPLED = 10_000


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A model beside a baseline in one metric, with the 95 % interval of the difference over users.

    Under 20 users there is no interval (`low` and `high` are None), and neither is called better.
    """

    metric: str
    model: str
    baseline: str
    model_value: float
    baseline_value: float
    low: float | None
    high: float | None

    @property
    def difference(self) -> float:
        return self.model_value - self.baseline_value

    @property
    def beats(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low is not None and self.low > 0

    def __str__(self) -> str:
        if self.beats:
            says = f"{self.model} beats {self.baseline}"
        elif self.high is not None and self.high < 0:
            says = f"{self.model} is worse than {self.baseline}"
        else:
            says = f"{self.model} cannot be told from {self.baseline}"
        metric = self.metric.replace("_", " ")
        # Small values, as a catalogue of millions gives them, need more digits to differ at all.
        digits = 3 if max(self.model_value, self.baseline_value) >= 0.02 else 5
        interval = f"no interval: fewer than {MIN_USERS} users"
        if self.low is not None:
            interval = f"95 % interval over users {self.low:+.{digits}f} to {self.high:+.{digits}f}"
        return (
            f"{says}: {metric} {self.model_value:.{digits}f} against {self.baseline_value:.{digits}f}, "
            f"a difference of {self.difference:+.{digits}f} ({interval})."
        )


def compare_to(baseline: Evaluation, model: Evaluation) -> Verdict:
    """The verdict on the protocol's decisive metric; both must have ranked the same targets."""
    return verdict_of([model], baseline, model.name)


def verdict_of(seeds: Sequence[Evaluation], baseline: Evaluation, name: str) -> Verdict:
    """The verdict on a model of that name, averaged over the evaluations of its seeds."""
    _refuse_others([baseline, *seeds])
    metric = baseline.decisive
    values, user = mean_samples(seeds, metric)
    beside, _ = baseline.samples(metric)
    interval = bootstrap_interval(values - beside, user)
    low, high = interval or (None, None)
    return Verdict(metric, name, baseline.name, float(values.mean()), float(beside.mean()), low, high)


def mean_samples(seeds: Sequence[Evaluation], metric: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """A metric's samples [M] averaged over evaluations of the same targets, and each one's user [M]."""
    _refuse_others(seeds)
    return np.mean([seed.samples(metric)[0] for seed in seeds], axis=0), seeds[0].samples(metric)[1]


def _refuse_others(evaluations: Sequence[Evaluation]) -> None:
    first = evaluations[0]
    for other in evaluations[1:]:
        same = np.array_equal(first.targets.event_rows, other.targets.event_rows)
        if not same or first.protocol != other.protocol:
            raise DataError("A verdict needs evaluations of the same targets under the same protocol.")


def bootstrap_interval(
    values: npt.NDArray[np.float64], user: npt.NDArray[np.int64], *, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean of `values` [M], drawing whole users again and again.

    `user` [M] numbers the users 0, 1, …; a user's rows are drawn together, since they are not independent of
    each other (Efron and Tibshirani 1993, chapter 8). 2,000 seeded resamples; None under 20 users. Above 10,000 users
    the normal interval of the ratio of two sums, which the bootstrap's comes to then.

    >>> low, high = bootstrap_interval(np.repeat([1.0, 0.0], 50), np.arange(100))
    >>> round(low, 2), round(high, 2)
    (0.4, 0.6)
    >>> bootstrap_interval(np.array([1.0, 0.0]), np.array([0, 1])) is None
    True
    """
    if user.max() + 1 < MIN_USERS:
        return None
    sums, sizes = np.bincount(user, values), np.bincount(user).astype(np.float64)
    if len(sums) > MAX_RESAMPLED:
        mean = sums.sum() / sizes.sum()
        spread = 1.959964 * np.sqrt(((sums - mean * sizes) ** 2).sum()) / sizes.sum()
        return float(mean - spread), float(mean + spread)
    means = np.concatenate([(drawn @ sums) / (drawn @ sizes) for drawn in np.array_split(_draws(len(sums), seed), 10)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@functools.lru_cache(maxsize=4)
def _draws(num_users: int, seed: int) -> npt.NDArray[np.uint8]:
    """How often each resample draws each user [2,000, U]; the same for every metric."""
    generator = np.random.default_rng(seed)
    draws = np.empty((RESAMPLES, num_users), np.uint8)
    for resample in range(RESAMPLES):
        draws[resample] = np.bincount(generator.integers(num_users, size=num_users), minlength=num_users)
    return draws

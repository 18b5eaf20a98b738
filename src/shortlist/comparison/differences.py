"""Which differences between models are real: larger than the noise of training and of who happens to be tested."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.evaluation import MIN_USERS, Evaluation, bootstrap_interval, mean_samples

__all__ = ["MIN_SEEDS", "Difference", "differences"]

# Below three seeds the run-to-run noise is unknown, and no difference is called real.
MIN_SEEDS = 3
SURE = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
    """Two models' means over seeds, `first` minus `second`.

    `users_low` and `users_high` bound the difference over users (95 %; None under 20 users). `p_seeds` is Welch's
    test between the two models' seeds, adjusted by Holm for the number of pairs; None under three seeds. `real`
    says whether both agree that the difference is not zero; None where that is unknown.
    """

    first: str
    second: str
    difference: float
    users_low: float | None
    users_high: float | None
    p_seeds: float | None

    @property
    def real(self) -> bool | None:
        if self.p_seeds is None or self.users_low is None or self.users_high is None:
            return None
        return self.p_seeds < SURE and (self.users_low > 0 or self.users_high < 0)

    def __str__(self) -> str:
        few = f"{MIN_SEEDS} seeds" if self.p_seeds is None else f"{MIN_USERS} users"
        says = {
            None: f"unknown: fewer than {few}, so no difference is called real",
            True: "real",
            False: "not called real",
        }[self.real]
        known = []
        if self.users_low is not None:
            known.append(f"users {self.users_low:+.3f} to {self.users_high:+.3f}")
        if self.p_seeds is not None:
            known.append(f"p over seeds {self.p_seeds:.3f}")
        evidence = f" ({', '.join(known)})" if known else ""
        return f"{self.first} − {self.second}: {self.difference:+.3f}{evidence}: {says}"

    def to_json(self) -> dict[str, Any]:
        """The difference as plain JSON values."""
        return {**dataclasses.asdict(self), "real": self.real}


def differences(runs: Mapping[str, Sequence[Evaluation]], metric: str) -> list[Difference]:
    """Every pair of models, each given as the evaluations of its seeds on the same targets."""
    values = {name: np.array([run.value(metric) for run in seeds]) for name, seeds in runs.items()}
    samples = {name: mean_samples(seeds, metric) for name, seeds in runs.items()}
    pairs = list(itertools.combinations(runs, 2))
    enough = [min(len(runs[a]), len(runs[b])) >= MIN_SEEDS for a, b in pairs]
    p_values: list[float | None] = [None] * len(pairs)
    testable = [place for place, ok in enumerate(enough) if ok]
    raw = [_welch(values[pairs[place][0]], values[pairs[place][1]]) for place in testable]
    for place, adjusted in zip(testable, holm(raw), strict=True):
        p_values[place] = adjusted
    found = []
    for (first, second), p_value in zip(pairs, p_values, strict=True):
        low, high = bootstrap_interval(samples[first][0] - samples[second][0], samples[first][1]) or (None, None)
        mean = float(values[first].mean() - values[second].mean())
        found.append(Difference(first, second, mean, low, high, p_value))
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number by Holm's step-down (1979).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min((len(p_values) - rank) * p_values[place], 1.0))
        adjusted[place] = highest
    return [float(p_value) for p_value in adjusted]


def _welch(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """The two-sided p-value of Welch's t-test; 1 where neither varies, for then nothing is known of the noise."""
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 1.0
    from scipy import stats  # a second and 60 MB, for those who have several seeds to compare

    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)

"""A model's evaluation with the baselines beside it: no number of ours stands alone."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.shortfall import Shortfall, find_shortfall
from shortlist.evaluation.slices import Slice
from shortlist.evaluation.verdict import Verdict, bootstrap_interval, compare_to, mean_samples, verdict_of

__all__ = ["Assessment", "Beside", "SliceResult", "slice_result"]


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """The decisive metric on one slice, of the model and of the baseline that is best there.

    `low` and `high` bound the model's value over users (95 %; None under 20 users), and the verdict the difference.
    """

    group: str
    name: str
    targets: int
    users: int
    value: float
    low: float | None
    high: float | None
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """The slice as plain JSON values."""
        verdict = self.verdict
        return {
            **{key: value for key, value in dataclasses.asdict(self).items() if key != "verdict"},
            "baseline": verdict.baseline,
            "baseline_value": verdict.baseline_value,
            "difference": verdict.difference,
            "difference_low": verdict.low,
            "difference_high": verdict.high,
        }


@dataclasses.dataclass(frozen=True)
class Beside:
    """What stands beside a model: baselines by name, and why others are not there.

    `settings` are those that a search chose, and `not_searched` says why there was none for a baseline.
    """

    baselines: dict[str, Evaluation]
    not_computed: dict[str, str] = dataclasses.field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    not_searched: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values, the baselines as their metrics."""
        return {
            "baselines": {name: baseline.metrics for name, baseline in self.baselines.items()},
            "not_computed": self.not_computed,
            "baseline_settings": self.settings,
            "not_searched": self.not_searched,
        }


@dataclasses.dataclass(frozen=True)
class Assessment:
    """One model and the baselines, ranked on the same targets under the same protocol; `parts` are the slices."""

    model: Evaluation
    beside: Beside
    parts: Sequence[Slice] = ()

    @property
    def baselines(self) -> dict[str, Evaluation]:
        """The baselines by name."""
        return self.beside.baselines

    @property
    def metrics(self) -> dict[str, float]:
        """The model's metrics by their full names."""
        return self.model.metrics

    @functools.cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """The model against each baseline."""
        return {name: compare_to(baseline, self.model) for name, baseline in self.baselines.items()}

    @property
    def verdict(self) -> Verdict:
        """The model against the best baseline, in the protocol's decisive metric."""
        return _best(self.verdicts)

    @functools.cached_property
    def shortfall(self) -> Shortfall | None:
        """Where the model falls behind the best baseline, if it is worse and one part of the targets says why."""
        verdict = self.verdict
        if verdict.high is None or verdict.high >= 0:
            return None
        return find_shortfall(self.model, self.baselines[verdict.baseline], self.parts)

    @functools.cached_property
    def intervals(self) -> dict[str, tuple[float, float] | None]:
        """The 95 % interval over users of each of the model's metrics that is a mean, None under 20 users."""
        model = self.model
        names = model.protocol.metrics
        return {model.protocol.name(name): bootstrap_interval(*model.samples(name)) for name in names}

    @functools.cached_property
    def slices(self) -> list[SliceResult]:
        """The decisive metric on each part of the targets."""
        return [slice_result(part, [self.model], self.baselines, self.model.name) for part in self.parts]

    def to_json(self) -> dict[str, Any]:
        """Metrics, intervals, counts, baselines, slices and verdicts as plain JSON values."""
        return {
            "metrics": self.metrics,
            "intervals": self.intervals,
            "decisive": self.model.protocol.name(self.model.decisive),
            **self.beside.to_json(),
            "counts": self.model.counts,
            "slices": [part.to_json() for part in self.slices],
            "verdict": str(self.verdict),
            "shortfall": None if self.shortfall is None else str(self.shortfall),
            "verdicts": {
                name: {
                    "says": str(verdict),
                    "difference": verdict.difference,
                    "low": verdict.low,
                    "high": verdict.high,
                }
                for name, verdict in self.verdicts.items()
            },
        }


def slice_result(
    part: Slice, seeds: Sequence[Evaluation], baselines: Mapping[str, Evaluation], name: str
) -> SliceResult:
    """The decisive metric on one slice, of a model averaged over the evaluations of its seeds."""
    metric = seeds[0].decisive
    models = [seed.only(part.mask) for seed in seeds]
    beside = {key: verdict_of(models, baseline.only(part.mask), name) for key, baseline in baselines.items()}
    values, user = mean_samples(models, metric)
    low, high = bootstrap_interval(values, user) or (None, None)
    targets, users = len(models[0].targets), models[0].num_users
    return SliceResult(part.group, part.name, targets, users, float(values.mean()), low, high, _best(beside))


def _best(verdicts: dict[str, Verdict]) -> Verdict:
    return max(verdicts.values(), key=lambda verdict: verdict.baseline_value)

"""A model's evaluation with the baselines beside it: no number of ours stands alone."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from shortlist.baselines import popularity
from shortlist.data import Dataset, Split
from shortlist.data.seen import Seen
from shortlist.evaluation.evaluate import Evaluation, Targets, evaluate, popularity_vectors
from shortlist.evaluation.ranking import QueryEncoder
from shortlist.evaluation.verdict import Verdict, compare_to
from shortlist.settings.evaluation import Baseline, Protocol

__all__ = ["Assessment", "assess", "evaluate_baselines"]

# Every baseline that a protocol can name, as vectors whose dot products are its scores.
BASELINES: dict[Baseline, Callable[[Dataset], tuple[QueryEncoder, Any]]] = {
    "popularity": lambda train: popularity_vectors(popularity(train)),
}


@dataclasses.dataclass(frozen=True)
class Assessment:
    """One model and the baselines, ranked on the same targets under the same protocol."""

    model: Evaluation
    baselines: dict[str, Evaluation]

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
        verdicts = self.verdicts.values()
        return max(verdicts, key=lambda verdict: verdict.baseline_value)

    def to_json(self) -> dict[str, Any]:
        """Metrics, counts, baselines and verdicts as plain JSON values."""
        return {
            "metrics": self.metrics,
            "baselines": {name: baseline.metrics for name, baseline in self.baselines.items()},
            "counts": self.model.counts,
            "verdict": str(self.verdict),
            "verdicts": {
                name: {"difference": verdict.difference, "low": verdict.low, "high": verdict.high}
                for name, verdict in self.verdicts.items()
            },
        }


def evaluate_baselines(train: Dataset, targets: Targets, protocol: Protocol, seen: Seen) -> dict[str, Evaluation]:
    """The protocol's baselines, computed from the training events alone."""
    evaluations: dict[str, Evaluation] = {}
    for name in protocol.baselines:
        queries, items = BASELINES[name](train)
        evaluations[name] = evaluate(queries, items, targets, protocol=protocol, seen=seen, name=name, alarm=False)
    return evaluations


def assess(
    encode_queries: QueryEncoder, item_vectors: Any, *, split: Split, targets: Targets, seen: Seen, protocol: Protocol
) -> Assessment:
    """Rank the targets by the model and by the baselines; `seen` is what users had touched before."""
    model = evaluate(encode_queries, item_vectors, targets, protocol=protocol, seen=seen, name="the model")
    return Assessment(model, evaluate_baselines(split.train, targets, protocol, seen))

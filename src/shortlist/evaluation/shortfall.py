"""Why a model stays behind a baseline: the part of the targets that most of the difference comes from."""

import dataclasses
from collections.abc import Sequence

from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.slices import Slice
from shortlist.settings.evaluation import parse_metric

__all__ = ["Shortfall", "find_shortfall"]

# A slice explains a difference where its part of it exceeds its part of the targets by this much of the difference.
EXCESS = 0.25


@dataclasses.dataclass(frozen=True)
class Shortfall:
    """A slice on which the model is far behind: `of_difference` is what this adds to the `difference` over all targets.

    `share` of the targets stand in the slice; `value` and `baseline_value` are the metric there.
    """

    name: str
    share: float
    value: float
    baseline_value: float
    of_difference: float
    difference: float

    def __str__(self) -> str:
        return (
            f'It lacks {self.difference:.3f} in all, {self.of_difference:.3f} on the slice "{self.name}" '
            f"({100 * self.share:.0f} % of the targets): {self.value:.3f} against {self.baseline_value:.3f}."
        )


def find_shortfall(model: Evaluation, baseline: Evaluation, parts: Sequence[Slice]) -> Shortfall | None:
    """The slice that says most about why the model's decisive metric is below the baseline's, None where none does.

    Top-K accuracy is a mean over targets, so that a difference is the sum over a group's slices s of share_s times the
    difference there. The slice with the largest excess of that over share_s times the whole difference is taken, where
    it is at least a quarter of the whole. Of other metrics, which are means over users, this does not hold: None.
    """
    metric = baseline.decisive
    if parse_metric(metric)[0] != "accuracy":
        return None
    lacks = baseline.samples(metric)[0] - model.samples(metric)[0]
    difference = float(lacks.mean())
    if difference <= 0:
        return None

    def excess(part: Slice) -> float:
        return float(((lacks - difference) * part.mask).mean())

    worst = max(parts, key=excess, default=None)
    if worst is None or excess(worst) < EXCESS * difference:
        return None
    return Shortfall(
        worst.name,
        share=float(worst.mask.mean()),
        value=float(model.samples(metric)[0][worst.mask].mean()),
        baseline_value=float(baseline.samples(metric)[0][worst.mask].mean()),
        of_difference=float((lacks * worst.mask).mean()),
        difference=difference,
    )

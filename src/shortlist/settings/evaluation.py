"""What a user decides about the evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from shortlist.choice import Number, Positive, choice
from shortlist.errors import SettingsError

__all__ = ["Baseline", "Protocol", "SeenRule", "TieRule"]

SeenRule = Literal["included", "excluded"]
TieRule = Literal["expected", "optimistic", "pessimistic"]
Baseline = Literal["popularity"]


@choice
class Protocol:
    """How true items are ranked: always among the whole catalogue.

    `ks` are the lengths of list that metrics look at; `decisive` says which metric verdicts are about.
    `seen="excluded"` leaves out what the user touched in training or validation, though never the true item
    itself. Items with the very same score as the true one are ties: "expected" averages over all orders of
    them, "optimistic" puts the true item first (as TensorFlow Recommenders does), "pessimistic" last. Where the
    optimistic and the pessimistic accuracy differ by more than `collapse_gap`, the scores cannot tell items
    apart and the evaluation stops with an alarm.
    """

    ks: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 5, 10, 50, 100)
    seen: SeenRule = "excluded"
    ties: TieRule = "expected"
    baselines: Annotated[tuple[Baseline, ...], Field(min_length=1)] = ("popularity",)
    collapse_gap: Annotated[Number, Field(gt=0, le=1)] = 0.1

    def decisive(self, num_items: int) -> str:
        """The metric that verdicts are about: top-K accuracy at the largest K that is at most half the catalogue.

        A list of nearly all items holds the true one whatever the model; where every K is so long, it is `mrr`.

        >>> Protocol().decisive(num_items=1_682), Protocol().decisive(num_items=60), Protocol().decisive(num_items=1)
        ('top_100_accuracy', 'top_10_accuracy', 'mrr')
        """
        telling = [k for k in self.ks if 2 * k <= num_items]
        return f"top_{max(telling)}_accuracy" if telling else "mrr"

    @property
    def metrics(self) -> list[str]:
        """The short names of all metrics that are measured."""
        families = (("top", "_accuracy"), ("recall", ""), ("ndcg", ""))
        return [*(f"{family}_{k}{end}" for k in self.ks for family, end in families), "mrr"]

    def refuse_unmeasured(self, metric: str) -> None:
        """Raise `SettingsError` unless the metric, by its short name, is one that is measured."""
        if metric not in self.metrics:
            raise SettingsError(
                f"Early stopping watches metric {metric!r}, which this protocol does not measure; it measures "
                f"{', '.join(self.metrics)}. Name one of these, or leave the metric out."
            )

    def name(self, metric: str) -> str:
        """The metric's full name, which says how it was measured.

        >>> Protocol(seen="included").name("top_10_accuracy")
        'top_10_accuracy/full/seen_included/ties_expected'
        """
        return f"{metric}/full/seen_{self.seen}/ties_{self.ties}"

"""What a user decides about the evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from shortlist.choice import Number, Positive, choice

__all__ = ["Baseline", "Protocol", "SeenRule", "TieRule"]

SeenRule = Literal["included", "excluded"]
TieRule = Literal["expected", "optimistic", "pessimistic"]
Baseline = Literal["popularity"]


@choice
class Protocol:
    """How true items are ranked: always among the whole catalogue.

    `ks` are the lengths of list that metrics look at; the largest one's top-K accuracy decides verdicts.
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

    @property
    def decisive(self) -> str:
        """The metric that verdicts are about."""
        return f"top_{max(self.ks)}_accuracy"

    def name(self, metric: str) -> str:
        """The metric's full name, which says how it was measured.

        >>> Protocol(seen="included").name("top_10_accuracy")
        'top_10_accuracy/full/seen_included/ties_expected'
        """
        return f"{metric}/full/seen_{self.seen}/ties_{self.ties}"

"""What a user decides about the evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from shortlist.choice import Number, Positive, choice
from shortlist.errors import SettingsError

__all__ = ["SHOWN_METRICS", "USER_METRICS", "Baseline", "Protocol", "SeenRule", "TieRule", "parse_metric"]

SeenRule = Literal["included", "excluded"]
TieRule = Literal["expected", "optimistic", "pessimistic"]
Baseline = Literal["popularity", "recent_popularity", "item_knn", "ease", "ials", "content_knn"]

# Metrics with a number for K that are means over users, by name, and what `RankedLists` calls them; also `mrr`.
USER_METRICS = {
    "recall": "recall",
    "hit_rate": "hit_rate",
    "precision": "precision",
    "ndcg": "ndcg",
    "map": "average_precision",
    "mrr": "reciprocal_rank",
}
# Metrics with a number for K of what lists show, right or wrong.
SHOWN_METRICS = ("coverage", "gini", "novelty", "average_popularity", "overlap")


def parse_metric(metric: str) -> tuple[str, int]:
    """The kind and the K of a metric's short name; K is 0 for `mrr`. Raises `SettingsError` for a name that is none.

    >>> parse_metric("top_10_accuracy"), parse_metric("hit_rate_5"), parse_metric("mrr")
    (('accuracy', 10), ('hit_rate', 5), ('mrr', 0))
    """
    if metric == "mrr":
        return "mrr", 0
    with_k = [name for name in (*USER_METRICS, *SHOWN_METRICS) if name != "mrr"]
    kind, _, k = metric.rpartition("_")
    if metric.startswith("top_") and k == "accuracy":
        kind, k = "accuracy", metric.removeprefix("top_").removesuffix("_accuracy")
    elif kind not in with_k:
        k = ""
    if not k.isdecimal() or int(k) < 1:
        known = ", ".join(f"{name}_K" for name in with_k)
        raise SettingsError(
            f"There is no metric {metric!r}; known are mrr and, with a number for K, top_K_accuracy, {known}."
        )
    return kind, int(k)


@choice
class Protocol:
    """How true items are ranked: always among the whole catalogue.

    `ks` are the lengths of list that metrics look at; `decisive` says which metric verdicts are about.
    `seen="excluded"` leaves out what the user touched in training or validation, though never the true item
    itself. Items with the very same score as the true one are ties: "expected" averages over all orders of
    them, "optimistic" puts the true item first (as TensorFlow Recommenders does), "pessimistic" last. Where the
    optimistic and the pessimistic accuracy differ by more than `collapse_gap`, the scores cannot tell items
    apart and the evaluation stops with an alarm.

    `baselines` stand beside the model, fitted on the same training events; one that is too large, or lacks a library or
    a column, is named with the reason. With `search_baselines` each one's settings are chosen on validation events,
    which takes several times as long. `slices` names columns of the items, the users or the events, for whose values
    the decisive metric is shown apart, beside the slices that every evaluation has.
    """

    ks: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 5, 10, 50, 100)
    seen: SeenRule = "excluded"
    ties: TieRule = "expected"
    baselines: Annotated[tuple[Baseline, ...], Field(min_length=1)] = (
        "popularity",
        "recent_popularity",
        "item_knn",
        "ease",
        "ials",
        "content_knn",
    )
    search_baselines: bool = False
    slices: tuple[str, ...] = ()
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
        """The short names of all metrics that are means over targets or users."""
        families = [family for family in USER_METRICS if family != "mrr"]
        return [*(name for k in self.ks for name in (f"top_{k}_accuracy", *(f"{f}_{k}" for f in families))), "mrr"]

    @property
    def shown_metrics(self) -> list[str]:
        """The short names of the metrics of what lists show."""
        return [f"{family}_{k}" for k in self.ks for family in SHOWN_METRICS]

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
        >>> Protocol().name("coverage_10")  # a list shows ties in the catalogue's order
        'coverage_10/full/seen_excluded'
        """
        if parse_metric(metric)[0] in SHOWN_METRICS:
            return f"{metric}/full/seen_{self.seen}"
        return f"{metric}/full/seen_{self.seen}/ties_{self.ties}"

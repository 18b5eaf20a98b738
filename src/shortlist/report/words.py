"""How the report says metrics, numbers and protocols."""

from collections.abc import Iterable

from shortlist.errors import SettingsError
from shortlist.settings.evaluation import parse_metric

__all__ = [
    "baseline_name",
    "bounds",
    "count",
    "explained",
    "figure",
    "gap",
    "is_accuracy",
    "joined",
    "metric_k",
    "metric_name",
    "percentage",
    "protocol",
]

NAMES = {
    "accuracy": "top {k} accuracy",
    "recall": "recall at {k}",
    "hit_rate": "hit rate at {k}",
    "precision": "precision at {k}",
    "ndcg": "NDCG at {k}",
    "map": "MAP at {k}",
    "mrr": "MRR",
    "coverage": "coverage of {k}",
    "gini": "Gini index of {k}",
    "novelty": "novelty of {k}",
    "average_popularity": "average popularity of {k}",
    "overlap": "overlap of {k}",
}
EXPLAINED = {
    "accuracy": "the share of test events whose item stands among the first {k} of the list",
    "mrr": "one over the place of a user's first right item, averaged over users",
}
RULES = {
    "seen_excluded": "items that a user had touched before are left out",
    "seen_included": "items that a user had touched before stay in",
    "ties_expected": "items with equal scores count as the average over their orders",
    "ties_optimistic": "among equal scores the right item counts as first",
    "ties_pessimistic": "among equal scores the right item counts as last",
}
BASELINES = {"item_knn": "item-kNN", "content_knn": "content-kNN", "ease": "EASE", "ials": "iALS"}


def baseline_name(name: str) -> str:
    """A baseline as people read it.

    >>> baseline_name("item_knn"), baseline_name("recent_popularity")
    ('item-kNN', 'recent popularity')
    """
    return BASELINES.get(name, name.replace("_", " "))


def metric_name(full: str) -> str:
    """A metric as people read it, without its protocol.

    >>> metric_name("top_100_accuracy/full/seen_excluded/ties_expected"), metric_name("ndcg_10/full")
    ('top 100 accuracy', 'NDCG at 10')
    """
    kind, k = _parsed(full)
    return NAMES[kind].format(k=k) if kind in NAMES else full.partition("/")[0].replace("_", " ")


def metric_k(full: str) -> int:
    """The K of a metric, 0 where it has none."""
    return _parsed(full)[1]


def is_accuracy(full: str) -> bool:
    """Whether it is the share of targets among the first K."""
    return _parsed(full)[0] == "accuracy"


def explained(full: str) -> str:
    """What the decisive metric means, in a clause; empty for one that verdicts are never about."""
    kind, k = _parsed(full)
    return EXPLAINED.get(kind, "").format(k=k)


def protocol(full: str, num_items: int) -> str:
    """How the metric was measured in a catalogue of so many items, in clauses."""
    rules = full.split("/")[1:]
    known = RULES | {"full": f"all {num_items:,} items of the catalogue are candidates"}
    return "; ".join(known.get(rule, rule.replace("_", " ")) for rule in rules)


def figure(value: float | None) -> str:
    """A metric's value: four digits after the point, or thousands with commas.

    >>> figure(0.29704), figure(-0.05), figure(1234.56), figure(None)
    ('0.2970', '−0.0500', '1,234.6', '–')
    """
    if value is None:
        return "–"
    return (f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}").replace("-", "−")


def gap(value: float) -> str:
    """A difference, with its sign.

    >>> gap(0.01), gap(-0.2)
    ('+0.0100', '−0.2000')
    """
    return f"{value:+.4f}".replace("-", "−")


def bounds(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """An interval, empty where it is unknown."""
    if low is None or high is None:
        return ""
    write = gap if signed else figure
    return f"{write(low)} to {write(high)}"


def count(number: int, one: str) -> str:
    """A number of things.

    >>> count(1, "seed"), count(2000, "seed")
    ('1 seed', '2,000 seeds')
    """
    return f"{number:,} {one if number == 1 else one + 's'}"


def percentage(share: float) -> str:
    """A share in per cent, with three digits.

    >>> percentage(0.1234), percentage(0.00123), percentage(1.0)
    ('12.3 %', '0.123 %', '100 %')
    """
    return f"{100 * share:.3g} %"


def joined(names: Iterable[str]) -> str:
    """Names in a sentence.

    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""


def _parsed(full: str) -> tuple[str, int]:
    short = full.partition("/")[0]
    try:
        return parse_metric(short)
    except SettingsError:  # a newer version's metric is shown by its own name
        return short, 0

"""One evaluation: targets ranked over the whole catalogue, and the metrics that follow."""

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.data import Dataset
from shortlist.data.seen import Seen
from shortlist.errors import CollapsedError, DataError, SettingsError
from shortlist.evaluation.ranking import QueryEncoder, rank_targets
from shortlist.metrics import Ranks, reciprocal_rank, top_k_discounted, top_k_hits
from shortlist.metrics.ranking import ideal_discounted
from shortlist.settings.evaluation import Protocol, TieRule

__all__ = ["Evaluation", "Targets", "evaluate", "popularity_vectors"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Targets:
    """The events that an evaluation asks for, each (user, item) once.

    `event_rows` [E] are their rows in the dataset, `user_rows` [E] and `item_rows` [E] who and what. `absent`
    counts events whose item the catalogue does not hold (no model can rank it), `repeated` those that name a
    (user, item) again. The first event of each pair stays.
    """

    event_rows: Rows
    user_rows: Rows
    item_rows: Rows
    absent: int
    repeated: int

    @classmethod
    def of(cls, data: Dataset) -> "Targets":
        """The targets of a test or validation dataset; raises `DataError` where none is left."""
        present = np.flatnonzero(data.item_rows >= 0)
        pairs = data.user_rows[present] * data.num_items + data.item_rows[present]
        _, first = np.unique(pairs, return_index=True)
        rows = present[np.sort(first)]
        if not rows.size:
            raise DataError(
                f"None of the {data.num_events} events to evaluate names an item of the catalogue "
                f"({data.num_items} items); check that both come from the same data."
            )
        return cls(
            event_rows=rows,
            user_rows=data.user_rows[rows],
            item_rows=data.item_rows[rows],
            absent=data.num_events - len(present),
            repeated=len(present) - len(rows),
        )

    def __len__(self) -> int:
        return len(self.event_rows)

    @functools.cached_property
    def by_user(self) -> tuple[Rows, Rows]:
        """Each target's user as 0, 1, … [E], and how many targets each user has [U]."""
        _, user, counts = np.unique(self.user_rows, return_inverse=True, return_counts=True)
        return user, counts


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Where the targets stand, under one protocol.

    `name` says what was evaluated. `seen_targets` counts targets that the user had touched before: they are
    ranked all the same. `num_items` is the size of the catalogue.
    """

    name: str
    protocol: Protocol
    targets: Targets
    ranks: Ranks
    num_items: int
    seen_targets: int

    def gains(self, metric: str, ties: TieRule | None = None) -> Floats:
        """What each target [E] adds to a metric: `top_K_accuracy`, `recall_K`, `ndcg_K` (its term of DCG) or `mrr`."""
        kind, k = _parse(metric)
        rule = ties or self.protocol.ties
        match kind:
            case "top_accuracy" | "recall":
                return top_k_hits(k).of(self.ranks, rule)
            case "ndcg":
                return top_k_discounted(k).of(self.ranks, rule)
            case _:
                return reciprocal_rank(self.num_items).of(self.ranks, rule)

    def value(self, metric: str, ties: TieRule | None = None) -> float:
        """A metric by its short name.

        `top_K_accuracy` is the share of targets in the first K places. The others are means over users:
        `recall_K` of the share of the user's targets there, `ndcg_K` of DCG over the best DCG that so many
        targets allow, `mrr` of 1 / place of the user's best target. Where queries differ within a user (in
        their time, say), each target is ranked by its own query.
        """
        kind, k = _parse(metric)
        gains = self.gains(metric, ties)
        if kind == "top_accuracy":
            return float(gains.mean())
        user, counts = self.targets.by_user
        if kind == "mrr":
            best = np.zeros(len(counts))
            np.maximum.at(best, user, gains)
            return float(best.mean())
        whole = counts if kind == "recall" else ideal_discounted(counts, k)
        return float((np.bincount(user, gains) / whole).mean())

    @property
    def short_metrics(self) -> dict[str, float]:
        """Every metric of the protocol by its short name."""
        names = [f"{name}_{k}{end}" for k in self.protocol.ks for name, end in FAMILIES]
        return {name: self.value(name) for name in [*names, "mrr"]}

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric of the protocol by its full name, which says how it was measured."""
        return {self.protocol.name(name): value for name, value in self.short_metrics.items()}

    @property
    def num_users(self) -> int:
        return len(self.targets.by_user[1])

    @property
    def counts(self) -> dict[str, int]:
        """What the metrics were computed over, and what was left out of them."""
        return {
            "targets": len(self.targets),
            "users": self.num_users,
            "items": self.num_items,
            "absent_targets": self.targets.absent,
            "repeated_targets": self.targets.repeated,
            "seen_targets": self.seen_targets,
        }


FAMILIES = (("top", "_accuracy"), ("recall", ""), ("ndcg", ""))


def evaluate(
    encode_queries: QueryEncoder,
    item_vectors: Any,
    targets: Targets,
    *,
    protocol: Protocol,
    seen: Seen,
    name: str = "model",
    alarm: bool = True,
) -> Evaluation:
    """Rank the targets over the whole catalogue, and measure.

    `encode_queries(start, stop)` gives query vectors [B, H, D] of those targets, `item_vectors` [N, D] are the
    catalogue's. Raises `DivergedError` for NaN or infinity in a vector, and, unless `alarm` is off (for
    baselines, whose ties are their nature), `CollapsedError` where ties decide the result.

    >>> data = Dataset({"u": [1, 2], "i": [7, 8]}, query_id="u", item_id="i")
    >>> queries, items = np.eye(2, dtype=np.float32)[:, None, :], np.eye(2, dtype=np.float32)
    >>> result = evaluate(lambda start, stop: queries[start:stop], items, Targets.of(data),
    ...                   protocol=Protocol(ks=(1,), seen="included"), seen=Seen.of(data))
    >>> result.metrics["top_1_accuracy/full/seen_included/ties_expected"]
    1.0
    """
    ranks = rank_targets(
        encode_queries,
        item_vectors,
        targets.item_rows,
        user_rows=targets.user_rows,
        seen=seen if protocol.seen == "excluded" else None,
    )
    num_items = len(item_vectors)
    repeats = int(seen.holds(targets.user_rows, targets.item_rows, num_items).sum())
    evaluation = Evaluation(name, protocol, targets, ranks, num_items, repeats)
    if alarm:
        _raise_alarm(evaluation)
    return evaluation


def popularity_vectors(counts: npt.NDArray[np.float32]) -> tuple[QueryEncoder, npt.NDArray[np.float32]]:
    """A baseline that scores items alike for everyone, as vectors of width 1: queries 1, items their counts."""
    return lambda start, stop: np.ones((stop - start, 1, 1), np.float32), counts[:, None]


def _raise_alarm(evaluation: Evaluation) -> None:
    protocol = evaluation.protocol
    # A list as long as the catalogue holds every item, whatever the scores: the place decides there.
    short = [f"top_{k}_accuracy" for k in sorted(protocol.ks) if k < evaluation.num_items]
    for metric in short or ["mrr"]:
        best, worst = evaluation.value(metric, "optimistic"), evaluation.value(metric, "pessimistic")
        if best - worst > protocol.collapse_gap:
            ties = evaluation.ranks.ties
            raise CollapsedError(
                f"{evaluation.name}: {metric} is {best:.3f} if ties go to the true item and {worst:.3f} if they go "
                f"against it: the true item ties with {ties.mean():.0f} of {evaluation.num_items - 1} others on "
                "average, so the scores cannot tell items apart. Lower the learning rate, or give the towers "
                "features that differ; where such ties are meant, raise collapse_gap in the protocol."
            )


def _parse(metric: str) -> tuple[str, int]:
    """`top_10_accuracy` -> ("top_accuracy", 10); raises `SettingsError` for a name that is none."""
    parts = metric.split("_")
    match parts:
        case ["mrr"]:
            return "mrr", 0
        case ["top", k, "accuracy"] if k.isdecimal() and int(k) > 0:
            return "top_accuracy", int(k)
        case ["recall" | "ndcg" as family, k] if k.isdecimal() and int(k) > 0:
            return family, int(k)
    raise SettingsError(
        f"There is no metric {metric!r}; known are mrr and, with a number for K, top_K_accuracy, recall_K, ndcg_K."
    )

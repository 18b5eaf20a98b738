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
    (user, item) again. The first event of each pair stays. With `one_query` one query asks for all targets of a
    user, so that they stand in one list; without, each event asks anew (at its own time, say).
    """

    event_rows: Rows
    user_rows: Rows
    item_rows: Rows
    absent: int
    repeated: int
    one_query: bool = True

    @classmethod
    def of(cls, data: Dataset, *, one_query: bool = True) -> "Targets":
        """The targets of a test or validation dataset; raises `DataError` where none is left."""
        present = np.flatnonzero(data.item_rows >= 0)
        pairs = data.user_rows[present] * data.num_items + data.item_rows[present]
        _, first = np.unique(pairs, return_index=True)
        rows = present[np.sort(first)]
        if not rows.size:
            raise DataError(
                f"None of the {data.num_events} events to evaluate names an item of the catalogue ({data.num_items} "
                "items). Without an items table that is what training touched: pass items=…, or split otherwise."
            )
        return cls(
            event_rows=rows,
            user_rows=data.user_rows[rows],
            item_rows=data.item_rows[rows],
            absent=data.num_events - len(present),
            repeated=len(present) - len(rows),
            one_query=one_query,
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

    `name` says what was evaluated, `num_items` is the size of the catalogue, `seen` what users had touched before.
    """

    name: str
    protocol: Protocol
    targets: Targets
    ranks: Ranks
    num_items: int
    seen: Seen

    def value(self, metric: str, ties: TieRule | None = None) -> float:
        """A metric by its short name, the mean of its `samples`."""
        return float(self.samples(metric, ties)[0].mean())

    def samples(self, metric: str, ties: TieRule | None = None) -> tuple[Floats, Rows]:
        """The numbers [M] whose mean a metric is, and the user 0, 1, … [M] that each belongs to.

        `top_K_accuracy` has one for each target: whether it stands in the first K places. The others have one for
        each user. Where one query asks for all targets of a user, `recall_K` is the share of them in the list,
        `ndcg_K` the list's DCG over the best DCG that so many targets allow, `mrr` 1 / place of the best (with
        expected ties the best of their expectations, a lower bound where several of them tie). Where each target
        has a query and a list of its own, they are the user's means of the same numbers for lists with one target.
        Raises `SettingsError` for a name that is none.
        """
        kind, k = _parse(metric)
        k = min(k, self.num_items)
        rule = ties or self.protocol.ties
        user, counts = self.targets.by_user
        if kind == "top_accuracy":
            return top_k_hits(k).of(self.ranks, rule), user
        together = self.targets.one_query
        ranks = self.ranks.in_one_list(user, rule) if together and rule != "expected" else self.ranks
        match kind:
            case "recall":
                by_user = np.bincount(user, top_k_hits(k).of(ranks, rule)) / counts
            case "ndcg":
                best = ideal_discounted(counts, k) if together else counts
                by_user = np.bincount(user, top_k_discounted(k).of(ranks, rule)) / best
            case _:
                by_user = self._reciprocal(reciprocal_rank(self.num_items).of(ranks, rule))
        return by_user, np.arange(len(counts))

    def _reciprocal(self, gains: Floats) -> Floats:
        """Each user's reciprocal rank [U] from its targets' [E]."""
        user, counts = self.targets.by_user
        if not self.targets.one_query:
            means: Floats = np.bincount(user, gains) / counts
            return means
        best = np.zeros(len(counts))
        np.maximum.at(best, user, gains)
        return best

    @property
    def decisive(self) -> str:
        """The short name of the metric that verdicts are about."""
        return self.protocol.decisive(self.num_items)

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric of the protocol by its full name, which says how it was measured."""
        return {self.protocol.name(name): self.value(name) for name in self.protocol.metrics}

    @property
    def num_users(self) -> int:
        return len(self.targets.by_user[1])

    @property
    def counts(self) -> dict[str, int]:
        """What the metrics were computed over, and what was left out of them.

        `seen_targets` counts targets that the user had touched before: they are ranked all the same.
        """
        seen = self.seen.holds(self.targets.user_rows, self.targets.item_rows, self.num_items)
        return {
            "targets": len(self.targets),
            "users": self.num_users,
            "items": self.num_items,
            "absent_targets": self.targets.absent,
            "repeated_targets": self.targets.repeated,
            "seen_targets": int(seen.sum()),
        }


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
    left_out = None if protocol.seen == "included" else seen
    if left_out is not None and targets.one_query:
        # True items stand in one list, so that none of them may be left out of the others' rivals.
        left_out = left_out.without(targets.user_rows, targets.item_rows, len(item_vectors))
    ranks = rank_targets(encode_queries, item_vectors, targets.item_rows, user_rows=targets.user_rows, seen=left_out)
    evaluation = Evaluation(name, protocol, targets, ranks, len(item_vectors), seen)
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

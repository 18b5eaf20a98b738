"""One evaluation: targets ranked over the whole catalogue, and the metrics that follow."""

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from shortlist.data import Dataset
from shortlist.data.seen import Seen
from shortlist.errors import CollapsedError, DataError, SettingsError
from shortlist.evaluation.ranking import best_lists, rank
from shortlist.evaluation.scoring import Scoring
from shortlist.metrics import RankedLists, Ranks, ShownItems, top_k_hits
from shortlist.settings.evaluation import SHOWN_METRICS, USER_METRICS, Protocol, TieRule, parse_metric

__all__ = ["Evaluation", "Targets", "evaluate"]

# Users whose lists are looked at, where there are more.
LISTED_USERS = 1_000

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

    def among(self, allowed: npt.NDArray[np.bool_]) -> "Targets":
        """Those whose items are `allowed` [N], the items' rows counted among these alone; others count as absent.

        Raises `DataError` where none is left.
        """
        kept = np.flatnonzero(allowed[self.item_rows])
        if not kept.size:
            raise DataError(
                f"None of the {len(self)} events to evaluate names an item that may come back: {int(allowed.sum())} of "
                f"{len(allowed)} items may. Widen the condition, or give other events."
            )
        row_among = np.cumsum(allowed) - 1
        return dataclasses.replace(
            self,
            event_rows=self.event_rows[kept],
            user_rows=self.user_rows[kept],
            item_rows=row_among[self.item_rows[kept]],
            absent=self.absent + len(self) - len(kept),
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
    `shown` are the lists of some users, None where none were made.
    """

    name: str
    protocol: Protocol
    targets: Targets
    ranks: Ranks
    num_items: int
    seen: Seen
    shown: ShownItems | None = None

    def value(self, metric: str, ties: TieRule | None = None) -> float:
        """A metric by its short name: the mean of its `samples`, or a figure of the lists shown."""
        kind, k = parse_metric(metric)
        if kind in SHOWN_METRICS:
            if self.shown is None:
                raise SettingsError(f"{metric} looks at lists, and this evaluation of {self.name} made none.")
            return float(getattr(self.shown, kind)(min(k, self.num_items)))
        return float(self.samples(metric, ties)[0].mean())

    def samples(self, metric: str, ties: TieRule | None = None) -> tuple[Floats, Rows]:
        """The numbers [M] whose mean a metric is, and the user 0, 1, … [M] that each belongs to.

        `top_K_accuracy` has one for each target: whether it stands in the first K places. The others, which
        `RankedLists` defines, have one for each user. Where one query asks for all targets of a user, they stand in
        one list; where each target has a query and a list of its own, a user's number is the mean over these lists.
        Raises `SettingsError` for a name that is none, and for one that is no mean.
        """
        kind, k = parse_metric(metric)
        k = min(k, self.num_items)
        rule = ties or self.protocol.ties
        user, counts = self.targets.by_user
        if kind == "accuracy":
            return top_k_hits(k).of(self.ranks, rule), user
        if kind not in USER_METRICS:
            raise SettingsError(f"{metric} is no mean over users, so that it has no samples.")
        lists = self._lists(rule)
        by_list: Floats = lists.reciprocal_rank() if kind == "mrr" else getattr(lists, USER_METRICS[kind])(k)
        if not self.targets.one_query:
            by_list = np.bincount(user, by_list) / counts
        return by_list, np.arange(len(counts))

    def _lists(self, ties: TieRule) -> RankedLists:
        """The targets in their lists: a user's together, or each in one of its own."""
        if ties not in self._lists_by_rule:
            owner = self.targets.by_user[0] if self.targets.one_query else np.arange(len(self.targets))
            self._lists_by_rule[ties] = RankedLists.under(self.ranks, owner, ties)
        return self._lists_by_rule[ties]

    @functools.cached_property
    def _lists_by_rule(self) -> dict[TieRule, RankedLists]:
        """Lists that were made before: all metrics look at the same."""
        return {}

    def only(self, mask: npt.NDArray[np.bool_]) -> "Evaluation":
        """The same evaluation of some of the targets: the others stay where they are in the lists."""
        targets = dataclasses.replace(
            self.targets,
            event_rows=self.targets.event_rows[mask],
            user_rows=self.targets.user_rows[mask],
            item_rows=self.targets.item_rows[mask],
        )
        ranks = Ranks(self.ranks.higher[mask], self.ranks.ties[mask])
        return dataclasses.replace(self, targets=targets, ranks=ranks, shown=None)

    @property
    def decisive(self) -> str:
        """The short name of the metric that verdicts are about."""
        return self.protocol.decisive(self.num_items)

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric of the protocol by its full name, which says how it was measured."""
        names = [*self.protocol.metrics, *(self.protocol.shown_metrics if self.shown else [])]
        return {self.protocol.name(name): self.value(name) for name in names}

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
            "listed_users": 0 if self.shown is None else len(self.shown.lists),
        }


def evaluate(
    scoring: Scoring,
    targets: Targets,
    *,
    protocol: Protocol,
    seen: Seen,
    name: str = "model",
    alarm: bool = True,
    popularity: npt.NDArray[np.float32] | None = None,
) -> Evaluation:
    """Rank the targets over the whole catalogue, and measure.

    `scoring` is a model's `VectorScores` or a baseline's `UserScores`. With `popularity`, how often training touched
    each item [N], lists of some users are made and what they show is measured too: of every user, or of 1,000 drawn
    with a fixed seed where there are more, each for the query of the user's first target.

    Raises `DivergedError` for NaN or infinity in a vector, and, unless `alarm` is off (for baselines, whose ties are
    their nature), `CollapsedError` where ties decide the result.

    >>> from shortlist.evaluation import VectorScores
    >>> data = Dataset({"u": [1, 2], "i": [7, 8]}, query_id="u", item_id="i")
    >>> queries, items = np.eye(2, dtype=np.float32)[:, None, :], np.eye(2, dtype=np.float32)
    >>> result = evaluate(VectorScores(lambda targets: queries[targets], items), Targets.of(data),
    ...                   protocol=Protocol(ks=(1,), seen="included"), seen=Seen.of(data))
    >>> result.metrics["top_1_accuracy/full/seen_included/ties_expected"]
    1.0
    """
    left_out = None if protocol.seen == "included" else seen
    if left_out is not None and targets.one_query:
        # True items stand in one list, so that none of them may be left out of the others' rivals.
        left_out = left_out.without(targets.user_rows, targets.item_rows, scoring.num_items)
    users, items = targets.user_rows, targets.item_rows
    query_of = targets.by_user[0] if targets.one_query else None
    ranks = rank(scoring, items, query_of=query_of, user_rows=users, seen=left_out)
    shown = None
    if popularity is not None:
        lists = best_lists(scoring, _listed(targets), items, max(protocol.ks), user_rows=users, seen=left_out)
        shown = ShownItems(lists, popularity)
    evaluation = Evaluation(name, protocol, targets, ranks, scoring.num_items, seen, shown)
    if alarm:
        _raise_alarm(evaluation)
    return evaluation


def _listed(targets: Targets) -> Rows:
    """The first target of each user, or of some users drawn with a fixed seed, ascending."""
    _, first = np.unique(targets.user_rows, return_index=True)
    if len(first) > LISTED_USERS:
        first = np.random.default_rng(0).choice(first, LISTED_USERS, replace=False)
    return np.sort(first)


def _raise_alarm(evaluation: Evaluation) -> None:
    protocol = evaluation.protocol
    # A list as long as the catalogue holds every item, whatever the scores: the place decides there.
    short = [f"top_{k}_accuracy" for k in sorted(protocol.ks) if k < evaluation.num_items]
    if short and np.count_nonzero(evaluation.ranks.ties) <= protocol.collapse_gap * len(evaluation.targets):
        return  # ties decide for no more than these
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

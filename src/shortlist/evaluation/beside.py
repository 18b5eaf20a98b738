"""The baselines that a protocol names, fitted on a split's training events and ranked on the same targets."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.baselines import BASELINES, Scorer, popularity
from shortlist.data import Dataset, LeaveLastOut, Split
from shortlist.data.seen import Seen
from shortlist.data.splits import split as cut
from shortlist.errors import DataError, DivergedError
from shortlist.evaluation.assess import Assessment, Beside
from shortlist.evaluation.evaluate import Evaluation, Targets, evaluate
from shortlist.evaluation.scoring import Scoring, UserScores
from shortlist.evaluation.slices import default_slices
from shortlist.settings.evaluation import Protocol

__all__ = ["assess", "evaluate_baselines", "popularity_scores"]

# The share of the training events on which settings are chosen, where the split has no validation events.
SEARCH_SHARE = 0.1


def popularity_scores(counts: npt.NDArray[np.float32], targets: Targets) -> UserScores:
    """The same scores for everyone: how often training touched each item [N]."""
    return UserScores(lambda users: np.broadcast_to(counts, (len(users), len(counts))), targets.user_rows, len(counts))


def assess(
    scoring: Scoring, *, split: Split, targets: Targets, seen: Seen, protocol: Protocol, beside: Beside | None = None
) -> Assessment:
    """Rank the targets by the model and by the baselines; `seen` is what users had touched before.

    `beside` are the baselines where they were ranked on the same targets before.
    """
    counts = popularity(split.train)
    model = evaluate(scoring, targets, protocol=protocol, seen=seen, name="the model", popularity=counts)
    beside = beside or evaluate_baselines(split, targets, protocol, seen)
    user_events = np.bincount(split.train.user_rows, minlength=split.train.num_users)
    parts = default_slices(targets, user_events, counts)
    return Assessment(model, beside, parts)


def evaluate_baselines(split: Split, targets: Targets, protocol: Protocol, seen: Seen) -> Beside:
    """The protocol's baselines, fitted on the training events alone.

    With `protocol.search_baselines` each one's settings are the best of a small grid on the validation events, or,
    where the split has none, on a tenth of the training events that is cut off in the split's own way. Raises
    `DataError` where no baseline at all can be computed.
    """
    beside = Beside({})
    for name in protocol.baselines:
        reason = BASELINES[name].why_not(split.train)
        if reason is None:
            try:
                settings = _search(name, split, protocol) if protocol.search_baselines else {}
                scorer = BASELINES[name].fit(split.train, known=split.known, **settings)
            except DivergedError as error:
                reason = str(error)
        if reason is not None:
            beside.not_computed[name] = reason.removesuffix(".")
            continue
        if settings:
            beside.settings[name] = settings
        beside.baselines[name] = _rank(name, scorer, split.train, targets, protocol, seen, shown=True)
    if not beside.baselines:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in beside.not_computed.items())
        raise DataError(f"No baseline could be computed ({reasons}). Add popularity to the protocol's baselines.")
    return beside


def _rank(
    name: str, scorer: Scorer, train: Dataset, targets: Targets, protocol: Protocol, seen: Seen, *, shown: bool
) -> Evaluation:
    return evaluate(
        UserScores(scorer, targets.user_rows, train.num_items),
        targets,
        protocol=protocol,
        seen=seen,
        name=name,
        alarm=False,
        popularity=popularity(train) if shown else None,
    )


def _search(name: str, split: Split, protocol: Protocol) -> dict[str, Any]:
    """The settings of the grid that are best on events held out of training; none where there is no choice."""
    grid = BASELINES[name].grid
    if not grid:
        return {}
    within = split if split.validation is not None else _cut_again(split)
    held_out = within.test if within.validation is None else within.validation
    targets, seen = Targets.of(held_out), within.seen_before(held_out)

    def value(settings: Mapping[str, Any]) -> float:
        scorer = BASELINES[name].fit(within.train, known=within.known, **settings)
        found = _rank(name, scorer, within.train, targets, protocol, seen, shown=False)
        return found.value(found.decisive)

    best: Mapping[str, Any] = max(grid, key=value)
    return dict(best)


def _cut_again(split: Split) -> Split:
    """The training events cut in the split's own way, a part of them to choose settings on."""
    choice = split.choice
    if isinstance(choice, LeaveLastOut):
        return cut(split.train, LeaveLastOut())
    return cut(split.train, dataclasses.replace(choice, test=SEARCH_SHARE, validation=0.0))

"""The baselines that a protocol names, fitted on a split's training events and ranked on the same targets."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.baselines import BASELINES, Scorer, popularity
from shortlist.data import Dataset, GivenParts, LeaveLastOut, RandomSplit, Split
from shortlist.data.seen import Seen
from shortlist.data.splits import split as cut
from shortlist.errors import DataError, DivergedError, shorten
from shortlist.evaluation.assess import Assessment, Beside
from shortlist.evaluation.evaluate import Evaluation, Targets, evaluate
from shortlist.evaluation.scoring import Scoring, UserScores
from shortlist.evaluation.slices import column_slices, default_slices
from shortlist.settings.evaluation import Protocol

__all__ = ["assess", "evaluate_baselines", "popularity_scores"]

# The share of the training events on which settings are chosen, where the split has no validation events.
SEARCH_SHARE = 0.1


def popularity_scores(counts: npt.NDArray[np.float32], targets: Targets) -> UserScores:
    """The same scores for everyone: how often training touched each item [N]."""
    return UserScores(lambda users: np.broadcast_to(counts, (len(users), len(counts))), targets.user_rows, len(counts))


def assess(
    scoring: Scoring,
    *,
    data: Dataset,
    split: Split,
    targets: Targets,
    seen: Seen,
    protocol: Protocol,
    beside: Beside | None = None,
) -> Assessment:
    """Rank the targets, which are events of `data`, by the model and by the baselines.

    `seen` is what users had touched before, `beside` the baselines where they were ranked on the same targets already.
    Raises `DataError` for a slice of a column that no table has.
    """
    counts = popularity(split.train)
    user_events = np.bincount(split.train.user_rows, minlength=split.train.num_users)
    parts = default_slices(targets, user_events, counts, seen)
    for column in protocol.slices:
        parts += column_slices(_column_of_targets(column, data, targets))
    model = evaluate(scoring, targets, protocol=protocol, seen=seen, name="the model", popularity=counts)
    return Assessment(model, beside or evaluate_baselines(split, targets, protocol, seen), parts)


def _column_of_targets(column: str, data: Dataset, targets: Targets) -> pl.Series:
    """What stands in the column for each target [E], by its item, its user or its event."""
    tables = ((data.items, targets.item_rows), (data.users, targets.user_rows), (data.events, targets.event_rows))
    for table, rows in tables:
        if column in table.columns:
            return table[column][rows]
    known = dict.fromkeys(name for table, _ in tables for name in table.columns)
    raise DataError(f"A slice wants column {column!r}, but the tables have {shorten(known, 12)}. Name one of these.")


def evaluate_baselines(
    split: Split,
    targets: Targets,
    protocol: Protocol,
    seen: Seen,
    settings: Mapping[str, dict[str, Any]] | None = None,
) -> Beside:
    """The protocol's baselines, fitted on the training events alone.

    With `protocol.search_baselines` each one's settings are the best of a small grid on the validation events, or,
    where the split has none, on a tenth of the training events that is cut off in the split's own way; where these
    events allow no search, the reason is kept. `settings` are those of an earlier search. Raises `DataError` where no
    baseline at all can be computed.
    """
    beside = Beside({})
    search_on = functools.cache(lambda: _search_events(split))  # cut once, for all baselines
    for name in protocol.baselines:
        reason = BASELINES[name].why_not(split.train)
        chosen = {} if settings is None else settings.get(name, {})
        if reason is None and settings is None and protocol.search_baselines and BASELINES[name].grid:
            try:
                chosen = _search(name, *search_on(), protocol)
            except (DataError, DivergedError, MemoryError) as error:
                beside.not_searched[name] = (str(error) or "there is not enough memory").removesuffix(".")
        if reason is None:
            try:
                scorer = BASELINES[name].fit(split.train, known=split.known, **chosen)
                found = _rank(name, scorer, split.train, targets, protocol, seen, shown=True)
            except (DivergedError, MemoryError) as error:
                reason = str(error) or "there is not enough memory"
        if reason is not None:
            beside.not_computed[name] = reason.removesuffix(".")
            continue
        if chosen:
            beside.settings[name] = chosen
        beside.baselines[name] = found
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


def _search_events(split: Split) -> tuple[Split, Targets, Seen]:
    """The split to search settings within, and what is asked there; raises `DataError` where it has too few events."""
    within = split if split.validation is not None else _cut_again(split)
    held_out = within.test if within.validation is None else within.validation
    return within, Targets.of(held_out), within.seen_before(held_out)


def _search(name: str, within: Split, targets: Targets, seen: Seen, protocol: Protocol) -> dict[str, Any]:
    """The settings of the grid that are best on these targets; raises `DivergedError` where all settings diverge."""
    values: list[tuple[float, Mapping[str, Any]]] = []
    for settings in BASELINES[name].grid:
        try:
            scorer = BASELINES[name].fit(within.train, known=within.known, **settings)
            found = _rank(name, scorer, within.train, targets, protocol, seen, shown=False)
        except DivergedError as error:
            diverged = error
        else:
            values.append((found.value(found.decisive), settings))
    if not values:
        raise diverged
    return dict(max(values, key=lambda pair: pair[0])[1])


def _cut_again(split: Split) -> Split:
    """The training events cut in the split's own way, a part of them to choose settings on."""
    choice = split.choice
    if isinstance(choice, LeaveLastOut):
        return cut(split.train, LeaveLastOut())
    if isinstance(choice, GivenParts):  # its column says nothing more
        return cut(split.train, RandomSplit(test=SEARCH_SHARE))
    return cut(split.train, dataclasses.replace(choice, test=SEARCH_SHARE, validation=0.0))

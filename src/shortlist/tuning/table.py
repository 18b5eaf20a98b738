"""What a search has found: its trials as a table, the best of them, and what made the difference."""

import warnings

import optuna
import polars as pl
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from shortlist.settings import Space
from shortlist.settings.places import dotted
from shortlist.settings.ranges import Range
from shortlist.tuning.study import begun

__all__ = ["MIN_FINISHED", "best_place", "importance", "trials_table"]

# Fewer finished trials say nothing about single settings.
MIN_FINISHED = 20
# The trials that importance takes for good: a tenth, and at least so many.
GOOD = 5
STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def trials_table(study: optuna.Study, space: Space) -> pl.DataFrame:
    """A row a trial: place, state, value and epoch, cost, seed, threads, what was drawn, and an error's text.

    The value of a pruned trial is its last validation's.
    """
    drawn = {dotted(place): _type_of(values) for place, values in space.ranges.items()}
    kinds = {dotted(section): pl.String() for section in space.searched_kinds}
    schema = {
        "trial": pl.Int64(),
        "state": pl.String(),
        "value": pl.Float64(),
        "epoch": pl.Int64(),
        "seconds": pl.Float64(),
        "seed": pl.Int64(),
        "threads": pl.Int64(),
        **kinds,
        **drawn,
        "error": pl.String(),
    }
    rows = [
        {
            "trial": place,
            "state": STATES[trial.state],
            "value": trial.value,
            **{name: trial.user_attrs.get(name) for name in ("epoch", "seconds", "seed", "threads", "error")},
            **{name: trial.params.get(name) for name in (*kinds, *drawn)},
        }
        for place, trial in enumerate(begun(study))
    ]
    return pl.DataFrame(rows, schema=schema)


def best_place(trials: list[FrozenTrial]) -> int | None:
    """The place of the finished trial with the highest value, the first of equal ones; None where none finished."""
    finished = {place: trial.value for place, trial in enumerate(trials) if trial.state == TrialState.COMPLETE}
    return max(finished, key=lambda place: finished[place] or 0.0, default=None)


def importance(study: optuna.Study) -> dict[str, float]:
    """How much each setting had to do with a trial being among the best, as shares of 1, the largest first.

    Empty below 20 finished trials. By PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255), for the best
    tenth of the finished trials, or the best five.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < MIN_FINISHED:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns of kinds with a single trial, and of ties
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, GOOD / len(finished)))
        return get_param_importances(study, evaluator=evaluator)


def _type_of(values: object) -> pl.DataType:
    if isinstance(values, Range):
        return pl.Int64() if values.whole else pl.Float64()
    return pl.String()

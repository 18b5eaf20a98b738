"""One trial after the other: draw, train, report each validation, and tell the study how it ended."""

import gc
import time
from collections.abc import Callable

import optuna
import torch
from optuna.trial import TrialState

from shortlist.errors import ShortlistError
from shortlist.experiment import Run, run_experiment
from shortlist.settings import Experiment
from shortlist.training import Epoch
from shortlist.tuning.search import Search
from shortlist.tuning.study import STEPS, begun, place_of

__all__ = ["Hear", "work"]

# Is told of a trial's place, its epoch, and how many epochs it may have.
Hear = Callable[[int, Epoch, int], None]
# What ends a trial and not the search, which may be hours old: numbers that diverge, values that cannot be together,
# a feature that its column refuses, a model too large for the memory.
FAILURES = (ShortlistError, MemoryError, torch.OutOfMemoryError)


def work(
    search: Search,
    study: optuna.Study,
    trials: int,
    *,
    look: Callable[[], None] = lambda: None,
    hear: Hear = lambda *_: None,
) -> None:
    """Run trials until the study has begun so many. `look` is called after each, `hear` at the end of each epoch."""
    while len(begun(study)) < trials:
        trial = study.ask()
        place = place_of(study, trial.number)
        if place >= trials:  # another worker was faster
            study.tell(trial, state=TrialState.FAIL)
            return
        _run(search, study, trial, place, hear)
        look()
        gc.collect()  # the next trial's memory is its own


def _run(search: Search, study: optuna.Study, trial: optuna.Trial, place: int, hear: Hear) -> None:
    started = time.perf_counter()
    search.draw(trial)
    trial.set_user_attr("seed", search.seed + place)
    trial.set_user_attr("threads", torch.get_num_threads())
    value, state = None, TrialState.COMPLETE
    try:
        run = _train(search, search.experiment_of(trial.params, place), trial, place, hear)
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except FAILURES as failure:
        state = TrialState.FAIL
        trial.set_user_attr("error", str(failure) or type(failure).__name__)
    else:
        value = run.history.curve(search.metric)[run.history.best_epoch]
        trial.set_user_attr("epoch", run.history.best_epoch)
    trial.set_user_attr("seconds", time.perf_counter() - started)
    study.tell(trial, value, state)


def _train(search: Search, experiment: Experiment, trial: optuna.Trial, place: int, hear: Hear) -> Run:
    """The trial's training without a refit; raises `TrialPruned` at a validation that promises little."""
    epochs = experiment.training.schedule.epochs

    def tell(epoch: Epoch) -> None:
        hear(place, epoch, epochs)
        if search.metric in epoch.metrics:
            trial.report(epoch.metrics[search.metric], epoch.number * STEPS // epochs)
            if epoch.number < epochs and trial.should_prune():
                trial.set_user_attr("epoch", epoch.number)
                raise optuna.TrialPruned

    once = experiment.override({"training": {"schedule": {"refit": False}}})
    return run_experiment(once, data=search.data, progress=False, on_epoch=tell)

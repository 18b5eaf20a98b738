"""A search from an experiment and a space to the best experiment in it."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import polars as pl

from shortlist.atomic import LOCK, locked, made_folder, write_file
from shortlist.data import Dataset
from shortlist.errors import SettingsError, TuningError, shorten
from shortlist.settings import Experiment, Space, default_space
from shortlist.tuning.progress import SearchBar
from shortlist.tuning.sampler import SampledByPlace
from shortlist.tuning.search import BASE, SPACE, Search
from shortlist.tuning.study import (
    PRUNERS,
    STUDY,
    Pruning,
    begin,
    begun,
    claim,
    mend,
    open_study,
    set_aside_running,
)
from shortlist.tuning.table import best_place, importance, trials_table
from shortlist.tuning.trial import work
from shortlist.tuning.workers import run_workers

__all__ = ["Tuned", "tune"]

# What a search's folder holds for its reader: every trial, and the best of them as an experiment.
TRIALS, BEST = "trials.csv", "experiment.toml"


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What a search found.

    `value` is the best trial's in `metric`, on validation events, and `experiment` is that trial's: trained anew with
    the same number of threads it comes to the same value, and then refits where the experiment that was searched
    around does. `trials` has a row a trial; `importance` says how much each setting had to do with a trial being among
    the best, as shares of 1, and is empty below 20 finished trials.
    """

    metric: str
    value: float
    experiment: Experiment
    trials: pl.DataFrame
    importance: dict[str, float]

    @property
    def best(self) -> dict[str, Any]:
        """The best trial's row."""
        finished = self.trials.filter(pl.col("state") == "finished")
        return finished.sort("value", descending=True, maintain_order=True).row(0, named=True)

    def to_json(self) -> dict[str, Any]:
        """The search as plain JSON values."""
        return {
            "metric": self.metric,
            "value": self.value,
            "best": self.best["trial"],
            "experiment": self.experiment.tables(),
            "trials": self.trials.to_dicts(),
            "importance": self.importance,
        }


def tune(
    experiment: Experiment,
    space: Space | None = None,
    *,
    trials: int = 50,
    folder: str | Path | None = None,
    workers: int = 1,
    pruning: Pruning = "median",
    data: Dataset | None = None,
    progress: bool = True,
) -> Tuned:
    """Search the space around the experiment for the settings that do best on validation events.

    The first trial is the experiment as it is, as far as the space holds it; the others are drawn by what the trials
    before them came to. A trial's value is the metric that the training watches (the decisive one unless the schedule
    names its own) at the epoch whose weights it keeps, and its seed is the experiment's plus its place. The test is
    never asked, and nothing is refitted. `space` is `default_space`'s where it is left out, `data` the experiment's.

    `pruning` "median" ends a trial whose best validation so far lies below the median of the others at the same share
    of their epochs; "halving" lets the best third go on at a ninth of the epochs and at a third; "none" ends none. A
    trial that diverges, collapses, runs out of memory, or whose values cannot be together or go with the data has
    failed, and the search goes on.

    With a `folder` the study is written there as it goes, and the same search in the same folder goes on where it was
    cut off, until it has `trials` in all; one worker then comes to what it would have come to. `workers` are processes
    that share the folder and torch's threads, each reading the data that the experiment names.

    Raises `SettingsError` for a space that does not fit the experiment, for a split without validation events, and for
    a folder with something else in it, all before anything trains; `TuningError` where no trial finished, with the last
    one's reason.

    >>> from shortlist import synthetic
    >>> base = Experiment.read({
    ...     "data": {"source": "movielens-100k"}, "split": {"leave_last_out": {"validation": True}},
    ...     "features": {"query": [{"lookup": "user_id"}], "item": [{"lookup": "item_id"}]},
    ...     "model": {"two_tower": {}}, "training": {"schedule": {"epochs": 1}}}, "the example")
    >>> space = Space.read({"model": {"two_tower": {"layers": {"choices": [[4], [8, 4]]}}}}, "the example")
    >>> world = synthetic.TasteWorld(num_groups=2)
    >>> tune(base, space, trials=2, data=world.data(), progress=False).trials["state"].to_list()
    ['finished', 'finished']
    """
    for name, count in (("trials", trials), ("workers", workers)):
        if count < 1:
            raise SettingsError(f"tune wants at least 1 for {name}, but got {count}.")
    if pruning not in PRUNERS:
        raise SettingsError(f"tune wants one of {shorten(PRUNERS)} for pruning, but got {pruning!r}.")
    if folder is None and workers > 1:
        raise SettingsError("Several workers meet in a folder; name one, or leave workers out.")
    folder = None if folder is None else Path(folder)
    space = space or default_space(experiment)
    search = Search.of(experiment, space, experiment.data.load() if data is None else data)
    with _study(search, space, folder, pruning) as study, SearchBar(trials, shown=progress) as bar:

        def look() -> None:
            bar.show(begun(study))

        look()
        if folder is None or workers == 1:
            work(search, study, trials, look=look, hear=bar.hear)
        else:
            run_workers(folder, workers, trials, pruning, look)
    return _result(search, study)


@contextmanager
def _study(search: Search, space: Space, folder: Path | None, pruning: Pruning) -> Iterator[optuna.Study]:
    """The search's study, new or taken up; once the block ends, however it does, what was found is written down."""
    sampler = SampledByPlace(search.seed)
    if folder is None:
        study = open_study(None, sampler, pruning)
        begin(study, search.own_draws())
        yield study
        return
    if folder.exists() and not (folder / STUDY).exists() and not _is_empty(folder):
        raise SettingsError(f"{folder} is there already, not empty, and holds no search. Name a new folder.")
    with made_folder(folder), locked(folder, "search"):
        mend(folder)
        study = open_study(folder, sampler, pruning)
        claim(study, search.identity, folder)
        write_file(folder / BASE, search.experiment.to_toml().encode())
        write_file(folder / SPACE, space.to_toml().encode())
        set_aside_running(study)
        begin(study, search.own_draws())
        try:
            yield study
        finally:
            set_aside_running(study)
            _write(search, study, folder)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= {LOCK}


def _write(search: Search, study: optuna.Study, folder: Path) -> None:
    trials = begun(study)
    write_file(folder / TRIALS, trials_table(study, search.space).write_csv().encode())
    best = best_place(trials)
    if best is not None:
        write_file(folder / BEST, search.experiment_of(trials[best].params, best).to_toml().encode())


def _result(search: Search, study: optuna.Study) -> Tuned:
    trials, table = begun(study), trials_table(study, search.space)
    best = best_place(trials)
    if best is None:
        counts = ", ".join(f"{count} {state}" for state, count in table["state"].value_counts(sort=True).iter_rows())
        errors = table["error"].drop_nulls()
        last = f" The last that failed said: {errors[-1]}" if len(errors) else ""
        raise TuningError(f"No trial finished: {counts}.{last}")
    chosen = search.experiment_of(trials[best].params, best)
    return Tuned(search.metric, float(table["value"][best]), chosen, table, importance(study))

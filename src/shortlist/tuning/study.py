"""The study of a search: Optuna's record of its trials, in memory or in a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from shortlist.errors import SettingsError, TuningError, first_line

__all__ = [
    "PRUNERS",
    "STEPS",
    "STUDY",
    "Pruning",
    "begin",
    "begun",
    "claim",
    "mend",
    "open_study",
    "place_of",
    "set_aside_running",
]

STUDY = "study.journal"
NAME = "shortlist"
Pruning = Literal["median", "halving", "none"]
# A trial's epochs are counted in shares of its schedule, so that schedules of other lengths can be compared.
STEPS = 1_000_000
PRUNERS: dict[Pruning, BasePruner] = {
    # From a fifth of the schedule on, and once five trials have shown what is usual.
    "median": MedianPruner(n_startup_trials=5, n_warmup_steps=STEPS // 5),
    # The best third goes on at a ninth of the schedule, and at a third.
    "halving": SuccessiveHalvingPruner(min_resource=STEPS // 9, reduction_factor=3),
    "none": NopPruner(),
}


def open_study(folder: Path | None, sampler: BaseSampler, pruning: Pruning) -> optuna.Study:
    """The study that the folder holds, made where it holds none; without a folder, one in memory.

    In a folder it is Optuna's journal, a line for each thing that happens, which several processes may write. Raises
    `TuningError` for a file that is none.
    """
    path = "" if folder is None else str(folder / STUDY)
    try:
        with _without_news():
            return optuna.create_study(
                storage=JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path))) if path else None,
                sampler=sampler,
                pruner=PRUNERS[pruning],
                study_name=NAME,
                direction="maximize",
                load_if_exists=True,
            )
    except (ValueError, KeyError, TypeError) as error:  # as lines are broken that are no journal's
        raise TuningError(f"{path} is no study that can be read ({first_line(error)}). Name a new folder.") from error


def begun(study: optuna.Study) -> list[FrozenTrial]:
    """The trials in the order of their places, those under way included; without those that were cut off."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state != TrialState.WAITING and not _is_cut_off(trial)
    ]


def place_of(study: optuna.Study, number: int) -> int:
    """The place, from 0, of the trial with Optuna's number: one that was cut off leaves its place to the next."""
    before = study.get_trials(deepcopy=False)[:number]
    return number - sum(map(_is_cut_off, before))


def set_aside_running(study: optuna.Study) -> None:
    """Call the trials cut off that nobody works at any more."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _is_cut_off(trial: FrozenTrial) -> bool:
    """A trial that failed by itself says why."""
    return trial.state == TrialState.FAIL and "error" not in trial.user_attrs


def claim(study: optuna.Study, identity: Mapping[str, str], folder: Path) -> None:
    """Write down whose study it is; raises `SettingsError` where it is another search's than the one asked for."""
    kept = study.user_attrs.get("identity")
    if kept is None:
        study.set_user_attr("identity", dict(identity))
        return
    other = [part for part, digest in identity.items() if kept.get(part) != digest]
    if other:
        raise SettingsError(
            f"{folder} holds a search that differs in its {' and its '.join(other)}, so it cannot go on with this. "
            "Give it what it was started with, or name a new folder."
        )


def begin(study: optuna.Study, draws: Mapping[str, Any]) -> None:
    """Let the first trial be these draws, and draw what they leave open."""
    if not begun(study) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(dict(draws))


def mend(folder: Path) -> None:
    """Take away what processes that were killed left: workers' logs, the journal's lock, half a last line."""
    for left in (folder / f"{STUDY}.lock", *folder.glob("worker-*.log")):
        left.unlink(missing_ok=True)
    path = folder / STUDY
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(path.read_bytes().rfind(b"\n") + 1)


@contextmanager
def _without_news() -> Iterator[None]:
    """Optuna tells of new studies on stderr; a search has a bar of its own there."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)

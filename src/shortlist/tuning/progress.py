"""The progress bar of a search, on stderr."""

from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shortlist.training import Epoch
from shortlist.tuning.table import best_place

__all__ = ["SearchBar"]


class SearchBar:
    """Trials done, time gone and left, the best value so far, and how many were pruned or failed."""

    def __init__(self, trials: int, *, shown: bool = True) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._task = self._progress.add_task("searching", total=trials, figures="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def hear(self, place: int, epoch: Epoch, epochs: int) -> None:
        """An epoch of the trial under way has ended."""
        self._progress.update(self._task, description=f"trial {place} epoch {epoch.number}/{epochs}")

    def show(self, trials: list[FrozenTrial]) -> None:
        """How the search stands."""
        best = best_place(trials)
        figures = [] if best is None else [f"best {trials[best].value:.4f}"]
        for state, name in ((TrialState.PRUNED, "pruned"), (TrialState.FAIL, "failed")):
            count = sum(trial.state == state for trial in trials)
            figures += [f"{count} {name}"] if count else []
        done = sum(trial.state.is_finished() for trial in trials)
        self._progress.update(self._task, completed=done, figures=", ".join(figures))

"""The progress bar of a training, on stderr."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shortlist.training.loop import Epoch

__all__ = ["ProgressBar"]


class ProgressBar:
    """Epochs done, time gone and left, the loss, and the last validation of one metric.

    Several trainings may share one bar: `start` names the one that runs, and `advance` goes to its loop.
    """

    def __init__(self, metric: str, *, shown: bool = True) -> None:
        self._metric = metric
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
        self._task = self._progress.add_task("training", total=None, figures="")
        self._validated = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expect(self, epochs: int) -> None:
        """How many epochs all trainings have together."""
        self._progress.update(self._task, total=epochs)

    def start(self, description: str) -> None:
        """Name the training that runs now."""
        self._validated = ""
        self._progress.update(self._task, description=description)

    def advance(self, epoch: Epoch) -> None:
        """One epoch more."""
        for name, value in epoch.metrics.items():
            if name.partition("/")[0] == self._metric:
                self._validated = f"  {self._metric} {value:.3f}"
        self._progress.update(self._task, advance=1, figures=f"loss {epoch.loss:.4g}{self._validated}")

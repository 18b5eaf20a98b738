"""What every tracking service is told, as plain numbers by name."""

import warnings
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from shortlist.evaluation import Assessment

__all__ = ["EpochFigures", "Tracker"]


class EpochFigures(Protocol):
    """What a finished epoch has to tell; a training's `Epoch` does."""

    @property
    def number(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


class Tracker:
    """One run told to a service, from `with` to its end; `train(..., on_epoch=tracker.epoch)` tells of the epochs.

    A service gives `_log`, which takes numbers by name at an epoch, `_judge`, which takes the verdict, and `_end`,
    which hears whether the run failed. An epoch's numbers are `loss`, `seconds` and, where it was validated, the
    metrics under their full names. The result's are the test's metrics under `test/` and each baseline's under its
    name.

    A service that fails once the run has begun is given up with a warning: hours of training are worth more than their
    record, which the run's folder holds as well.
    """

    # What the service raises where it cannot be reached.
    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self) -> None:
        self._epochs = 0
        self._given_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell(lambda: self._end(kind))

    def epoch(self, epoch: EpochFigures) -> None:
        """An epoch has ended."""
        self._epochs = epoch.number
        figures = {"loss": epoch.loss, "seconds": epoch.seconds, **epoch.metrics}
        self._tell(lambda: self._log(figures, epoch.number))

    def result(self, assessment: Assessment) -> None:
        """What the trained model scored on the test events, beside the baselines."""
        measured = {"test": assessment.metrics}
        measured |= {name: baseline.metrics for name, baseline in assessment.baselines.items()}
        figures = {f"{name}/{metric}": value for name, of in measured.items() for metric, value in of.items()}
        self._tell(lambda: self._log(figures, self._epochs))
        self._tell(lambda: self._judge(str(assessment.verdict)))

    def _tell(self, what: Callable[[], None]) -> None:
        if self._given_up:
            return
        try:
            what()
        except self.failures as error:
            self._given_up = True
            warnings.warn(
                f"{type(self).__name__} hears no more of this run, which goes on without it: {error}", stacklevel=3
            )

    def _log(self, values: Mapping[str, float], epoch: int) -> None:
        raise NotImplementedError

    def _judge(self, verdict: str) -> None:
        """The verdict as text, for services that keep some."""

    def _end(self, failure: type[BaseException] | None) -> None:
        raise NotImplementedError

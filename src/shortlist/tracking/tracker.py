"""What every tracking service is told, as plain numbers by name."""

from collections.abc import Mapping
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

    A service gives `_log`, which takes numbers by name at an epoch, and `_end`, which hears whether the run failed.
    An epoch's numbers are `loss`, `seconds` and, where it was validated, the metrics under their full names. The
    result's are the test's metrics under `test/` and each baseline's under its name.
    """

    def __init__(self) -> None:
        self._epochs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(kind)

    def epoch(self, epoch: EpochFigures) -> None:
        """An epoch has ended."""
        self._epochs = epoch.number
        self._log({"loss": epoch.loss, "seconds": epoch.seconds, **epoch.metrics}, epoch.number)

    def result(self, assessment: Assessment) -> None:
        """What the trained model scored on the test events, beside the baselines."""
        measured = {"test": assessment.metrics}
        measured |= {name: baseline.metrics for name, baseline in assessment.baselines.items()}
        for name, metrics in measured.items():
            self._log({f"{name}/{metric}": value for metric, value in metrics.items()}, self._epochs)

    def _log(self, values: Mapping[str, float], epoch: int) -> None:
        raise NotImplementedError

    def _end(self, failure: type[BaseException] | None) -> None:
        raise NotImplementedError

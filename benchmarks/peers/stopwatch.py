"""Times a fit of Keras, of whichever version."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from peers.program import KS

__all__ = ["Stopwatch"]

Logs = Mapping[str, float] | None


class Stopwatch:
    """Splits a fit into seconds of training and of validation, and says on stderr where it stands.

    Mixed into a Keras callback, before it. An epoch counts from the end of the one before, so that making its iterator
    is in it and the two lists add up to the whole fit. The first of each list holds the tracing or compiling of its
    step. `accuracy` is what Keras calls the last of the accuracies.
    """

    params: dict[str, Any]  # Keras sets it

    def __init__(self, accuracy: str) -> None:
        super().__init__()
        self.accuracy = accuracy
        self.epoch_seconds: list[float] = []
        self.validation_seconds: list[float] = []
        self._mark = 0.0
        self._validated = False

    def on_train_begin(self, _logs: Logs = None) -> None:
        self._mark = time.perf_counter()

    def on_test_begin(self, _logs: Logs = None) -> None:
        self.epoch_seconds.append(self._lap())
        self._validated = True

    def on_test_end(self, _logs: Logs = None) -> None:
        self.validation_seconds.append(self._lap())

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not self._validated:
            self.epoch_seconds.append(self._lap())
            return
        self._validated = False
        print(
            f"epoch {epoch + 1}/{self.params['epochs']}: top-{KS[-1]} accuracy {(logs or {})[self.accuracy]:.4f}, "
            f"epoch {self.epoch_seconds[-1]:.2f} s, validation {self.validation_seconds[-1]:.2f} s",
            file=sys.stderr,
            flush=True,
        )

    def wait(self) -> None:
        """Return once the last step is done; for a library that hands out results before it has them."""

    def _lap(self) -> float:
        self.wait()
        now = time.perf_counter()
        seconds, self._mark = now - self._mark, now
        return seconds

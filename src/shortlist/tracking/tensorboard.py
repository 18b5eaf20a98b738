"""TensorBoard: scalars in a folder that `tensorboard --logdir` shows."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from shortlist.errors import require_extra
from shortlist.tracking.tracker import Tracker

__all__ = ["TensorBoard"]


class TensorBoard(Tracker):
    """A run as scalars in the folder `path`, which is this run's own: what an earlier start of it wrote there goes.

    Raises `MissingExtraError` without the extra `track`, and `OSError` where the folder cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        require_extra("track", ["tensorboard"])
        from tensorboard.summary import Writer

        super().__init__()
        shutil.rmtree(path, ignore_errors=True)  # a resumed training tells of its earlier epochs again
        self._writer = Writer(str(path))

    def _log(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def _end(self, failure: type[BaseException] | None) -> None:  # noqa: ARG002 - scalars have no status
        self._writer.close()

"""The tracking services that `train --track` knows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

import shortlist as sl
from shortlist.cli.run_folder import TENSORBOARD
from shortlist.errors import SettingsError, shorten

__all__ = ["Track", "trackers_by_name"]

Track = Annotated[
    list[str] | None,
    typer.Option(help="Tell a service of the run, too: mlflow or tensorboard. Repeat it."),
]
MakeTracker = Callable[["sl.Experiment", Path], "sl.tracking.Tracker"]
TRACKERS: dict[str, MakeTracker] = {
    "mlflow": lambda experiment, folder: sl.tracking.MLflow(experiment.tables(), folder),
    "tensorboard": lambda _, folder: sl.tracking.TensorBoard(folder / TENSORBOARD),
}


def trackers_by_name(names: Sequence[str]) -> list[MakeTracker]:
    """What makes the trackers from a run's experiment and folder; raises `SettingsError` for a name that is none."""
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise SettingsError(f"--track knows {shorten(TRACKERS)}, but {unknown[0]!r} came. Name one of these.")
    return [TRACKERS[name] for name in dict.fromkeys(names)]

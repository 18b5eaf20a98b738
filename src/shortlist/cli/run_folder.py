"""The folder of one run: made, locked, described, and gone again where nothing came of it."""

import datetime as dt
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import shortlist as sl
from shortlist.atomic import LOCK, locked, made_folder, remove_drafts, write_file
from shortlist.errors import SettingsError

__all__ = [
    "BUNDLE",
    "HISTORY",
    "SETTINGS",
    "TENSORBOARD",
    "checkpointing_in",
    "folder_of_now",
    "output_folder",
    "remove_checkpoints",
    "start_run",
    "take_up_run",
]

# What a run's folder holds: the settings as used, the other choices of the command, an epoch a line, …
SETTINGS, CHOICES, HISTORY = "experiment.toml", "choices.json", "history.jsonl"
CHECKPOINT, BUNDLE, TENSORBOARD = "checkpoint.safetensors", "bundle", "tensorboard"
# What is there before anything was trained.
BEFORE_TRAINING = {SETTINGS, CHOICES, TENSORBOARD, LOCK}


def folder_of_now() -> Path:
    """The folder for what a command writes where none was named."""
    return Path("runs") / dt.datetime.now().strftime("%Y-%m-%d-%H%M%S")


@contextmanager
def output_folder(out: Path | None) -> Iterator[Path]:
    """The folder to write into, made before the work so that hours of it do not end at a wrong path.

    Where the work fails before anything was trained, all that was made goes again. Raises `SettingsError` where the
    folder holds something already, for results are never written over, and where it cannot be made.
    """
    folder = out or folder_of_now()
    with ExitStack() as stack:
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                cut_off = (folder / CHOICES).exists() and not (folder / BUNDLE).exists()
                hint = f", or go on with --resume {folder}" if cut_off else ""
                raise SettingsError(f"{folder} is there already and not empty. Name a new folder with --out{hint}.")
            stack.enter_context(made_folder(folder))
        except OSError as error:
            raise SettingsError(f"{folder} cannot be made: {error}. Name another folder with --out.") from error
        try:
            yield folder
        finally:
            if {path.name for path in folder.iterdir()} <= BEFORE_TRAINING:
                for name in (SETTINGS, CHOICES):
                    (folder / name).unlink(missing_ok=True)
                shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)


@contextmanager
def start_run(
    out: Path | None, experiment: "sl.Experiment", *, without_history: bool, track: Sequence[str]
) -> Iterator[Path]:
    """The locked folder of a new run, with its settings and choices written down."""
    with output_folder(out) as folder, locked(folder, "training"):
        write_file(folder / SETTINGS, experiment.to_toml().encode())
        choices = {"without_history": without_history, "track": list(track)}
        write_file(folder / CHOICES, json.dumps(choices).encode())
        yield folder


@contextmanager
def take_up_run(folder: Path) -> Iterator[tuple["sl.Experiment", dict[str, Any]]]:
    """The experiment and the choices of a run that was cut off, its folder locked and free of half-written files.

    Raises `SettingsError` for a folder that is no run, is finished, or is in use.
    """
    if not (folder / SETTINGS).is_file():
        raise SettingsError(f"{folder} holds no {SETTINGS}, so it is no run to resume. Name the folder of one.")
    with locked(folder, "training"):
        if (folder / BUNDLE).exists():
            remove_checkpoints(checkpointing_in(folder))  # the run was killed between the two
            raise SettingsError(f"{folder} is finished: its bundle is there. Train anew with another --out.")
        checkpointing = checkpointing_in(folder)
        checkpoints = [checkpointing.path.name, checkpointing.of_refit().path.name]
        remove_drafts(folder, [BUNDLE, *checkpoints, SETTINGS, CHOICES])
        choices: dict[str, Any] = {"without_history": False, "track": []}
        if (folder / CHOICES).is_file():
            choices |= json.loads((folder / CHOICES).read_text("utf-8"))
        yield sl.load_experiment(folder / SETTINGS), choices


def checkpointing_in(folder: Path) -> "sl.Checkpointing":
    """Where a run's trainings are written down on the way."""
    return sl.Checkpointing(folder / CHECKPOINT)


def remove_checkpoints(checkpointing: "sl.Checkpointing") -> None:
    """Remove what a run that is finished no longer needs."""
    for path in (checkpointing.path, checkpointing.of_refit().path):
        path.unlink(missing_ok=True)

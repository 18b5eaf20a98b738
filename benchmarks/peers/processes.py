"""The peers as processes of their own: their environments, their data, and one timed run of the tutorial."""

import dataclasses
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np

import shortlist as sl

__all__ = ["SIDES", "Measured", "make_environment", "run_side", "run_tfrs", "timed", "write_split"]

HERE = Path(__file__).parent
# Each side's folder, with its program `tutorial.py`; those with a requirements.txt run in an environment made from it.
SIDES = {"tfrs": "tfrs", "keras_rs": "keras_rs", "torch_port": "torch_port", "shortlist": "shortlist_side"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One process: its wall-clock seconds, its peak memory in MiB, and the last top-100 accuracy."""

    seconds: float
    peak_memory_mib: float
    accuracy: float


def make_environment(folder: Path, side: str = "tfrs") -> Path:
    """The peer's own virtual environment, made where it is not there whole yet; its Python comes back.

    Without dependencies, all of which are named: some would bring a second TensorFlow, four times the size.
    A peer without requirements runs in the environment of this process.
    """
    requirements = HERE / SIDES[side] / "requirements.txt"
    if not requirements.exists():
        return Path(sys.executable)
    python, finished = folder / "bin" / "python", folder / "finished"
    if not finished.exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]
        subprocess.run([*install, str(requirements)], check=True)
        finished.touch()
    return python


def write_split(folder: Path) -> None:
    """The tutorial's split of seed 42 in the form that the peers read."""
    split = sl.split_random(sl.datasets.movielens_100k(), test=0.2, seed=42)
    folder.mkdir()
    np.savez(folder / "items.npz", title=np.array(split.train.items["title"].to_list()))
    for name, part in (("train", split.train), ("test", split.test)):
        np.savez(
            folder / f"{name}.npz",
            user_id=np.array(part.interactions["user_id"].to_list()),
            item_row=part.item_rows,
            timestamp=part.interactions["timestamp"].to_numpy(),
        )


def run_side(side: str, python: Path, data: Path, **settings: Any) -> tuple[dict[str, Any], float, float]:
    """One side's tutorial on the folder that `write_split` filled: what it wrote, wall-clock seconds, peak MiB.

    `settings` are the flags of its program: layers, epochs, validate_every, seed.
    """
    out = data.parent / f"{side}.json"
    flags = [text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    program = [str(python.absolute()), "-m", f"peers.{SIDES[side]}.tutorial"]
    seconds, memory = timed(
        [*program, "--data", str(data.absolute()), "--out", str(out.absolute()), *flags], HERE.parent
    )
    return json.loads(out.read_text()), seconds, memory


def run_tfrs(python: Path, data: Path, layers: str, *, epochs: int, validate_every: int, seed: int) -> Measured:
    """TensorFlow Recommenders' tutorial at one depth with one seed."""
    written, seconds, memory = run_side(
        "tfrs", python, data, layers=layers, epochs=epochs, validate_every=validate_every, seed=seed
    )
    return Measured(seconds, memory, written["top_100_accuracy"][-1])


def timed(command: list[str], folder: Path | None = None) -> tuple[float, float]:
    """Wall-clock seconds and peak memory (MiB) of a whole process, run in a folder; raises where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{complaint.decode(errors='replace')[-2000:]}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024

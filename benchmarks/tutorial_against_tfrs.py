"""How long does the whole tutorial take, three depths and all validations, beside TensorFlow Recommenders?

Both sides run as processes of their own, in turn, depth by depth, on the same split; the figure is the ratio of their
wall-clock times, imports and pictures included. TensorFlow Recommenders runs in an environment of its own, made in
`build/` on first use.

    scripts/bench tutorial_against_tfrs                        # about 40 minutes on two cores
    scripts/bench tutorial_against_tfrs --epochs 20 --repeat 3 # a few minutes, for the ratio alone
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import shortlist as sl

PEER = Path(__file__).parent / "peers" / "tfrs"
DEPTHS = ("32", "64,32", "128,64,32")
METRIC = "top_100_accuracy/full/seen_included/ties_optimistic"


@dataclasses.dataclass(frozen=True)
class Measured:
    """One process: its wall-clock seconds, its peak memory in MiB, and the last top-100 accuracy."""

    seconds: float
    peak_memory_mib: float
    accuracy: float


def main() -> None:
    """Run both sides in turn and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--validate-every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="how often to run each depth on each side")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer's requirements")
    options = parser.parse_args()
    peer_python = options.peer_python or make_peer_environment(Path("build/tfrs"))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_split(data)
        for depth in DEPTHS * options.repeat:
            peer = run_peer(peer_python, data, depth, options)
            ours = run_shortlist(Path(folder) / f"run{len(rows)}", depth, options)
            rows.append({"layers": depth, "tfrs": dataclasses.asdict(peer), "shortlist": dataclasses.asdict(ours),
                         "ratio": peer.seconds / ours.seconds})  # fmt: skip
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps(summary(rows, options)))


def summary(rows: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """The whole comparison as one row: what ran where, every pair, and the ratio of the totals."""
    totals = {side: sum(row[side]["seconds"] for row in rows) for side in ("tfrs", "shortlist")}
    memory = {side: max(row[side]["peak_memory_mib"] for row in rows) for side in ("tfrs", "shortlist")}
    return {
        "benchmark": "tutorial_against_tfrs",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("shortlist", "torch", "numpy", "polars")},
        "epochs": options.epochs,
        "validate_every": options.validate_every,
        "seed": options.seed,
        "pairs": rows,
        "seconds": totals,
        "peak_memory_mib": memory,
        "ratio": totals["tfrs"] / totals["shortlist"],
    }


def make_peer_environment(folder: Path) -> Path:
    """The peer's own virtual environment, made where it is not there yet; its Python comes back.

    Without dependencies: two of its packages would bring a second TensorFlow, four times the size, over the first.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]
        subprocess.run([*install, str(PEER / "requirements.txt")], check=True)
    return python


def write_split(folder: Path) -> None:
    """The tutorial's split of seed 42 in the form that the peer reads."""
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


def run_peer(python: Path, data: Path, depth: str, options: argparse.Namespace) -> Measured:
    """TensorFlow Recommenders on one depth."""
    out = data.parent / "peer.json"
    command = [str(python), str(PEER / "tutorial.py"), "--data", str(data), "--layers", depth, "--out", str(out)]
    command += ["--epochs", str(options.epochs), "--validate-every", str(options.validate_every)]
    command += ["--seed", str(options.seed)]
    seconds, memory = timed(command)
    return Measured(seconds, memory, json.loads(out.read_text())["top_100_accuracy"][-1])


def run_shortlist(out: Path, depth: str, options: argparse.Namespace) -> Measured:
    """Shortlist on one depth, by the command that a user would type."""
    command = [str(Path(sys.executable).with_name("shortlist")), "compare", "movielens-100k", "--preset", "tutorial"]
    command += ["--layers", depth, "--epochs", str(options.epochs), "--seed", str(options.seed), "--quiet"]
    command += ["--set", f"training.schedule.validate_every={options.validate_every}", "--out", str(out)]
    seconds, memory = timed(command)
    row = json.loads((out / "comparison.json").read_text())["rows"][0]
    return Measured(seconds, memory, row["metrics"][METRIC])


def timed(command: list[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak memory (MiB) of a whole process; raises where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{complaint.decode(errors='replace')[-2000:]}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()

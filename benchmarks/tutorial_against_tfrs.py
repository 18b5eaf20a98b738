"""How long does the whole tutorial take, three depths and all validations, beside TensorFlow Recommenders?

Both sides run as processes of their own, in turn, depth by depth, on the same split; the figure is the ratio of their
wall-clock times, imports and pictures included. TensorFlow Recommenders runs in an environment of its own, made in
`build/` on first use.

    scripts/bench tutorial_against_tfrs                        # about 30 minutes on two cores
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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from peers.processes import Measured, make_environment, run_tfrs, timed, write_split

DEPTHS = ("32", "64,32", "128,64,32")
METRIC = "top_100_accuracy/full/seen_included/ties_optimistic"


def main() -> None:
    """Run both sides in turn and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--validate-every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="how often to run each depth on each side")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer's requirements")
    options = parser.parse_args()
    peer_python = options.peer_python or make_environment(Path("build/tfrs"))
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_split(data)
        for depth in DEPTHS * options.repeat:
            peer = run_tfrs(
                peer_python,
                data,
                depth,
                epochs=options.epochs,
                validate_every=options.validate_every,
                seed=options.seed,
            )
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
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
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


def run_shortlist(out: Path, depth: str, options: argparse.Namespace) -> Measured:
    """Shortlist on one depth, by the command that a user would type."""
    command = [str(Path(sys.executable).with_name("shortlist")), "compare", "movielens-100k", "--preset", "tutorial"]
    command += ["--layers", depth, "--epochs", str(options.epochs), "--seed", str(options.seed), "--quiet"]
    command += ["--set", f"training.schedule.validate_every={options.validate_every}", "--out", str(out)]
    seconds, memory = timed(command)
    row = json.loads((out / "comparison.json").read_text())["rows"][0]
    return Measured(seconds, memory, row["metrics"][METRIC])


if __name__ == "__main__":
    main()

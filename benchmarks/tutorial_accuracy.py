"""Does shortlist reach what TensorFlow Recommenders reaches on the tutorial, over many seeds of one depth?

Both sides train the same depth on the same split with the seeds 1, 2, …; the row holds every top-100 accuracy of the
last epoch (seen included, ties optimistic) and Welch's test of the two means. Seeds of the two libraries have nothing
to do with each other: it is the distributions that should agree.

    scripts/bench tutorial_accuracy --layers 128,64,32 --epochs 30 --seeds 12 # about 15 minutes on two cores
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scipy import stats

import shortlist as sl
from peers.processes import make_environment, run_tfrs, write_split


def main() -> None:
    """Train all seeds on both sides and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--layers", default="128,64,32")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds on each side, from 1 on")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer's requirements")
    options = parser.parse_args()
    peer_python = options.peer_python or make_environment(Path("build/tfrs"))
    seeds = range(1, options.seeds + 1)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_split(data)
        peer = []
        for seed in seeds:
            run = run_tfrs(peer_python, data, options.layers, epochs=options.epochs, validate_every=5, seed=seed)
            peer.append(run.accuracy)
            print(f"tfrs seed {seed}: {run.accuracy:.4f}", file=sys.stderr, flush=True)
    ours = train_shortlist(options, list(seeds))
    print(
        json.dumps(
            {
                "benchmark": "tutorial_accuracy",
                "commit": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
                "layers": options.layers,
                "epochs": options.epochs,
                "threads": os.cpu_count(),
                "tfrs": spread(peer),
                "shortlist": spread(ours),
                "p": float(stats.ttest_ind(peer, ours, equal_var=False).pvalue),
            }
        )
    )


def train_shortlist(options: argparse.Namespace, seeds: list[int]) -> list[float]:
    """The last epoch's accuracy of each seed."""
    experiment = sl.load_preset("tutorial").override({"training": {"schedule": {"epochs": options.epochs}}})
    layers = [int(width) for width in options.layers.split(",")]
    comparison = sl.compare(experiment, [layers], seeds)
    return [run.evaluation.value("top_100_accuracy") for run in comparison.runs]


def spread(values: list[float]) -> dict[str, Any]:
    """Every value with their mean, deviation and range."""
    return {
        "values": values,
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values),
        "lowest": min(values),
        "highest": max(values),
    }


if __name__ == "__main__":
    main()

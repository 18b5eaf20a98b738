"""Train and time the deep retrieval tutorial with shortlist, in the form of the peers' programs beside this folder.

    python tutorial.py --layers 64,32 --epochs 300 --validate-every 5 --seed 1 --out result.json

The data is the tutorial's split of MovieLens 100K, the one that the peers are handed as files (`--data`, unused here).
"""

# ruff: noqa: E402 - a clock starts before torch is imported
import time

STARTED = time.perf_counter()  # Python's own start, some 20 ms, is not counted; torch's import is

import argparse
import json
import os
import resource
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # as the command line sets it, before torch loads OpenMP

import shortlist as sl

KS = (1, 5, 10, 50, 100)


def main() -> None:
    """Train, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--layers", type=lambda text: [int(part) for part in text.split(",")], required=True)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--validate-every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    schedule = {"epochs": options.epochs, "validate_every": options.validate_every, "seed": options.seed}
    experiment = sl.load_preset("tutorial").override(
        {"model": {"two_tower": {"layers": options.layers}}, "training": {"schedule": schedule}}
    )
    data = experiment.data.load()
    begun = time.perf_counter()
    run = sl.run_experiment(experiment, data=data, progress=False)
    ended = time.perf_counter()
    epochs = run.history.epochs
    validated = [epoch for epoch in epochs if epoch.metrics]
    accuracies = {
        f"top_{k}_accuracy": [epoch.metrics[experiment.evaluation.protocol.name(f"top_{k}_accuracy")]
                              for epoch in validated]
        for k in KS
    }  # fmt: skip
    seconds = {
        "fit": round(ended - begun, 3),
        "startup": round(begun - STARTED, 3),
        "epoch": [round(epoch.seconds, 4) for epoch in epochs],
        "validation": [round(epoch.validation_seconds, 4) for epoch in validated],
    }
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / 1e6, 1)
    row = {"layers": options.layers, **schedule, **accuracies, "seconds": seconds, "peak_memory_mb": peak}
    options.out.write_text(json.dumps(row) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

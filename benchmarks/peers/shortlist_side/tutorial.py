"""Train and time the deep retrieval tutorial with shortlist, in the form of the peers' programs beside this folder.

    python -m peers.shortlist_side.tutorial --data ml100k --layers 64,32 --seed 1 --out result.json # in benchmarks/

The data is the tutorial's split of MovieLens 100K, the one that the peers are handed as files (`--data`, unused here).
"""

# ruff: noqa: E402 - a clock starts before torch is imported
import time

STARTED = time.perf_counter()  # Python's own start, some 20 ms, is not counted; torch's import is

import argparse
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # as the command line sets it, before torch loads OpenMP

import shortlist as sl
from peers.program import KS, accuracy_name, make_parser, parse_options, run, seconds_of


def train(_: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The tutorial's training at one depth: the accuracies and seconds of `result.json`."""
    schedule = {"epochs": options.epochs, "validate_every": options.validate_every, "seed": options.seed}
    experiment = sl.load_preset("tutorial").override(
        {"model": {"two_tower": {"layers": options.layers}}, "training": {"schedule": schedule}}
    )
    data = experiment.data.load()
    begun = time.perf_counter()
    run_of = sl.run_experiment(experiment, data=data, progress=False)
    ended = time.perf_counter()
    epochs = run_of.history.epochs
    validated = [epoch for epoch in epochs if epoch.metrics]
    names = {accuracy_name(k): experiment.evaluation.protocol.name(accuracy_name(k)) for k in KS}
    accuracies = {short: [epoch.metrics[name] for epoch in validated] for short, name in names.items()}
    laps = [epoch.seconds for epoch in epochs], [epoch.validation_seconds for epoch in validated]
    return {**accuracies, "seconds": seconds_of(STARTED, begun, ended, *laps)}


def main() -> None:
    """Train, write."""
    parser = make_parser("peers.shortlist_side.tutorial", "Train the deep retrieval tutorial and time it.")
    run(parse_options(parser), Path, train, f"shortlist {version('shortlist')}")


if __name__ == "__main__":
    main()

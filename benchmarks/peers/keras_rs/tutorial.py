"""Train and time the deep retrieval tutorial with keras-rs on MovieLens 100K; the result is a JSON file.

The peer run of a benchmark: it runs in an environment of its own (`requirements.txt`) and knows nothing of shortlist.
The two meet only in files, the rows of `--data` and the numbers of `--out`, so both train and test on the same rows.

    python tutorial.py --data ml100k --layers 64,32 --epochs 300 --validate-every 5 --seed 1 --out result.json

Of the tutorial it keeps features, widths, batches, loss, optimizer and initial weights, and the statistics that it
takes from test rows too. It is written as the examples of keras-rs are, and differs from the tutorial as they do. Ids,
moments and words are encoded to integers beforehand, with NumPy (`encoded.py`): Keras' StringLookup and
TextVectorization need TensorFlow, whatever the backend. Rows for unknown ids are left out, as every id is known. A
validation encodes the catalogue once, in which each title stands once, and looks for the title among the top ones of
a BruteForceRetrieval; like the tutorial's it also computes the loss of the test batches, which nobody reads.

The backend is PyTorch unless said otherwise. Keras compiles for JAX and not for PyTorch, by default, and with either
an epoch of [32] takes 1.1 to 1.3 seconds on two cores; but PyTorch has nothing to compile in the first epoch, and
validates in 0.65 seconds in place of 0.75. Its whole process was the fastest in each of three rounds of 13 epochs
(18.7 to 21.7 seconds; JAX 21.4 to 24.4, TensorFlow 24.2 to 28.1). With TensorFlow an epoch takes 1.1 to 4.3 seconds,
since Keras feeds arrays through tf.data with its tuning on; with that off, each took 1.1 to 1.2.
Source: https://www.tensorflow.org/recommenders/examples/deep_recommenders and the examples of keras-rs
"""

# ruff: noqa: E402 - a clock starts before NumPy is imported
import time

STARTED = time.perf_counter()  # Python's own start, some 20 ms, is not counted; the imports of Keras and NumPy are

import argparse
import json
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from encoded import MovieLens, read_movielens

DISTRIBUTIONS = {"jax": "jax", "tensorflow": "tensorflow-cpu", "torch": "torch"}  # of each backend


def peak_memory_mb() -> float:
    """The most memory this process held at once, in units of 10^6 bytes; Linux counts it in KiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / 1e6, 1)


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Puts the result in place at once, so that a reader never meets half a file."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(result) + "\n", encoding="utf-8")
    unfinished.replace(path)


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected whole numbers above 0, got {text!r}")
    return int(text)


def layer_widths(text: str) -> list[int]:
    """The widths of a tower's dense layers, first to last, from numbers set apart by commas."""
    return [positive(part) for part in text.split(",")]


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options; ends the process with code 2 where they make no sense."""
    parser = argparse.ArgumentParser(
        description="Train the deep retrieval tutorial with keras-rs and write its accuracies and seconds.",
        epilog="example: python tutorial.py --data ml100k --layers 64,32 --seed 1 --out result.json",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train.npz, test.npz and items.npz")
    parser.add_argument("--layers", type=layer_widths, required=True, help="widths of the dense layers, as in 64,32")
    parser.add_argument("--epochs", type=positive, default=300, help="how often to go through the training rows")
    parser.add_argument("--validate-every", type=positive, default=5, help="epochs from one validation to the next")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and of the order of rows")
    parser.add_argument("--backend", choices=sorted(DISTRIBUTIONS), default="torch", help="what Keras computes with")
    parser.add_argument("--out", type=Path, required=True, help="file for the result, replaced if it exists")
    options = parser.parse_args(arguments)
    if options.validate_every > options.epochs:
        parser.error(f"--validate-every {options.validate_every} never comes within --epochs {options.epochs}")
    if not options.out.resolve().parent.is_dir():
        parser.error(f"--out {options.out}: its folder does not exist; make it first")
    if find_spec(options.backend) is None:
        parser.error(
            f"--backend {options.backend}: {DISTRIBUTIONS[options.backend]} is not installed for this Python; make an "
            "environment for it as requirements.txt says"
        )
    return options


def train(data: MovieLens, options: argparse.Namespace) -> dict[str, Any]:
    """The tutorial's training at one depth: the accuracies and seconds of `result.json`."""
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # keeps stderr for progress
    from model import fit  # imports Keras, which reads its backend from the environment then and never again

    done = fit(data, options.layers, epochs=options.epochs, validate_every=options.validate_every, seed=options.seed)
    seconds = {
        "fit": round(done.ended - done.begun, 3),
        "startup": round(done.begun - STARTED, 3),
        "epoch": [round(lap, 4) for lap in done.epoch_seconds],
        "validation": [round(lap, 4) for lap in done.validation_seconds],
    }
    # Keras gives float32 widened to float64; six places drop its tail.
    accuracies = {name: [round(value, 6) for value in values] for name, values in done.accuracies.items()}
    return {**accuracies, "seconds": seconds}


def main() -> None:
    """Read, train, write."""
    options = parse_options()
    try:
        data = read_movielens(options.data)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"tutorial.py: {error}")
    measured = train(data, options)
    distributions = ("keras-rs", "keras", DISTRIBUTIONS[options.backend])
    settings = {
        "layers": options.layers,
        "epochs": options.epochs,
        "validate_every": options.validate_every,
        "seed": options.seed,
        "library": ", ".join(f"{name} {version(name)}" for name in distributions),
    }
    write_json(options.out, {**settings, **measured, "peak_memory_mb": peak_memory_mb()})


if __name__ == "__main__":
    main()

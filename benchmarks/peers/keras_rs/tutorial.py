"""Train and time the deep retrieval tutorial with keras-rs on MovieLens 100K; the result is a JSON file.

The peer run of a benchmark: it runs in an environment of its own (`requirements.txt`) and knows nothing of shortlist.
The two meet only in files, the rows of `--data` and the numbers of `--out`, so both train and test on the same rows.

    python -m peers.keras_rs.tutorial --data ml100k --layers 64,32 --seed 1 --out result.json # in benchmarks/

Of the tutorial it keeps features, widths, batches, loss, optimizer and initial weights, and the statistics that it
takes from test rows too. It is written as the examples of keras-rs are, and differs from the tutorial as they do. Ids,
moments and words are encoded to integers beforehand, with NumPy (`peers/encoded.py`): Keras' StringLookup and
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
import os
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from peers.encoded import MovieLens, read_movielens
from peers.program import make_parser, parse_options, run, seconds_of

DISTRIBUTIONS = {"jax": "jax", "tensorflow": "tensorflow-cpu", "torch": "torch"}  # of each backend


def read_flags() -> argparse.Namespace:
    """The command line's options, with the backend; ends the process with code 2 where they make no sense."""
    parser = make_parser("peers.keras_rs.tutorial", "Train the deep retrieval tutorial with keras-rs and time it.")
    parser.add_argument("--backend", choices=sorted(DISTRIBUTIONS), default="torch", help="what Keras computes with")
    options = parse_options(parser)
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
    # This imports Keras, which reads its backend from the environment then and never again.
    from peers.keras_rs.model import fit

    done = fit(data, options.layers, epochs=options.epochs, validate_every=options.validate_every, seed=options.seed)
    seconds = seconds_of(STARTED, done.begun, done.ended, done.epoch_seconds, done.validation_seconds)
    # Keras gives float32 widened to float64; six places drop its tail.
    accuracies = {name: [round(value, 6) for value in values] for name, values in done.accuracies.items()}
    return {**accuracies, "seconds": seconds}


def main() -> None:
    """Read, train, write."""
    options = read_flags()
    distributions = ("keras-rs", "keras", DISTRIBUTIONS[options.backend])
    run(options, read_movielens, train, ", ".join(f"{name} {version(name)}" for name in distributions))


if __name__ == "__main__":
    main()

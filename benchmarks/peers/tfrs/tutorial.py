"""Train and time the deep retrieval tutorial of TensorFlow Recommenders on MovieLens 100K; the result is a JSON file.

The peer run of a benchmark: it runs in an environment of its own (`requirements.txt`) and knows nothing of shortlist.
The two meet only in files, the rows of `--data` and the numbers of `--out`, so both train and test on the same rows.

    python tutorial.py --data ml100k --layers 64,32 --epochs 300 --validate-every 5 --seed 1 --out result.json

Of the tutorial it keeps every choice that bears on the model: features, widths, batches, loss, optimizer, and the
statistics that it takes from test rows too. It differs where that is faster or the benchmark needs it: the split is
given, rows are held in memory instead of being read by tensorflow-datasets, and tf.data's tuning is off (`rows_of`).
Source: https://www.tensorflow.org/recommenders/examples/deep_recommenders
"""

# ruff: noqa: E402 - a clock starts and TensorFlow's environment is set before it is imported
import time

STARTED = time.perf_counter()  # Python's own start, some 20 ms, is not counted; TensorFlow's import is

import argparse
import json
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFRS 0.7.7 subclasses Keras 2 models and fails on Keras 3
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # keeps stderr for progress; must precede the import

import tensorflow as tf
import tensorflow_recommenders as tfrs

WIDTH = 32
NUM_BOUNDARIES = 1_000
MAX_TOKENS = 10_000
LEARNING_RATE = 0.1
CANDIDATE_BATCH = 128
TRAIN_BATCH = 2_048
TEST_BATCH = 4_096
KS = (1, 5, 10, 50, 100)
DISTRIBUTIONS = ("tensorflow-recommenders", "tensorflow-cpu", "tf-keras")

Features = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class Ratings:
    """Who rated which item when: three arrays of one length, a row a rating."""

    user_id: np.ndarray
    item_row: np.ndarray
    timestamp: np.ndarray


@dataclass(frozen=True)
class MovieLens:
    """Both sides of the split, and the title of every item row; a few titles occur twice."""

    train: Ratings
    test: Ratings
    title: np.ndarray

    @property
    def user_ids(self) -> np.ndarray:
        return np.concatenate([self.train.user_id, self.test.user_id])

    @property
    def timestamps(self) -> np.ndarray:
        return np.concatenate([self.train.timestamp, self.test.timestamp])


def read_movielens(folder: Path) -> MovieLens:
    """The data of a folder with `train.npz`, `test.npz` and `items.npz`.

    Raises ValueError where an array has another length than its neighbours, or an item row has no title.
    """
    with np.load(folder / "items.npz", allow_pickle=False) as arrays:
        title = arrays["title"]
    train = read_ratings(folder / "train.npz", num_items=len(title))
    test = read_ratings(folder / "test.npz", num_items=len(title))
    return MovieLens(train, test, title)


def read_ratings(path: Path, num_items: int) -> Ratings:
    """The ratings of one file, each item row checked to lie below `num_items`."""
    with np.load(path, allow_pickle=False) as arrays:
        ratings = Ratings(arrays["user_id"], arrays["item_row"], arrays["timestamp"])
    lengths = [len(ratings.user_id), len(ratings.item_row), len(ratings.timestamp)]
    if len(set(lengths)) != 1 or lengths[0] == 0:
        raise ValueError(
            f"{path}: expected user_id, item_row and timestamp of one length above 0, got {lengths}; "
            "write the file anew"
        )
    lowest, highest = int(ratings.item_row.min()), int(ratings.item_row.max())
    if lowest < 0 or highest >= num_items:
        raise ValueError(
            f"{path}: expected item_row from 0 to {num_items - 1}, got {lowest} to {highest}; "
            "write it anew together with items.npz"
        )
    return ratings


def rows_of(ratings: Ratings, title: np.ndarray) -> tf.data.Dataset:
    """The ratings one by one, each a mapping with a user id, a title and a timestamp."""
    columns = {"user_id": ratings.user_id, "title": title[ratings.item_row], "timestamp": ratings.timestamp}
    options = tf.data.Options()
    # No stage here is parallel, so there is nothing to tune; with tuning on, about half of the epochs and validations
    # ended in 2 to 5 seconds without any work (TensorFlow 2.21.0, two cores), while an epoch itself takes one.
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices(columns).with_options(options)


class UserFeatures(tf.keras.layers.Layer):
    """What a query tower starts from: (B, 65), the embedded user, the embedded moment, and the moment as a number."""

    def __init__(self, data: MovieLens) -> None:
        super().__init__()
        users, timestamps = np.unique(data.user_ids), data.timestamps
        boundaries = np.linspace(timestamps.min(), timestamps.max(), num=NUM_BOUNDARIES)
        self.user = embedded_lookup(users)
        self.moment = tf.keras.Sequential(
            [
                tf.keras.layers.Discretization(boundaries.tolist()),
                tf.keras.layers.Embedding(len(boundaries) + 1, WIDTH),
            ]
        )
        self.scaled_moment = tf.keras.layers.Normalization(axis=None)
        self.scaled_moment.adapt(timestamps)

    def call(self, features: Features) -> tf.Tensor:
        timestamp = features["timestamp"]
        scaled = tf.reshape(self.scaled_moment(timestamp), (-1, 1))  # (B,) -> (B, 1)
        return tf.concat([self.user(features["user_id"]), self.moment(timestamp), scaled], axis=1)


class TitleFeatures(tf.keras.layers.Layer):
    """What an item tower starts from: (B, 64), the embedded title and the mean of its embedded words."""

    def __init__(self, data: MovieLens) -> None:
        super().__init__()
        words = tf.keras.layers.TextVectorization(max_tokens=MAX_TOKENS)
        words.adapt(data.title)
        self.title = embedded_lookup(np.unique(data.title))
        self.words = tf.keras.Sequential(
            [
                words,
                tf.keras.layers.Embedding(MAX_TOKENS, WIDTH, mask_zero=True),
                tf.keras.layers.GlobalAveragePooling1D(),
            ]
        )

    def call(self, title: tf.Tensor) -> tf.Tensor:
        return tf.concat([self.title(title), self.words(title)], axis=1)


def embedded_lookup(vocabulary: np.ndarray) -> tf.keras.Sequential:
    """Turns a string of the vocabulary into its vector; all other strings share one more."""
    return tf.keras.Sequential(
        [
            tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None),
            tf.keras.layers.Embedding(len(vocabulary) + 1, WIDTH),
        ]
    )


def tower(features: tf.keras.layers.Layer, layers: Sequence[int]) -> tf.keras.Sequential:
    """The features under a stack of dense layers, ReLU between them and nothing after the last."""
    hidden = [tf.keras.layers.Dense(width, activation="relu") for width in layers[:-1]]
    return tf.keras.Sequential([features, *hidden, tf.keras.layers.Dense(layers[-1])])


class DeepRetrieval(tfrs.Model):
    """The tutorial's model: two towers of equal depth, trained to tell a rating's item from the others of its batch."""

    def __init__(self, data: MovieLens, layers: Sequence[int]) -> None:
        super().__init__()
        self.query_tower = tower(UserFeatures(data), layers)
        self.item_tower = tower(TitleFeatures(data), layers)
        items = tf.data.Dataset.from_tensor_slices(data.title).batch(CANDIDATE_BATCH)
        # Given as a dataset, the candidates are encoded anew for every test batch: the tutorial's cost, kept.
        accuracy = tfrs.metrics.FactorizedTopK(candidates=items.map(self.item_tower), ks=KS)
        self.task = tfrs.tasks.Retrieval(metrics=accuracy)

    def compute_loss(self, inputs: Features, training: bool = False) -> tf.Tensor:
        queries = self.query_tower({name: inputs[name] for name in ("user_id", "timestamp")})
        items = self.item_tower(inputs["title"])
        return self.task(queries, items, compute_metrics=not training)


def accuracy_name(k: int) -> str:
    """What Keras calls the accuracy at `k` of a validation."""
    return f"val_factorized_top_k/top_{k}_categorical_accuracy"


class Stopwatch(tf.keras.callbacks.Callback):
    """Splits a fit into seconds of training and of validation, and says on stderr where it stands.

    An epoch counts from the end of the one before, so that making its iterator is in it and the two lists add up to
    the whole fit. The first of each list holds the tracing of its graph.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch_seconds: list[float] = []
        self.validation_seconds: list[float] = []
        self._mark = 0.0
        self._validated = False

    def on_train_begin(self, _logs: Mapping[str, float] | None = None) -> None:
        self._mark = time.perf_counter()

    def on_test_begin(self, _logs: Mapping[str, float] | None = None) -> None:
        self.epoch_seconds.append(self._lap())
        self._validated = True

    def on_test_end(self, _logs: Mapping[str, float] | None = None) -> None:
        self.validation_seconds.append(self._lap())

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not self._validated:
            self.epoch_seconds.append(self._lap())
            return
        self._validated = False
        accuracy = (logs or {})[accuracy_name(KS[-1])]
        print(
            f"epoch {epoch + 1}/{self.params['epochs']}: top-{KS[-1]} accuracy {accuracy:.4f}, "
            f"epoch {self.epoch_seconds[-1]:.2f} s, validation {self.validation_seconds[-1]:.2f} s",
            file=sys.stderr,
            flush=True,
        )

    def _lap(self) -> float:
        now = time.perf_counter()
        seconds, self._mark = now - self._mark, now
        return seconds


def train(data: MovieLens, options: argparse.Namespace) -> dict[str, Any]:
    """The tutorial's training at one depth: the accuracies and seconds of `result.json`."""
    tf.keras.utils.set_random_seed(options.seed)
    shuffled = rows_of(data.train, data.title).cache().shuffle(len(data.train.user_id), seed=options.seed)
    test = rows_of(data.test, data.title).batch(TEST_BATCH).cache()
    model = DeepRetrieval(data, options.layers)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(LEARNING_RATE))
    stopwatch = Stopwatch()
    begun = time.perf_counter()
    history = model.fit(
        shuffled.batch(TRAIN_BATCH),  # the cache lies before the shuffle, which would else deal one order for ever
        validation_data=test,
        validation_freq=options.validate_every,
        epochs=options.epochs,
        callbacks=[stopwatch],
        verbose=0,
    ).history
    ended = time.perf_counter()
    seconds = {
        "fit": round(ended - begun, 3),
        "startup": round(begun - STARTED, 3),
        "epoch": [round(lap, 4) for lap in stopwatch.epoch_seconds],
        "validation": [round(lap, 4) for lap in stopwatch.validation_seconds],
    }
    # Keras gives float32 widened to float64; six places drop its tail.
    accuracies = {f"top_{k}_accuracy": [round(float(value), 6) for value in history[accuracy_name(k)]] for k in KS}
    return {**accuracies, "seconds": seconds}


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
        description="Train TensorFlow Recommenders' deep retrieval tutorial and write its accuracies and seconds.",
        epilog="example: python tutorial.py --data ml100k --layers 64,32 --seed 1 --out result.json",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train.npz, test.npz and items.npz")
    parser.add_argument("--layers", type=layer_widths, required=True, help="widths of the dense layers, as in 64,32")
    parser.add_argument("--epochs", type=positive, default=300, help="how often to go through the training rows")
    parser.add_argument("--validate-every", type=positive, default=5, help="epochs from one validation to the next")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and of the order of rows")
    parser.add_argument("--out", type=Path, required=True, help="file for the result, replaced if it exists")
    options = parser.parse_args(arguments)
    if options.validate_every > options.epochs:
        parser.error(f"--validate-every {options.validate_every} never comes within --epochs {options.epochs}")
    if not options.out.resolve().parent.is_dir():
        parser.error(f"--out {options.out}: its folder does not exist; make it first")
    return options


def main() -> None:
    """Read, train, write."""
    options = parse_options()
    try:
        data = read_movielens(options.data)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"tutorial.py: {error}")
    measured = train(data, options)
    settings = {
        "layers": options.layers,
        "epochs": options.epochs,
        "validate_every": options.validate_every,
        "seed": options.seed,
        "library": ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS),
    }
    write_json(options.out, {**settings, **measured, "peak_memory_mb": peak_memory_mb()})


if __name__ == "__main__":
    main()

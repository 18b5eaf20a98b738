"""Train and time the deep retrieval tutorial of TensorFlow Recommenders on MovieLens 100K; the result is a JSON file.

The peer run of a benchmark: it runs in an environment of its own (`requirements.txt`) and knows nothing of shortlist.
The two meet only in files, the rows of `--data` and the numbers of `--out`, so both train and test on the same rows.

    python -m peers.tfrs.tutorial --data ml100k --layers 64,32 --seed 1 --out result.json # in benchmarks/

Of the tutorial it keeps every choice that bears on the model: features, widths, batches, loss, optimizer, and the
statistics that it takes from test rows too. It differs where that is faster or the benchmark needs it: the split is
given, rows are held in memory instead of being read by tensorflow-datasets, and tf.data's tuning is off (`rows_of`).
Source: https://www.tensorflow.org/recommenders/examples/deep_recommenders
"""

# ruff: noqa: E402 - a clock starts and TensorFlow's environment is set before it is imported
import time

STARTED = time.perf_counter()  # Python's own start, some 20 ms, is not counted; TensorFlow's import is

import argparse
import os
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

from peers.encoded import MAX_TOKENS, NUM_BOUNDARIES, read_columns
from peers.program import (
    KS,
    LEARNING_RATE,
    TEST_BATCH,
    TRAIN_BATCH,
    WIDTH,
    accuracy_name,
    make_parser,
    parse_options,
    run,
    seconds_of,
)
from peers.stopwatch import Stopwatch

CANDIDATE_BATCH = 128
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
    columns = read_columns(path, num_items)
    return Ratings(columns["user_id"], columns["item_row"], columns["timestamp"])


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


def keras_name(k: int) -> str:
    """What Keras calls the accuracy at `k` of a validation."""
    return f"val_factorized_top_k/top_{k}_categorical_accuracy"


class KerasStopwatch(Stopwatch, tf.keras.callbacks.Callback):
    """The stopwatch as a callback of this Keras."""


def train(data: MovieLens, options: argparse.Namespace) -> dict[str, Any]:
    """The tutorial's training at one depth: the accuracies and seconds of `result.json`."""
    tf.keras.utils.set_random_seed(options.seed)
    shuffled = rows_of(data.train, data.title).cache().shuffle(len(data.train.user_id), seed=options.seed)
    test = rows_of(data.test, data.title).batch(TEST_BATCH).cache()
    model = DeepRetrieval(data, options.layers)
    model.compile(optimizer=tf.keras.optimizers.Adagrad(LEARNING_RATE))
    stopwatch = KerasStopwatch(keras_name(KS[-1]))
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
    seconds = seconds_of(STARTED, begun, ended, stopwatch.epoch_seconds, stopwatch.validation_seconds)
    # Keras gives float32 widened to float64; six places drop its tail.
    accuracies = {accuracy_name(k): [round(float(value), 6) for value in history[keras_name(k)]] for k in KS}
    return {**accuracies, "seconds": seconds}


def main() -> None:
    """Read, train, write."""
    parser = make_parser("peers.tfrs.tutorial", "Train TensorFlow Recommenders' deep retrieval tutorial and time it.")
    library = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    run(parse_options(parser), read_movielens, train, library)


if __name__ == "__main__":
    main()

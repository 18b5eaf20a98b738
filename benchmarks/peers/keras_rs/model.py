"""The tutorial's two towers in keras-rs. KERAS_BACKEND must be set before this module is imported."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import keras_rs

from peers.encoded import MAX_TOKENS, NUM_BOUNDARIES, Columns, MovieLens
from peers.program import KS, LEARNING_RATE, TEST_BATCH, TRAIN_BATCH, WIDTH, accuracy_name
from peers.stopwatch import Stopwatch

__all__ = ["Fit", "fit"]

Tensor = Any  # of whichever backend runs
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Fit:
    """What one training gave: when it began and ended by `time.perf_counter`, its laps in seconds, its accuracies."""

    begun: float
    ended: float
    epoch_seconds: list[float]
    validation_seconds: list[float]
    accuracies: dict[str, list[float]]


def dense(layers: Sequence[int]) -> keras.Sequential:
    """A stack of dense layers, ReLU between them and nothing after the last."""
    hidden = [keras.layers.Dense(width, activation="relu") for width in layers[:-1]]
    return keras.Sequential([*hidden, keras.layers.Dense(layers[-1])])


class QueryTower(keras.Model):
    """A user at a moment as a vector: both embedded, the moment as a number beside them, dense layers over all."""

    def __init__(self, num_users: int, layers: Sequence[int]) -> None:
        super().__init__()
        self.user = keras.layers.Embedding(num_users, WIDTH)
        self.moment = keras.layers.Embedding(NUM_BOUNDARIES + 1, WIDTH)
        self.dense = dense(layers)

    def call(self, inputs: Tensors) -> Tensor:
        features = [self.user(inputs["user"]), self.moment(inputs["moment"]), inputs["scaled_moment"]]
        return self.dense(keras.ops.concatenate(features, axis=1))


class ItemTower(keras.Model):
    """A title as a vector: itself and the mean of its words embedded, dense layers over both."""

    def __init__(self, num_titles: int, layers: Sequence[int]) -> None:
        super().__init__()
        self.title = keras.layers.Embedding(num_titles, WIDTH)
        self.words = keras.Sequential(
            [keras.layers.Embedding(MAX_TOKENS, WIDTH, mask_zero=True), keras.layers.GlobalAveragePooling1D()]
        )
        self.dense = dense(layers)

    def call(self, inputs: Tensors) -> Tensor:
        features = [self.title(inputs["title"]), self.words(inputs["words"])]
        return self.dense(keras.ops.concatenate(features, axis=1))


class TopKAccuracy(keras.metrics.Metric):
    """The share of rows whose title is among the top K [B, 100], for every K.

    One metric for all K, in place of a SparseTopKCategoricalAccuracy for each: those cut the top titles to their K,
    and XLA then no longer sees a top-K search but sorts all scores, which took ten times as long (JAX 0.10.2).
    """

    def __init__(self) -> None:
        super().__init__(name="top_k_accuracy")
        self.hits = self.add_weight(shape=(max(KS),), initializer="zeros", name="hits")  # by rank, the best first
        self.rows = self.add_weight(initializer="zeros", name="rows")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:  # noqa: ARG002
        matches = keras.ops.equal(keras.ops.reshape(y_true, (-1, 1)), y_pred)  # [B, 1] against [B, 100]
        matches = keras.ops.cast(matches, self.dtype)
        self.hits.assign(self.hits + keras.ops.sum(matches, axis=0))
        self.rows.assign(self.rows + keras.ops.cast(keras.ops.shape(y_pred)[0], self.dtype))

    def result(self) -> dict[str, Tensor]:
        return {accuracy_name(k): keras.ops.divide_no_nan(keras.ops.sum(self.hits[:k]), self.rows) for k in KS}


class TwoTowers(keras.Model):
    """Two towers of equal depth, trained to tell a rating's title from the others of its batch.

    Built as the examples of keras-rs build theirs: a retrieval layer holds the vectors of the catalogue, and its top
    titles go to the metric, which compares them with the target `y`, the rating's own title. The labels of the loss
    are a matrix as there; as integers (SparseCategoricalCrossentropy) they give the same loss, in about a tenth less
    time with PyTorch and in the same with JAX.
    """

    def __init__(self, data: MovieLens, layers: Sequence[int]) -> None:
        super().__init__()
        self.query_tower = QueryTower(data.num_users, layers)
        self.item_tower = ItemTower(data.num_titles, layers)
        self.retrieval = keras_rs.layers.BruteForceRetrieval(k=max(KS), return_scores=False)
        self.update_candidates(data.catalogue)
        self.softmax = keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum")
        self.accuracy = TopKAccuracy()

    def update_candidates(self, catalogue: Columns) -> None:
        """Encode the whole catalogue, in one batch, for the retrieval layer."""
        vectors = self.item_tower.predict(catalogue, batch_size=len(catalogue["title"]), verbose=0)
        self.retrieval.update_candidates(vectors)

    def call(self, inputs: Tensors, training: bool = False) -> dict[str, Tensor]:
        queries = self.query_tower({name: inputs[name] for name in ("user", "moment", "scaled_moment")})
        vectors = {"queries": queries, "items": self.item_tower({name: inputs[name] for name in ("title", "words")})}
        return vectors if training else {**vectors, "top": self.retrieval(queries)}

    def compute_loss(self, x: Tensors, y: Tensor, y_pred: Tensors, sample_weight: Tensor = None) -> Tensor:  # noqa: ARG002
        scores = keras.ops.matmul(y_pred["queries"], keras.ops.transpose(y_pred["items"]))
        return self.softmax(keras.ops.eye(keras.ops.shape(scores)[0]), scores)

    def compute_metrics(
        self,
        x: Tensors,  # noqa: ARG002
        y: Tensor,
        y_pred: Tensors,
        sample_weight: Tensor = None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        if "top" in y_pred:  # an evaluation
            self.accuracy.update_state(y, y_pred["top"])
        return self.get_metrics_result()


class FreshCandidates(keras.callbacks.Callback):
    """Encodes the catalogue with the weights of now before every evaluation.

    The examples of keras-rs do it in the model's own `evaluate`, before any callback hears of the evaluation, so that a
    stopwatch would count it as training. Here it stands after the stopwatch in the list of callbacks.
    """

    def __init__(self, catalogue: Columns) -> None:
        super().__init__()
        self.catalogue = catalogue

    def on_test_begin(self, _logs: Mapping[str, float] | None = None) -> None:
        self.model.update_candidates(self.catalogue)


class PatientStopwatch(Stopwatch, keras.callbacks.Callback):
    """Waits for JAX, which hands out results before it has them: a bias can be read once the last step is done."""

    def wait(self) -> None:
        keras.ops.convert_to_numpy(self.model.trainable_variables[-1])


def fit(data: MovieLens, layers: Sequence[int], *, epochs: int, validate_every: int, seed: int) -> Fit:
    """Train the tutorial's model at one depth."""
    keras.utils.set_random_seed(seed)
    model = TwoTowers(data, layers)
    model.compile(keras.optimizers.Adagrad(LEARNING_RATE, initial_accumulator_value=0.1, epsilon=1e-7))
    stopwatch = PatientStopwatch(f"val_{accuracy_name(KS[-1])}")
    begun = time.perf_counter()
    history = model.fit(
        data.train,
        data.train["title"],
        batch_size=TRAIN_BATCH,
        validation_data=(data.test, data.test["title"]),
        validation_batch_size=TEST_BATCH,
        validation_freq=validate_every,
        epochs=epochs,
        callbacks=[stopwatch, FreshCandidates(data.catalogue)],
        verbose=0,
    ).history
    return Fit(
        begun,
        time.perf_counter(),
        stopwatch.epoch_seconds,
        stopwatch.validation_seconds,
        {accuracy_name(k): [float(value) for value in history[f"val_{accuracy_name(k)}"]] for k in KS},
    )

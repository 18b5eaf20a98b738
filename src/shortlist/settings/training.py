"""What a user decides about the loss, the optimiser and the schedule of training."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from shortlist.choice import Number, Positive, Seed, Share, Whole, choice
from shortlist.errors import SettingsError
from shortlist.settings.model import TwoTowerSettings

__all__ = [
    "Adagrad",
    "AdamW",
    "AnyLoss",
    "AnyOptimizer",
    "Bpr",
    "Checkpointing",
    "CosineContrastive",
    "FullSoftmax",
    "InBatchSoftmax",
    "LazyAdam",
    "PairwiseHinge",
    "RowwiseAdagrad",
    "SampledNegatives",
    "Training",
    "refuse_other_scores",
]

PositiveNumber = Annotated[Number, Field(gt=0, le=1e30)]  # torch computes in float32
NotNegative = Annotated[Number, Field(ge=0)]
# Whole numbers that may be none.
Count = Annotated[Whole, Field(ge=0)]


@choice
class SampledNegatives:
    """What the losses over sampled negatives share: the items of the batch's other events, and more.

    `uniform_negatives` items are drawn besides for each batch, all with the same chance: these are the items that
    nobody in the batch touched, which a model served over a whole catalogue must rank too (mixed negatives: Yang et al.
    2020, https://doi.org/10.1145/3366424.3386195). `popular_negatives` are drawn by how often training touched them, to
    the power of 0.75. `memory_batches` keeps the items of so many earlier batches among the candidates, with the
    vectors that they had then; see `shortlist.training.ItemMemory`.

    `remove_known_positives` takes what a row's user touched at other times in training out of its negatives, which
    in-batch negatives otherwise hold the more often the more popular items are. With `hard_negatives` only so many of a
    row's negatives stay, those that the model scores highest as it is; see `shortlist.losses.hard_negatives`. What was
    shown with an event and not touched is a negative of that event `shown_weight` times more, wherever the data says
    it.

    Uniform draws are of the whole catalogue, and without `untouched_negatives` of what training touched or what was
    shown alone: items that nobody has had the chance to touch were refused by nobody. They then have no score to speak
    of but what their features say, so leave them in wherever most of them are old and unwanted.
    """

    uniform_negatives: Count = 0
    popular_negatives: Count = 0
    remove_known_positives: bool = False
    memory_batches: Count = 0
    hard_negatives: Positive | None = None
    shown_weight: NotNegative = 1.0
    untouched_negatives: bool = True


@choice
class InBatchSoftmax(SampledNegatives):
    """Softmax cross entropy over the items of the batch; see `shortlist.losses.in_batch_softmax`.

    `log_q` corrects for popular items being everyone's negatives, by how often each item is expected among a batch's
    candidates, whatever they were drawn from; `log_q = "streaming"` learns that from the batches as they go by, for
    frequencies that drift (`shortlist.training.StreamingFrequency`). Below a `log_q_strength` of 1 popular items stay
    at some disadvantage, above they have an advantage; it is nothing without `log_q`. `remove_accidental_hits` keeps a
    row's own item out of its negatives. Events' weights count wherever the data has them.
    """

    reduction: Literal["sum", "mean"] = "mean"
    temperature: PositiveNumber = 1.0
    log_q: bool | Literal["streaming"] = False
    log_q_strength: PositiveNumber = 1.0
    remove_accidental_hits: bool = False
    label_smoothing: Share = 0.0


@choice
class FullSoftmax:
    """Softmax cross entropy over the whole catalogue, for one small enough; see `shortlist.losses.full_softmax`.

    Without `untouched_negatives` it takes only what training touched or what was shown; see `SampledNegatives`.
    `remove_known_positives`, `hard_negatives` and `shown_weight` are those of the losses over samples.
    """

    reduction: Literal["sum", "mean"] = "mean"
    temperature: PositiveNumber = 1.0
    remove_known_positives: bool = False
    label_smoothing: Share = 0.0
    hard_negatives: Positive | None = None
    shown_weight: NotNegative = 1.0
    untouched_negatives: bool = True


@choice
class Bpr(SampledNegatives):
    """Each positive above each negative, by a logistic loss; see `shortlist.losses.bpr`."""

    reduction: Literal["sum", "mean"] = "mean"
    temperature: PositiveNumber = 1.0


@choice
class PairwiseHinge(SampledNegatives):
    """Each positive above each negative by a margin; see `shortlist.losses.pairwise_hinge`."""

    reduction: Literal["sum", "mean"] = "mean"
    temperature: PositiveNumber = 1.0
    margin: PositiveNumber = 1.0


@choice
class CosineContrastive(SampledNegatives):
    """Positives near, negatives beyond a margin of the cosine; see `shortlist.losses.cosine_contrastive`.

    For towers with `normalize = true`.
    """

    reduction: Literal["sum", "mean"] = "mean"
    margin: Annotated[Number, Field(gt=-1, lt=1)] = 0.8
    negative_weight: PositiveNumber = 150.0


def refuse_other_scores(loss: object, model: TwoTowerSettings) -> None:
    """Raise `SettingsError` for a loss over cosines with a model whose scores are others."""
    cosines = model.normalize and not model.item_bias and model.learned_temperature is None
    if isinstance(loss, CosineContrastive) and not cosines:
        raise SettingsError(
            "cosine_contrastive compares cosines with its margin: the model needs normalize = true, and neither an "
            "item_bias nor a learned_temperature."
        )


AnyLoss = InBatchSoftmax | FullSoftmax | Bpr | PairwiseHinge | CosineContrastive


@choice
class Adagrad:
    """Adagrad as Keras has it: the accumulator starts above zero, and epsilon stands under the root.

    Each step adds g² to the accumulator and moves a weight by learning_rate · g / √(accumulator + epsilon).
    Large embedding tables are updated in the rows used only.
    """

    learning_rate: PositiveNumber = 0.1
    initial_accumulator: NotNegative = 0.1
    epsilon: PositiveNumber = 1e-7


@choice
class RowwiseAdagrad:
    """`Adagrad` with one accumulator for each row of an embedding table, which grows by the mean of the row's g².

    A table's state then takes 1/width of its memory, for tables that would not fit twice. Dense layers are moved as
    `Adagrad` moves them.
    """

    learning_rate: PositiveNumber = 0.1
    initial_accumulator: NotNegative = 0.1
    epsilon: PositiveNumber = 1e-7


@choice
class LazyAdam:
    """AdamW that moves only the rows of an embedding table that a batch used, weight decay included.

    Use it where tables are large: a step's cost does not grow with them. A row's moments stand still while it is not
    used, so that it does not drift between its batches as under `AdamW`.
    """

    learning_rate: PositiveNumber = 1e-3
    weight_decay: NotNegative = 0.0
    beta1: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[Number, Field(ge=0, lt=1)] = 0.999
    epsilon: PositiveNumber = 1e-8


@choice
class AdamW:
    """AdamW (Loshchilov and Hutter 2019). Every step passes over all weights, whole embedding tables included:

    10 million rows of width 32 cost some 9 GB of memory traffic in each step. `LazyAdam` does not do that.
    """

    learning_rate: PositiveNumber = 1e-3
    weight_decay: NotNegative = 0.01
    beta1: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[Number, Field(ge=0, lt=1)] = 0.999
    epsilon: PositiveNumber = 1e-8


AnyOptimizer = Adagrad | RowwiseAdagrad | LazyAdam | AdamW


@choice
class Training:
    """How long, in what batches, and what is watched on the way.

    Every `validate_every` epochs the events that `watch` names are ranked and the metrics go into the history.
    With `patience` training stops once `metric` (the protocol's decisive one where it is left out) has not
    improved for that many validations, and the best weights are taken back; this needs `watch="validation"`,
    since a model chosen on its test events has no honest test any more. `seed` fixes weights, order and dropout.

    With `refit` the model is then trained anew on training and validation events together, up to the epoch that the
    validation chose: the latest events are the ones that a served model needs most. What the validation saw is told
    by the history; the result is measured on the test events, which chose nothing.

    The learning rate is the optimiser's; over the first `warmup` share of the steps it grows to that from nothing, and
    with a `decay` it falls to nothing over the rest, evenly ("linear") or along half a cosine. A falling rate ends in
    weights that need no averaging; it makes `epochs` a choice that matters.

    With a `half_life` an event weighs half as much for every so many seconds that it lies before the latest one
    (weights that the data has are multiplied): what people want moves, and a model is asked about what comes next.

    `precision="bfloat16"` makes the products of towers and loss in bfloat16, about twice as fast where the processor or
    the GPU has it; weights, softmax and the optimiser stay float32, and so does every validation. `device="auto"` takes
    a GPU where there is one.
    """

    epochs: Positive = 20
    batch_size: Positive = 2048
    validate_every: Positive = 1
    watch: Literal["validation", "test", "nothing"] = "validation"
    patience: Positive | None = None
    metric: str | None = None
    refit: bool = False
    decay: Literal["none", "linear", "cosine"] = "none"
    warmup: Share = 0.0
    half_life: PositiveNumber | None = None
    seed: Seed = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        if self.patience is not None and self.watch != "validation":
            raise SettingsError(
                f'patience (early stopping) needs watch="validation", but watch is {self.watch!r}; a model chosen '
                "on its test events has no honest test any more."
            )
        if self.refit and self.patience is None:
            raise SettingsError(
                "refit trains anew up to the epoch that the validation events chose, which needs patience; set it to "
                "the number of epochs to try them all."
            )


@choice
class Checkpointing:
    """Where a training is written down on the way, and how often; it changes nothing in the result.

    `path` is a file, replaced whole by each new checkpoint: after every `every_steps` steps, and once
    `every_minutes` have gone by since the last. With `resume` the training goes on from the file where it is there. A
    refit is written to a file of its own beside it, `of_refit`'s.
    """

    path: Path
    every_steps: Positive | None = None
    every_minutes: PositiveNumber | None = 5.0
    resume: bool = False

    def of_refit(self) -> "Checkpointing":
        """The same for the second training of a `refit`."""
        return dataclasses.replace(self, path=self.path.with_stem(f"{self.path.stem}-refit"))

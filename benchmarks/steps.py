"""What the benchmarks share: synthetic events, training on them step by step, and a step's least cost. Not a benchmark.

Users ask with equal chance. Items have a tail as MovieLens has it: item n of N is asked for with a chance in proportion
to exp(−s·n/N), for a skew s. With s = 5 a batch of 2,048 has 790 unique ones of 1,682; MovieLens 100K has 780.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

import shortlist as sl
from measure import Part
from shortlist.losses import in_batch_softmax
from shortlist.models import EmbeddingTable, TowerInput
from shortlist.models.tower import Tower
from shortlist.settings.training import AnyOptimizer
from shortlist.training import Batch, Events, Tables, make_optimizer
from shortlist.training.optimizers import Optimizer
from shortlist.training.step import make_step

__all__ = ["MOVIELENS", "OPTIMIZERS", "Choice", "Trainer", "World", "step_parts"]

FLOAT = 4  # bytes
OPTIMIZERS: dict[str, AnyOptimizer] = {
    "adagrad": sl.Adagrad(),
    "rowwise_adagrad": sl.RowwiseAdagrad(),
    "lazy_adam": sl.LazyAdam(),
    "adamw": sl.AdamW(),
}


@dataclasses.dataclass(frozen=True)
class World:
    """How many events between how many users and items; a skew of None gives all items the same chance."""

    num_events: int
    num_users: int
    num_items: int
    skew: float | None = None

    def data(self) -> sl.Dataset:
        """The events, the same in every process, over the whole catalogue of items."""
        generator = np.random.default_rng(0)
        users = generator.integers(self.num_users, size=self.num_events)
        place = generator.random(self.num_events)
        if self.skew is not None:  # the inverse of the tail's distribution function
            place = -np.log1p(place * np.expm1(-self.skew)) / self.skew
        items = (self.num_items * place).astype(np.int64)
        catalogue = {"item": np.arange(self.num_items)}
        return sl.Dataset({"user": users, "item": items}, items=catalogue, query_id="user", item_id="item")


# As many users, items and training events as the tutorial has on MovieLens 100K.
MOVIELENS = World(num_events=80_000, num_users=943, num_items=1_682, skew=5.0)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What is trained: the widths of the ids' embeddings and of the layers, the optimiser and the rows of a batch.

    `user_rows` and `item_rows` are the rows of the ids' tables, shared by a hash; None: one for each id that is there.
    """

    layers: Sequence[int] = (32,)
    width: int = 32
    batch_size: int = 2_048
    optimizer: AnyOptimizer = dataclasses.field(default_factory=sl.Adagrad)
    user_rows: int | None = None
    item_rows: int | None = None

    def events(self, data: sl.Dataset) -> Events:
        """The events encoded for training."""
        features = sl.fit_features([self._ids("user", self.user_rows)], [self._ids("item", self.item_rows)], on=data)
        return Events(Tables(features, data), data)

    def _ids(self, column: str, rows: int | None) -> sl.Lookup | sl.Hash:
        return sl.Lookup(column, width=self.width) if rows is None else sl.Hash(column, num_rows=rows, width=self.width)


class Trainer:
    """A model that is trained on events, one step at each call of `step`, as the loop of a training does it.

    A step takes in the gathering of its batch, but that is done for many batches at once: it falls into the first step
    of each such group, and the median of single steps leaves it out. The optimiser's state is written once before: the
    system hands out memory at the first touch, which would else be timed in the steps of the first epochs.
    """

    def __init__(self, events: Events, choice: Choice) -> None:
        self.choice = choice
        self.model = sl.TwoTower(events.tables.features, layers=choice.layers)
        self.model.train()
        self.optimizer = make_optimizer(choice.optimizer, self.model)
        _touch(self.optimizer)
        self._step = make_step(self.model, in_batch_softmax, self.optimizer)
        self._batches = _whole_batches(events, choice.batch_size)

    def step(self) -> None:
        """Take the next batch, and move the weights."""
        self._step(next(self._batches))

    def parts(self) -> dict[str, Part]:
        """What a step must cost, counted on the next batch."""
        return step_parts(self.model, next(self._batches), self.choice.optimizer)

    def unique_items(self) -> int:
        """How many different items the next batch has."""
        return len(next(self._batches).item_rows)


def _whole_batches(events: Events, batch_size: int) -> Iterator[Batch]:
    """Batches of epoch after epoch, but for the smaller one at an epoch's end."""
    generator = torch.Generator().manual_seed(0)
    while True:
        for batch in events.epoch(batch_size, generator, None):
            if len(batch.user_rows) == batch_size:
                yield batch


def _touch(optimizer: Optimizer) -> None:
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                value.mul_(1)


# --- What a step must cost ---------------------------------------------------------------------------------------


def step_parts(model: sl.TwoTower, batch: Batch, optimizer: AnyOptimizer) -> dict[str, Part]:
    """The operations and bytes without which there is no step, for P rows and U unique items of width D.

    - Towers: a layer from m to n numbers is a product forward and two back, 3 · 2·rows·m·n operations; P rows in the
      query tower, U in the item tower.
    - Softmax: P × U scores, and a product for each side's gradient, 3 · 2·P·U·D operations.
    - Tables, for rows of W numbers of 4 bytes: each row looked up is read and written side by side (2·W), its gradient
      is read (W) and summed into one for each row used (W); then the optimiser reads and writes what it moves.

    Left out are the exponentials, the biases and activations, the moving of the layers' weights, and the finding of the
    unique items: they cost time, but no rate here says how much they must.
    """
    queries, items = len(batch.user_rows), len(batch.item_rows)
    width = model.settings.layers[-1]
    return {
        "query tower": Part(operations=_layer_operations(model.query, queries)),
        "item tower": Part(operations=_layer_operations(model.item, items)),
        "softmax": Part(operations=6 * queries * items * width),
        "query tables": Part(bytes=_table_bytes(model.query, batch.query_inputs, optimizer)),
        "item tables": Part(bytes=_table_bytes(model.item, batch.item_inputs, optimizer)),
    }


def _layer_operations(tower: Tower, rows: int) -> int:
    layers = [layer for layer in tower.layers if isinstance(layer, torch.nn.Linear)]
    return sum(6 * rows * layer.in_features * layer.out_features for layer in layers)


def _table_bytes(tower: Tower, inputs: Mapping[str, TowerInput], optimizer: AnyOptimizer) -> float:
    total = 0.0
    for name, table in zip(tower.feature_names, tower.embeddings, strict=True):
        rows = inputs[name]
        if isinstance(table, EmbeddingTable) and isinstance(rows, torch.Tensor):
            num_rows, width = table.weight.shape
            used = len(torch.unique(rows))
            total += FLOAT * width * (3 * len(rows) + used) + _update_bytes(num_rows, width, used, optimizer)
    return total


def _update_bytes(num_rows: int, width: int, used: int, optimizer: AnyOptimizer) -> float:
    """What an optimiser reads and writes of a table in a step: numbers of 4 bytes."""
    match optimizer:
        case sl.Adagrad():  # weight and accumulator, each read and written
            return FLOAT * used * 4 * width
        case sl.RowwiseAdagrad():  # weight, and one accumulator a row
            return FLOAT * used * (2 * width + 2)
        case sl.LazyAdam():  # weight and two moments
            return FLOAT * used * 6 * width
        case sl.AdamW():  # the same of the whole table, and a gradient as large, written and read
            return FLOAT * num_rows * 8 * width

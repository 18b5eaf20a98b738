"""The one training loop."""

import copy
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from shortlist.errors import DivergedError, SettingsError
from shortlist.losses import InBatch
from shortlist.models import TwoTower
from shortlist.settings.training import Training
from shortlist.training.batches import Events

__all__ = ["Epoch", "History", "Loss", "fit"]

# Query vectors [P, D], unique item vectors [U, D] and the positives between them -> a scalar.
Loss = Callable[[Tensor, Tensor, InBatch], Tensor]
Validate = Callable[[], dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One line of the history. `loss` is the mean over the epoch's batches; `metrics` is empty between validations."""

    number: int
    loss: float
    seconds: float
    validation_seconds: float = 0.0
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class History:
    """All epochs of a training. `best_epoch` is the one whose weights were kept: the best with patience, else
    the last.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    stopped_early: bool

    @property
    def seconds(self) -> float:
        """Training and validations together."""
        return sum(epoch.seconds + epoch.validation_seconds for epoch in self.epochs)

    def curve(self, metric: str) -> dict[int, float]:
        """A metric, by its name in the history, at each epoch that was validated."""
        return {epoch.number: epoch.metrics[metric] for epoch in self.epochs if metric in epoch.metrics}


def fit(
    model: TwoTower,
    events: Events,
    *,
    loss: Loss,
    optimizer: Optimizer,
    training: Training,
    log_q: Tensor | None = None,
    validate: Validate | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train the model on the events as `training` says.

    `validate` ranks the watched events and returns their metrics; `on_epoch` hears of each epoch as it ends.
    With `training.patience` the model ends with its best weights. Raises `DivergedError` at the first loss that
    is NaN or infinite, naming the step, and for weights that the last step made so; `SettingsError` where early
    stopping has no such metric to watch.

    The same seed and the same number of threads give the same weights.
    """
    epochs: list[Epoch] = []
    best = _Best(training)
    order = torch.Generator().manual_seed(training.seed)
    with torch.random.fork_rng():  # dropout draws from the global generator: seed it here, restore it after
        torch.manual_seed(training.seed)
        for number in range(1, training.epochs + 1):
            started = time.perf_counter()
            mean_loss = _train_epoch(model, events, loss, optimizer, training.batch_size, order, log_q, number)
            trained = time.perf_counter()
            metrics = {}
            if validate and (number % training.validate_every == 0 or number == training.epochs):
                model.eval()
                metrics = validate()
            epoch = Epoch(number, mean_loss, trained - started, time.perf_counter() - trained, metrics)
            epochs.append(epoch)
            if on_epoch:
                on_epoch(epoch)
            if metrics and best.should_stop(epoch, model):
                break
    stopped = len(epochs) < training.epochs
    history = History(tuple(epochs), best.restore(model) or len(epochs), stopped)
    _refuse_nonfinite(model, len(epochs))
    return history


def _refuse_nonfinite(model: TwoTower, epoch: int) -> None:
    """No loss follows the last step to show what it did."""
    for name, weights in model.named_parameters():
        if not bool(torch.isfinite(weights).all()):
            raise DivergedError(
                f"The weights {name} hold NaN or infinity after the last step (epoch {epoch}). Lower the learning "
                "rate or raise the temperature, and look for extreme values in the features."
            )


def _train_epoch(
    model: TwoTower,
    events: Events,
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    order: torch.Generator,
    log_q: Tensor | None,
    number: int,
) -> float:
    model.train()
    total, steps = 0.0, 0
    for batch in events.epoch(batch_size, order, log_q):
        queries = model.encode_queries(batch.query_inputs).squeeze(1)  # [B, 1, D] -> [B, D]
        items = model.encode_items(batch.item_inputs)
        value = loss(queries, items, batch.positives)
        steps += 1
        number_value = float(value.detach())
        if not math.isfinite(number_value):
            step = (number - 1) * events.num_batches(batch_size) + steps
            raise DivergedError(
                f"The loss became {number_value} at step {step} (epoch {number}, batch {steps}). Lower the learning "
                "rate or raise the temperature, and look for extreme values in the features."
            )
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += number_value
    return total / steps


class _Best:
    """Early stopping: keeps the best weights seen, and says when to stop waiting for better ones."""

    def __init__(self, training: Training) -> None:
        self.patience = training.patience
        self.metric = training.metric
        self.value = -math.inf
        self.epoch = 0
        self.waited = 0
        self.weights: dict[str, Any] | None = None

    def should_stop(self, epoch: Epoch, model: TwoTower) -> bool:
        if self.patience is None:
            return False
        value = self._value(epoch.metrics)
        if value > self.value:
            self.value, self.epoch, self.waited = value, epoch.number, 0
            self.weights = copy.deepcopy(model.state_dict())
            return False
        self.waited += 1
        return self.waited >= self.patience

    def restore(self, model: TwoTower) -> int:
        """Take the best weights back; the epoch they are from, 0 where none were kept."""
        if self.weights is not None:
            model.load_state_dict(self.weights)
        return self.epoch

    def _value(self, metrics: dict[str, float]) -> float:
        """The watched metric, by the part of its name before the protocol."""
        for name, value in metrics.items():
            if self.metric == name.partition("/")[0]:
                return value
        known = ", ".join(name.partition("/")[0] for name in metrics)
        raise SettingsError(f"Early stopping watches metric {self.metric!r}, but the validation gives {known}.")

"""The one training loop."""

import copy
import dataclasses
import math
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from shortlist.errors import DivergedError, SettingsError
from shortlist.models import TwoTower
from shortlist.settings.training import Training
from shortlist.training.batches import Events
from shortlist.training.checkpoint import Checkpoints, Place, below
from shortlist.training.frequency import StreamingFrequency
from shortlist.training.memory import ItemMemory
from shortlist.training.optimizers import Optimizer
from shortlist.training.rate import LearningRate
from shortlist.training.rates import PairRates
from shortlist.training.step import Loss, make_step

__all__ = ["Epoch", "History", "Loss", "fit"]

Validate = Callable[[], dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One line of the history. `loss` is the mean over the epoch's batches; `metrics` is empty between validations.

    `accidental_hits` and `known_positives` are shares of the pairs that the epoch compared, None where nobody looked;
    see `PairRates`.
    """

    number: int
    loss: float
    seconds: float
    validation_seconds: float = 0.0
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    accidental_hits: float | None = None
    known_positives: float | None = None


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
    log_q: Tensor | StreamingFrequency | None = None,
    memory: ItemMemory | None = None,
    validate: Validate | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoints: Checkpoints | None = None,
    stop_after: int | None = None,
) -> History:
    """Train the model on the events as `training` says.

    `log_q` [N] is that of each item of the catalogue, or is learnt from the batches as they go by; `memory` keeps items
    of earlier batches. Both should be new. `validate` ranks the watched events and returns their metrics; `on_epoch`
    hears of each epoch as it ends. With `stop_after` it ends after so many epochs, the rest of the schedule as it is.
    With `training.patience` the model ends with its best weights. With `checkpoints` the training is written down on
    the way, and one that was written down before goes on from there: `on_epoch` hears of the epochs before it again.
    Ctrl-C and SIGTERM then end it at the next step, once that is written down, with `KeyboardInterrupt`.
    Raises `DivergedError` at the first loss that is NaN or infinite, naming the step, and for weights that the last
    step made so; `SettingsError` where early stopping has no such metric to watch.

    The same seed and the same number of threads give the same weights, whether interrupted or not.
    """
    hear = on_epoch or (lambda _: None)
    best = _Best(training)
    order = torch.Generator().manual_seed(training.seed)
    rate = LearningRate(optimizer, training, training.epochs * events.num_batches(training.batch_size))
    step = make_step(model, loss, optimizer, training.precision, moving_rate=rate.moves, memory=memory)
    frequency, log_q = (log_q, None) if isinstance(log_q, StreamingFrequency) else (None, log_q)
    kept = _Kept(memory, frequency)
    on_cpu = events.tables.device.type == "cpu"
    heeding_signals = checkpoints.heeding_signals() if checkpoints else nullcontext()
    # Dropout draws from the global generator: seed it here, restore it after.
    with torch.random.fork_rng(), heeding_signals:
        torch.manual_seed(training.seed)
        place = (checkpoints.read(model, optimizer) if checkpoints else None) or Place(order.get_state())
        kept.take_up(place, events.tables.device)
        epochs = [Epoch(**line) for line in place.epochs]
        best.take_up(place)
        for epoch in epochs:
            hear(epoch)
        last = training.epochs if stop_after is None else min(stop_after, training.epochs)
        while len(epochs) < last and not best.done:
            number = len(epochs) + 1
            started = time.perf_counter()
            order.set_state(place.order)
            steps_before = (number - 1) * events.num_batches(training.batch_size)
            model.train()
            pending: list[Tensor] = []
            pairs = PairRates(events, place.pairs)
            for batch in events.epoch(training.batch_size, order, log_q, skip=place.steps):
                rate.set(steps_before + place.steps + len(pending))
                pairs.add(batch, first=place.steps + len(pending) == 0)
                pending.append(step(batch if frequency is None else frequency.correct(batch)))
                due = checkpoints is not None and checkpoints.due(steps_before + place.steps + len(pending))
                if due or on_cpu:
                    _take_up(pending, place, steps_before, number)
                if checkpoints and due:
                    kept.put_down(place, pairs)
                    checkpoints.write(place, model, optimizer)
                    checkpoints.stop_if_asked()
            _take_up(pending, place, steps_before, number)
            trained = time.perf_counter()
            metrics = {}
            if validate and (number % training.validate_every == 0 or number == last):
                model.eval()
                metrics = validate()
            mean_loss, steps_done = place.total_loss / place.steps, steps_before + place.steps
            seconds = trained - started, time.perf_counter() - trained
            epoch = Epoch(number, mean_loss, *seconds, metrics, pairs.accidental_hits, pairs.known_positives)
            epochs.append(epoch)
            best.look_at(epoch, model)
            place = Place(order.get_state(), epochs=[*place.epochs, dataclasses.asdict(epoch)])
            best.put_down(place)
            kept.put_down(place)
            hear(epoch)
            if checkpoints and checkpoints.due(steps_done):
                checkpoints.write(place, model, optimizer)
                checkpoints.stop_if_asked()
        if checkpoints:  # what follows, an evaluation say, may fail, and the training should not be lost with it
            checkpoints.write(place, model, optimizer)
    stopped = len(epochs) < last
    history = History(tuple(epochs), best.restore(model) or len(epochs), stopped)
    _refuse_nonfinite(model, len(epochs))
    return history


def _take_up(pending: list[Tensor], place: Place, steps_before: int, epoch: int) -> None:
    """Add the losses of the last steps to the place, and empty the list; raises `DivergedError` for one that is none.

    On a GPU this waits for the steps to end, so it is done once an epoch there, and before a checkpoint.
    """
    for value in torch.stack(pending).tolist() if pending else ():
        place.steps += 1
        place.total_loss += value
        _refuse_diverged(value, steps_before + place.steps, epoch, place.steps)
    pending.clear()


def _refuse_diverged(loss: float, step: int, epoch: int, batch: int) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"The loss became {loss} at step {step} (epoch {epoch}, batch {batch}). Lower the learning "
            "rate or raise the temperature, and look for extreme values in the features."
        )


def _refuse_nonfinite(model: TwoTower, epoch: int) -> None:
    """No loss follows the last step to show what it did."""
    for name, weights in model.named_parameters():
        if not bool(torch.isfinite(weights).all()):
            raise DivergedError(
                f"The weights {name} hold NaN or infinity after the last step (epoch {epoch}). Lower the learning "
                "rate or raise the temperature, and look for extreme values in the features."
            )


class _Kept:
    """What a training keeps from step to step besides weights: items of earlier batches, and how often items come."""

    def __init__(self, memory: ItemMemory | None, frequency: StreamingFrequency | None) -> None:
        self._memory, self._frequency = memory, frequency

    def put_down(self, place: Place, pairs: PairRates | None = None) -> None:
        """Leave it at a place, for a checkpoint, and the sums of the epoch under way."""
        parts = {"memory": self._memory, "frequency": self._frequency}
        states = {name: part.state() for name, part in parts.items() if part is not None}
        place.kept = {f"{name}.{key}": tensor for name, state in states.items() for key, tensor in state.items()}
        place.pairs = [] if pairs is None else pairs.sums

    def take_up(self, place: Place, device: torch.device) -> None:
        """Take it from a place again."""
        if self._memory is not None:
            self._memory.restore(below("memory.", place.kept), device)
        if self._frequency is not None and place.kept:
            self._frequency.restore(below("frequency.", place.kept))


class _Best:
    """Early stopping: keeps the best weights seen, and says when to stop waiting for better ones."""

    def __init__(self, training: Training) -> None:
        self.patience = training.patience
        self.metric = training.metric
        self.value = -math.inf
        self.epoch = 0
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None

    @property
    def done(self) -> bool:
        """Whether the patience is at its end."""
        return self.patience is not None and self.waited >= self.patience

    def look_at(self, epoch: Epoch, model: TwoTower) -> None:
        """Keep the epoch's weights where its validation is the best so far."""
        if self.patience is None or not epoch.metrics:
            return
        value = self._value(epoch.metrics)
        if value > self.value:
            self.value, self.epoch, self.waited = value, epoch.number, 0
            self.weights = copy.deepcopy(model.state_dict())
        else:
            self.waited += 1

    def put_down(self, place: Place) -> None:
        """Leave its figures and weights at a place, for a checkpoint."""
        place.best = {"value": self.value, "epoch": self.epoch, "waited": self.waited} if self.epoch else {}
        place.best_weights = self.weights

    def take_up(self, place: Place) -> None:
        """Take them from a place again."""
        if place.best:
            self.value, self.epoch, self.waited = (place.best[name] for name in ("value", "epoch", "waited"))
            self.weights = place.best_weights

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

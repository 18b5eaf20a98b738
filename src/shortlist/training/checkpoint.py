"""Checkpoints: a training written down at a step, so that it goes on from there as if nothing had happened."""

import dataclasses
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from shortlist.atomic import write_file
from shortlist.errors import CheckpointError
from shortlist.models import TwoTower
from shortlist.settings.training import Checkpointing
from shortlist.training.optimizers import Optimizer

__all__ = ["Checkpoints", "Place", "below"]

# Raised by one whenever an older reader could misunderstand a newer file.
FORMAT = 3
# What a place says in plain values.
FIGURES = ("epochs", "steps", "total_loss", "best", "pairs")
T = TypeVar("T")


@dataclasses.dataclass
class Place:
    """Where a training stands: between two steps.

    `epochs` are the finished ones as plain values, `steps` those done in the epoch under way and `total_loss` the sum
    of their losses; `order` is the state of the generator that drew the epoch's order, before it did. `best` are early
    stopping's figures and `best_weights` its weights, where it keeps some. `pairs` are the sums of `PairRates` in the
    epoch under way, `kept` what else a training keeps from step to step, by name.
    """

    order: Tensor
    epochs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    steps: int = 0
    total_loss: float = 0.0
    best: dict[str, Any] = dataclasses.field(default_factory=dict)
    pairs: list[int] = dataclasses.field(default_factory=list)
    kept: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    best_weights: dict[str, Tensor] | None = None


class Checkpoints:
    """One file that holds the newest checkpoint of a training; it is replaced whole or stays as it was.

    `identity` says what is trained on what (settings and data); only the same training goes on from the file.
    """

    def __init__(self, choice: Checkpointing, identity: str) -> None:
        self.path = choice.path
        self.every_steps = choice.every_steps
        self.every_minutes = choice.every_minutes
        self.resume = choice.resume
        self.identity = identity
        self._written = time.monotonic()
        self._asked_to_stop = False

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask for a checkpoint after the step under way; a second Ctrl-C ends it at once.

        Only the main thread hears of signals; elsewhere this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:
            if self._asked_to_stop:
                signal.default_int_handler(number, frame)
            self._asked_to_stop = True

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop_if_asked(self) -> None:
        """Raise `KeyboardInterrupt` where a signal asked for the end, after what was done is written down."""
        if self._asked_to_stop:
            raise KeyboardInterrupt(f"The training was cut off; {self.path} holds where it stands.")

    def due(self, step: int) -> bool:
        """Whether a checkpoint should be written after this step, counted from 1 over the whole training."""
        if self._asked_to_stop:
            return True
        if self.every_steps is not None and step % self.every_steps == 0:
            return True
        return self.every_minutes is not None and time.monotonic() - self._written >= self.every_minutes * 60

    def write(self, place: Place, model: TwoTower, optimizer: Optimizer) -> None:
        """Write down where the training stands; raises `OSError` where the disk does not take it."""
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in (place.best_weights or {}).items()}
        tensors |= {f"kept.{name}": tensor for name, tensor in place.kept.items()}
        numbers = {}
        for name, value in _optimizer_state(optimizer).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{name}"] = value
            else:
                numbers[name] = value
        tensors |= {"order": place.order, "random": torch.get_rng_state()}
        if _on_gpu(model):  # dropout draws there
            tensors["random_on_gpu"] = torch.cuda.get_rng_state()
        state = {
            "format": FORMAT,
            "identity": self.identity,
            "threads": torch.get_num_threads(),
            "optimizer": numbers,
            **{name: getattr(place, name) for name in FIGURES},
        }
        write_file(self.path, save({n: t.contiguous() for n, t in tensors.items()}, {"state": json.dumps(state)}))
        self._written = time.monotonic()

    def read(self, model: TwoTower, optimizer: Optimizer) -> Place | None:
        """Put the model, the optimiser and torch's generator back to where the file's training stood.

        None where no checkpoint was written yet or none is asked for. Raises `CheckpointError` for a file that
        cannot be read, for another training's, and for another number of threads.
        """
        if not self.resume or not self.path.exists():
            return None
        state, tensors = self._load()
        model.load_state_dict(below("model.", tensors))
        saved = {**state["optimizer"], **below("optimizer.", tensors)}
        for place, parameter in enumerate(_parameters(optimizer)):
            optimizer.state[parameter] = {
                name: value.to(parameter.device) if isinstance(value, Tensor) else value
                for name, value in below(f"{place}.", saved).items()
            }
        torch.set_rng_state(tensors["random"])
        if _on_gpu(model):
            torch.cuda.set_rng_state(tensors["random_on_gpu"])
        return Place(
            order=tensors["order"],
            kept=below("kept.", tensors),
            best_weights=below("best.", tensors) or None,
            **{name: state[name] for name in FIGURES},
        )

    def _load(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        try:
            with safe_open(self.path, framework="pt") as file:
                state = json.loads((file.metadata() or {})["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{self.path} is no checkpoint that can be read ({error}). Train from the start."
            ) from error
        if state["format"] != FORMAT:
            raise CheckpointError(
                f"{self.path} has format {state['format']}, and this shortlist reads format {FORMAT}. Resume with the "
                "version that wrote it, or train from the start."
            )
        if state["identity"] != self.identity:
            raise CheckpointError(
                f"{self.path} belongs to a training with other settings or other data, so it cannot go on with these. "
                "Give it the settings and the data that it was started with, or train from the start."
            )
        if state["threads"] != torch.get_num_threads():
            raise CheckpointError(
                f"{self.path} was trained on {state['threads']} threads, and torch has {torch.get_num_threads()} now; "
                f"sums would differ in their last bits. Set OMP_NUM_THREADS={state['threads']} and resume again."
            )
        return state, tensors


def _on_gpu(model: TwoTower) -> bool:
    return next(model.parameters()).is_cuda


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """What the optimiser keeps for each parameter, by `place.name`."""
    return {
        f"{place}.{name}": value
        for place, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state[parameter].items()
    }


def below(prefix: str, values: dict[str, T]) -> dict[str, T]:
    """The values whose names begin with the prefix, by what follows it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}

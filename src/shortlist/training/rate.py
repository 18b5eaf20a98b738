"""The learning rate over a training: warmed up, then constant or falling to nothing."""

import math

from torch import Tensor

from shortlist.settings.training import Training
from shortlist.training.optimizers import Optimizer

__all__ = ["LearningRate"]


class LearningRate:
    """Sets the rates of an optimiser before each of `num_steps` steps, as shares of those that it was made with.

    Over the first `training.warmup` share of the steps the rate grows evenly; then it stays ("none"), falls evenly
    ("linear") or along half a cosine ("cosine": Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983) to 0.
    """

    def __init__(self, optimizer: Optimizer, training: Training, num_steps: int) -> None:
        self._groups = optimizer.param_groups
        self._rates = [float(group["lr"]) for group in self._groups]
        self._decay = training.decay
        self._warmup = training.warmup * num_steps
        self._num_steps = num_steps
        self.moves = training.decay != "none" or training.warmup > 0

    def share(self, step: int) -> float:
        """The share of the full rate at a step, the first being 0."""
        if step < self._warmup:
            return min((step + 1) / self._warmup, 1.0)
        done = (step - self._warmup) / max(self._num_steps - self._warmup, 1)
        match self._decay:
            case "none":
                return 1.0
            case "linear":
                return 1 - done
            case "cosine":
                return (1 + math.cos(math.pi * done)) / 2

    def set(self, step: int) -> None:
        """Take the rates to where they belong at a step."""
        if not self.moves:
            return
        for group, rate in zip(self._groups, self._rates, strict=True):
            now = rate * self.share(step)
            if isinstance(group["lr"], Tensor):  # where a captured step reads it
                group["lr"].fill_(now)
            else:
                group["lr"] = now

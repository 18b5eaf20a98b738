"""Adam whose moments stand still for the rows of a table that a batch does not use."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from shortlist.settings.training import LazyAdam as Choice
from shortlist.training.optimizers.base import GroupedWeights
from shortlist.training.optimizers.rows import used_rows

__all__ = ["LazyAdam"]


class LazyAdam(GroupedWeights):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), lazy where gradients are sparse.

    m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; weight ← (1 − learning_rate · decay) · weight − learning_rate ·
    (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + epsilon), t counting the steps of the whole training. A row of a table whose
    gradient is sparse takes part in a step only where the batch used it: Adam proper would move every row in every
    step, by what its moments still hold.
    """

    def __init__(self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], choice: Choice) -> None:
        super().__init__(
            parameters,
            lr=choice.learning_rate,
            betas=(choice.beta1, choice.beta2),
            epsilon=choice.epsilon,
            weight_decay=choice.weight_decay,
        )
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {
                    "step": 0,
                    "mean": torch.zeros_like(parameter),
                    "square": torch.zeros_like(parameter),
                }

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight, or row of one, that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient, state = parameter.grad, self.state[parameter]
                state["step"] += 1
                if gradient is None:
                    continue
                mean, square = state["mean"], state["square"]
                if not gradient.is_sparse:
                    _move(parameter, mean, square, gradient, state["step"], group)
                    continue
                rows, values = used_rows(gradient)
                used = [whole.index_select(0, rows) for whole in (parameter, mean, square)]
                _move(used[0], used[1], used[2], values, state["step"], group)
                parameter[rows], mean[rows], square[rows] = used


def _move(weight: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, step: int, group: dict[str, Any]) -> None:
    """One step of Adam, in place, on a weight and its moments, all of one shape."""
    beta1, beta2 = group["betas"]
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = square.div(1 - beta2**step).sqrt_().add_(group["epsilon"])
    weight.mul_(1 - group["lr"] * group["weight_decay"])
    weight.addcdiv_(mean, root, value=-group["lr"] / (1 - beta1**step))

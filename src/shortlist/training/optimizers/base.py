"""What an optimiser is to the training loop, and the part that our own ones share."""

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor

__all__ = ["GroupedWeights", "Optimizer"]


class Optimizer(Protocol):
    """An optimiser of PyTorch, or one of ours: groups of weights with settings, and a state for each weight."""

    param_groups: list[dict[str, Any]]
    state: Any  # a mapping from a weight to its state

    def zero_grad(self) -> None: ...

    def step(self) -> Any:
        """Move every weight that has a gradient."""


class GroupedWeights:
    """Weights in groups, each with the defaults where it does not say otherwise; a state for each weight.

    In the form of `torch.optim.Optimizer` but not a child of it, for making one of those imports torch's compiler,
    which takes a second and 70 MB.
    """

    def __init__(self, weights: Iterable[Tensor] | Iterable[dict[str, Any]], **defaults: Any) -> None:
        listed: list[Any] = list(weights)
        groups = listed if listed and isinstance(listed[0], dict) else [{"params": listed}]
        self.param_groups: list[dict[str, Any]] = [
            {**defaults, **group, "params": list(group["params"])} for group in groups
        ]
        self.state: dict[Tensor, dict[str, Any]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None

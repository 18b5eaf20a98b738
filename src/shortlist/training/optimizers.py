"""Optimisers, made from what the user chose."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import AdamW as TorchAdamW
from torch.optim import Optimizer

from shortlist.models import Tower
from shortlist.settings.training import Adagrad, AdamW

__all__ = ["KerasAdagrad", "make_optimizer"]


class KerasAdagrad(Optimizer):
    """Adagrad (Duchi et al. 2011) with Keras' start and epsilon; sparse gradients touch the rows used only.

    accumulator += g²; weight -= learning_rate · g / √(accumulator + epsilon). PyTorch's own Adagrad adds epsilon
    outside the root and starts at zero unless told otherwise.
    """

    def __init__(
        self, parameters: Iterable[Tensor], learning_rate: float, initial_accumulator: float, epsilon: float
    ) -> None:
        super().__init__(parameters, {"lr": learning_rate, "epsilon": epsilon})
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["accumulator"] = torch.full_like(parameter, initial_accumulator)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            used = [(parameter, parameter.grad) for parameter in group["params"] if parameter.grad is not None]
            for parameter, gradient in used:
                if gradient.is_sparse:
                    self._step_rows(parameter, gradient, group["lr"], group["epsilon"])
            dense = [(parameter, gradient) for parameter, gradient in used if not gradient.is_sparse]
            if dense:
                self._step_dense(dense, group["lr"], group["epsilon"])
        return loss

    def _step_dense(self, used: list[tuple[Tensor, Tensor]], learning_rate: float, epsilon: float) -> None:
        parameters, gradients = [parameter for parameter, _ in used], [gradient for _, gradient in used]
        accumulators = [self.state[parameter]["accumulator"] for parameter in parameters]
        torch._foreach_addcmul_(accumulators, gradients, gradients)
        roots = torch._foreach_add(accumulators, epsilon)
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(parameters, gradients, roots, value=-learning_rate)

    def _step_rows(self, parameter: Tensor, gradient: Tensor, learning_rate: float, epsilon: float) -> None:
        gradient = gradient.coalesce()  # a row used twice moves once, by the sum
        rows, values = gradient.indices()[0], gradient.values()
        accumulator = self.state[parameter]["accumulator"]
        accumulator.index_add_(0, rows, values * values)
        root = torch.sqrt(accumulator[rows] + epsilon)
        parameter.index_add_(0, rows, values / root, alpha=-learning_rate)


def make_optimizer(choice: Adagrad | AdamW, model: torch.nn.Module) -> Optimizer:
    """The optimiser over the model's weights, and the kind of gradient that it can take set in the towers."""
    sparse = isinstance(choice, Adagrad)
    for module in model.modules():
        if isinstance(module, Tower):
            module.sparse_gradients(sparse)
    match choice:
        case Adagrad():
            return KerasAdagrad(model.parameters(), choice.learning_rate, choice.initial_accumulator, choice.epsilon)
        case AdamW():
            return TorchAdamW(
                model.parameters(),
                lr=choice.learning_rate,
                betas=(choice.beta1, choice.beta2),
                eps=choice.epsilon,
                weight_decay=choice.weight_decay,
            )

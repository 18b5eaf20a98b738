"""Adagrad as Keras has it, with an accumulator for each weight or for each row of a table."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from shortlist.training.optimizers.base import GroupedWeights
from shortlist.training.optimizers.rows import used_rows

__all__ = ["KerasAdagrad"]


class KerasAdagrad(GroupedWeights):
    """Adagrad (Duchi et al. 2011) with Keras' start and epsilon; sparse gradients touch the rows used only.

    accumulator += g²; weight -= learning_rate · g / √(accumulator + epsilon). PyTorch's own Adagrad adds epsilon
    outside the root and starts at zero unless told otherwise. As nothing asks for the accumulator without its epsilon,
    the state holds their sum from the start.

    Parameters of a group with `rowwise` are tables [N, W] with one accumulator a row, to which the mean of the row's g²
    is added: the state of a table takes 1/W of the memory (FBGEMM's "exact row-wise Adagrad").
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        learning_rate: float,
        initial_accumulator: float,
        epsilon: float,
    ) -> None:
        super().__init__(parameters, lr=learning_rate, rowwise=False)
        self._no_steps = torch.zeros(())  # their number changes the rate of PyTorch's kernel where that decays
        for group in self.param_groups:
            for parameter in group["params"]:
                accumulates = parameter[:, :1] if group["rowwise"] else parameter
                start = accumulates.new_full(accumulates.shape, initial_accumulator + epsilon)
                self.state[parameter] = {"accumulator": start}

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            used = [(parameter, parameter.grad) for parameter in group["params"] if parameter.grad is not None]
            for parameter, gradient in used:
                if gradient.is_sparse:
                    self._step_rows(parameter, gradient, group)
            dense = [(parameter, gradient) for parameter, gradient in used if not gradient.is_sparse]
            if dense:
                self._step_dense(dense, group)

    def _step_dense(self, used: list[tuple[Tensor, Tensor]], group: dict[str, Any]) -> None:
        parameters, gradients = [parameter for parameter, _ in used], [gradient.contiguous() for _, gradient in used]
        accumulators = [self.state[parameter]["accumulator"] for parameter in parameters]
        if not group["rowwise"] and parameters[0].is_cpu:
            # One pass over each weight, in a third of the time. PyTorch's kernel adds its epsilon outside the root; the
            # one of Keras' rule is in the accumulator already.
            torch._fused_adagrad_(
                parameters, gradients, accumulators, [self._no_steps] * len(parameters),
                lr=group["lr"], lr_decay=0.0, weight_decay=0.0, eps=0.0, maximize=False,
            )  # fmt: skip
            return
        if group["rowwise"]:
            squares = [gradient.square().mean(dim=1, keepdim=True) for gradient in gradients]
            torch._foreach_add_(accumulators, squares)
        else:
            torch._foreach_addcmul_(accumulators, gradients, gradients)
        torch._foreach_addcdiv_(parameters, gradients, torch._foreach_sqrt(accumulators), value=-group["lr"])

    def _step_rows(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        rows, values = used_rows(gradient)
        accumulator = self.state[parameter]["accumulator"]
        square = values.square()
        if group["rowwise"]:
            square = square.mean(dim=1, keepdim=True)
        grown = accumulator.index_select(0, rows).add_(square)
        accumulator[rows] = grown  # written, not added in place: a third of the time on a table beyond the cache
        parameter[rows] = parameter.index_select(0, rows).addcdiv_(values, grown.sqrt_(), value=-group["lr"])

"""From a choice to an optimiser over a model's weights."""

from typing import Any

import torch
from torch.optim import AdamW as TorchAdamW

from shortlist.models import EmbeddingTable
from shortlist.settings.training import Adagrad, AdamW, AnyOptimizer, RowwiseAdagrad
from shortlist.settings.training import LazyAdam as LazyAdamChoice
from shortlist.training.optimizers.adagrad import KerasAdagrad
from shortlist.training.optimizers.base import Optimizer
from shortlist.training.optimizers.lazy_adam import LazyAdam

__all__ = ["make_optimizer"]

# From this many rows on Adagrad takes a table's gradient as the rows used: a dense one costs a pass over the whole
# table in every step, a sparse one a sort of the rows used. Both move the weights alike. A GPU passes over a table a
# hundred times as fast, and would have to wait for the sort.
SPARSE_FROM_ROWS = 8_192
SPARSE_FROM_ROWS_ON_GPU = 1 << 20


def make_optimizer(choice: AnyOptimizer, model: torch.nn.Module) -> Optimizer:
    """The optimiser over the model's weights, and the kind of gradient that it takes set in the model's tables."""
    tables = [module for module in model.modules() if isinstance(module, EmbeddingTable)]
    for table in tables:
        match choice:
            case Adagrad() | RowwiseAdagrad():
                large = SPARSE_FROM_ROWS_ON_GPU if table.weight.is_cuda else SPARSE_FROM_ROWS
                table.sparse_gradients = len(table.weight) >= large
            case LazyAdamChoice():  # of any size, for lazy and dense steps differ
                table.sparse_gradients = True
            case AdamW():
                table.sparse_gradients = False
    match choice:
        case Adagrad():
            return KerasAdagrad(model.parameters(), choice.learning_rate, choice.initial_accumulator, choice.epsilon)
        case RowwiseAdagrad():
            of_tables = [table.weight for table in tables]
            others = [weight for weight in model.parameters() if all(weight is not table for table in of_tables)]
            groups: list[dict[str, Any]] = [{"params": of_tables, "rowwise": True}, {"params": others}]
            return KerasAdagrad(groups, choice.learning_rate, choice.initial_accumulator, choice.epsilon)
        case LazyAdamChoice():
            return LazyAdam(_decaying(model), choice)
        case AdamW():
            on_gpu = next(model.parameters()).is_cuda
            return TorchAdamW(
                _decaying(model),
                lr=torch.tensor(choice.learning_rate, device="cuda") if on_gpu else choice.learning_rate,
                betas=(choice.beta1, choice.beta2),
                eps=choice.epsilon,
                weight_decay=choice.weight_decay,
                capturable=on_gpu,
            )


def _decaying(model: torch.nn.Module) -> list[dict[str, Any]]:
    """The weights in groups: single numbers, such as a learnt temperature, do not decay, for 0 is no rest for them."""
    weights = list(model.parameters())
    numbers = [weight for weight in weights if weight.dim() == 0]
    groups: list[dict[str, Any]] = [{"params": [weight for weight in weights if weight.dim() > 0]}]
    return [*groups, {"params": numbers, "weight_decay": 0.0}] if numbers else groups

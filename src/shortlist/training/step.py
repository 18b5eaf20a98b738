"""One step of the optimiser on one batch: plainly, or on a GPU as a graph that is launched whole."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor

from shortlist.losses import Pairs, Positives
from shortlist.models import Bag, EmbeddingTable, SharedHistory, TowerInput, TwoTower
from shortlist.models.inputs import Gathered
from shortlist.training.batches import Batch
from shortlist.training.memory import ItemMemory
from shortlist.training.optimizers import Optimizer

__all__ = ["GraphedStep", "Loss", "PlainStep", "make_step"]

# Query vectors [P, D], item vectors [U, D] and the positives between them -> a scalar.
Loss = Callable[[Tensor, Tensor, Positives], Tensor]
Precision = Literal["float32", "bfloat16"]
Shapes = tuple[torch.Size, ...]

# Steps made plainly before one is captured: libraries set themselves up in the first ones.
WARM_UP = 3


class PlainStep:
    """Forward, backward, move; gives the loss before it, a scalar on the model's device.

    On a processor a loss that is no number moves nothing. On a GPU looking at it would stop the work, so that the
    weights are moved by whatever it is; the loop looks at the losses before anything is made of the weights.

    With a `memory` the items that it holds are candidates too, and it then takes in the batch's.
    """

    def __init__(
        self,
        model: TwoTower,
        loss: Loss,
        optimizer: Optimizer,
        precision: Precision = "float32",
        memory: ItemMemory | None = None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.precision = precision
        self.memory = memory

    def __call__(self, batch: Batch) -> Tensor:
        device = batch.item_rows.device.type
        lower = torch.autocast(device, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()
        with lower:
            queries = self.model.encode_queries(batch.query_inputs).squeeze(1)  # [B, 1, D] -> [B, D]
            items = self.model.encode_items(batch.item_inputs)
        candidates, positives = items, batch.positives
        if self.memory is not None:
            candidates, positives = self.memory.join(batch, items)
        value = self.loss(queries, candidates, positives)
        if device != "cpu" or math.isfinite(value.item()):
            self.optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        if self.memory is not None:
            self.memory.add(batch, items)
        return value.detach()


class GraphedStep:
    """A plain step as CUDA graphs, one for each shape of batch: one launch instead of some hundred.

    A graph reads its batch from where the captured one lay, so each batch is copied there. Nothing in the step may hang
    on a number that only the GPU knows: no gradient may be kept as the rows used.
    """

    def __init__(self, step: PlainStep) -> None:
        self.step = step
        self._times: Counter[Shapes] = Counter()
        self._graphs: dict[Shapes, tuple[list[Tensor], Callable[[], None], Tensor]] = {}

    def __call__(self, batch: Batch) -> Tensor:
        # As many pairs as the users happen to have: hardly a shape comes twice.
        if batch.positives.masked is not None or batch.positives.shown is not None:
            return self.step(batch)
        given = tensors_of(batch)
        shapes = tuple(tensor.shape for tensor in given)
        self._times[shapes] += 1
        if self._times[shapes] <= WARM_UP:
            return self.step(batch)
        if shapes not in self._graphs:
            own = _map_tensors(batch, torch.clone)
            self._graphs[shapes] = (tensors_of(own), *self._capture(own))
        kept, replay, loss = self._graphs[shapes]
        for place, tensor in zip(kept, given, strict=True):
            place.copy_(tensor)
        replay()
        return loss.clone()

    def _capture(self, batch: Batch) -> tuple[Callable[[], None], Tensor]:
        """The step on this batch as something to replay, and the loss that each replay leaves behind."""
        graph = torch.cuda.CUDAGraph()
        self.step.optimizer.zero_grad()
        with torch.cuda.graph(graph):
            loss = self.step(batch)
        return graph.replay, loss


def make_step(
    model: TwoTower,
    loss: Loss,
    optimizer: Optimizer,
    precision: Precision = "float32",
    *,
    moving_rate: bool = False,
    memory: ItemMemory | None = None,
) -> PlainStep | GraphedStep:
    """The fastest step that the model's device and the optimiser allow.

    With a `moving_rate` a graph serves only where the optimiser's rates are tensors, which it reads anew each time.
    With a `memory` none does, for it holds another number of items at each step.
    """
    step = PlainStep(model, loss, optimizer, precision, memory)
    on_gpu = next(model.parameters()).device.type == "cuda"
    sparse = any(module.sparse_gradients for module in model.modules() if isinstance(module, EmbeddingTable))
    held = moving_rate and not all(isinstance(group["lr"], Tensor) for group in optimizer.param_groups)
    return GraphedStep(step) if on_gpu and not sparse and not held and memory is None else step


def tensors_of(batch: Batch) -> list[Tensor]:
    """Every tensor of a batch, always in the same order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    _map_tensors(batch, note)
    return found


def _map_tensors(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with every tensor put through `change`; its lists must be padded."""

    def change_gathered(inputs: Mapping[str, Gathered]) -> dict[str, Gathered]:
        return {name: change_lists(value) for name, value in inputs.items()}

    def change_lists(value: Gathered) -> Tensor:
        if isinstance(value, Bag):
            raise ValueError("A batch of fixed shape holds padded lists, but here are some of any length.")
        return change(value)

    def change_input(value: TowerInput) -> TowerInput:
        if isinstance(value, SharedHistory):
            return SharedHistory(change_lists(value.lists), change_gathered(value.items))
        return change_lists(value)

    def change_some(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else change(tensor)

    def change_pairs(pairs: Pairs | None) -> Pairs | None:
        return None if pairs is None else Pairs(change(pairs.row), change(pairs.column))

    positives = batch.positives
    return Batch(
        query_inputs={name: change_input(value) for name, value in batch.query_inputs.items()},
        item_inputs=change_gathered(batch.item_inputs),
        positives=Positives(
            column=change(positives.column),
            counts=change_some(positives.counts),
            weights=change_some(positives.weights),
            log_q=change_some(positives.log_q),
            masked=change_pairs(positives.masked),
            shown=change_pairs(positives.shown),
        ),
        user_rows=change(batch.user_rows),
        item_rows=change(batch.item_rows),
    )

"""Softmax cross entropy over the items of the batch, with every item computed once however often it stands there."""

import dataclasses
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["InBatch", "in_batch_softmax"]

# Rows of scores held at once: 1,024 × 700 unique items is 2.9 MB, which stays near the cache.
TILE_ROWS = 1_024


@dataclasses.dataclass(frozen=True)
class InBatch:
    """The positives of one batch against its unique items. P positives, U unique items.

    `column` [P] int64 says which unique item is each positive's own; `counts` [U] float how many positives of
    the batch share it; `weights` [P] multiplies each positive's loss; `log_q` [U] is the log of the share of
    training events that each item has.
    """

    column: Tensor
    counts: Tensor
    weights: Tensor | None = None
    log_q: Tensor | None = None


def in_batch_softmax(
    queries: Tensor,
    items: Tensor,
    batch: InBatch,
    *,
    reduction: Literal["sum", "mean"] = "mean",
    temperature: float = 1.0,
    remove_accidental_hits: bool = False,
) -> Tensor:
    """Cross entropy of each positive's item among all positives' items of the batch; a scalar.

    `queries` [P, D] are the positives' query vectors, `items` [U, D] the vectors of the batch's unique items.
    With scores s = q·v / temperature and n_u positives that share item u, the loss of a row with own item i is

        log Σ_u n_u exp(s_u − log q_u) − (s_i − log q_i)

    which equals the softmax over all P columns, repeats included (tensorflow_recommenders.tasks.Retrieval), at
    the cost of the unique ones. `log_q` (Yi et al. 2019, https://doi.org/10.1145/3298689.3346996) takes out the
    advantage that popular items have as negatives of everyone. `remove_accidental_hits` counts a row's own item
    once: other rows' events with the same item are no negatives. "mean" divides by the sum of the weights, so
    that the learning rate need not change with the batch or the weights' scale; "sum" does not divide.

    Memory is O(P·D + U·D + tile·U): rows go in tiles, and both gradients are formed on the way forward.

    Use it when every event is a positive. The gradient reaches queries and items, not weights or counts.

    >>> queries, items = torch.eye(2), torch.eye(2)
    >>> batch = InBatch(column=torch.tensor([0, 1]), counts=torch.ones(2))
    >>> round(in_batch_softmax(queries, items, batch).item(), 4)  # log(e + 1) − 1
    0.3133
    """
    weights = torch.ones_like(queries[:, 0]) if batch.weights is None else batch.weights.to(queries.dtype)
    if reduction == "mean":
        weights = weights / weights.sum()
    log_counts = batch.counts.to(items.dtype).log()
    column_bias = log_counts if batch.log_q is None else log_counts - batch.log_q  # [U]
    own_bias = -log_counts[batch.column]  # [P]: takes a positive's own item back to a count of one
    loss: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        queries, items, batch.column, column_bias, own_bias, weights, temperature, remove_accidental_hits
    )
    return loss


class _Softmax(torch.autograd.Function):
    """The weighted sum of the rows' losses, with both gradients formed while the scores are at hand."""

    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        items: Tensor,
        column: Tensor,
        column_bias: Tensor,
        own_bias: Tensor,
        weights: Tensor,
        temperature: float,
        own_once: bool,
    ) -> Tensor:
        grad_queries, grad_items = torch.empty_like(queries), torch.zeros_like(items)
        losses = torch.empty_like(weights)
        for start in range(0, len(queries), TILE_ROWS):
            tile = slice(start, start + TILE_ROWS)
            query, own = queries[tile], column[tile].unsqueeze(1)  # [T, D], [T, 1]
            scores = torch.addmm(column_bias, query, items.t(), alpha=1 / temperature)  # [T, U]
            own_score = scores.gather(1, own) + own_bias[tile].unsqueeze(1)  # [T, 1]
            if own_once:
                scores.scatter_(1, own, own_score)
            highest = scores.amax(dim=1, keepdim=True)
            odds = scores.sub_(highest).exp_()  # in place: the tile is never held twice
            total = odds.sum(dim=1, keepdim=True)
            losses[tile] = (total.log() + highest - own_score).squeeze(1)
            weight = weights[tile].unsqueeze(1)
            grad_scores = odds.mul_(weight / total)
            grad_scores.scatter_add_(1, own, -weight)
            torch.mm(grad_scores, items, out=grad_queries[tile])
            grad_items.addmm_(grad_scores.t(), query)
        ctx.save_for_backward(grad_queries, grad_items)
        ctx.scale = 1 / temperature
        return torch.dot(losses, weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_queries, grad_items = ctx.saved_tensors
        scale = grads[0] * ctx.scale
        return grad_queries * scale, grad_items * scale, None, None, None, None, None, None

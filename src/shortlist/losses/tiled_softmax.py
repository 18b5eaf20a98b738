"""The inner kernel of the softmax losses: rows in tiles, and both gradients formed while the scores are at hand."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["tiled_softmax"]

# A tile has as many rows as hold this many scores, within these bounds: tall tiles make the products fast, and small
# ones stay near the cache. Two tiles are held at once, 32 MB up to 65,536 items, 512 MB at a million.
TILE_SCORES = 1 << 22
MIN_ROWS, MAX_ROWS = 64, 1_024


def tiled_softmax(
    queries: Tensor,
    items: Tensor,
    column: Tensor,
    weights: Tensor,
    *,
    column_bias: Tensor | None = None,
    own_bias: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """The sum of the rows' weighted softmax cross entropies against their own columns; a scalar of the weights' dtype.

    `queries` [P, D] and `items` [U, D] are of one dtype, `column` [P] int64 names each row's own, `weights` [P] and the
    biases are float32 (float64 where the vectors are). With scores s_u = q·v_u / temperature + column_bias_u [U], the
    own score of each row moved by its `own_bias` [P], the loss of a row is log Σ_u exp(s_u) − s_own.

    Vectors in bfloat16 are multiplied in it, about twice as fast where the processor knows how; the rest stays float32.

    Memory is O(P·D + U·D + tile·U). The products take 6·P·U·D operations: scores, and a gradient for each side. The
    gradient reaches queries and items only, and can be taken once.

    >>> round(tiled_softmax(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.full((2,), 0.5)).item(), 4)
    0.3133
    """
    if column_bias is None:
        column_bias = torch.zeros(len(items), dtype=weights.dtype, device=items.device)
    loss: Tensor = _TiledSoftmax.apply(  # type: ignore[no-untyped-call]
        queries, items, column, weights, column_bias, own_bias, temperature
    )
    return loss


class _TiledSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        items: Tensor,
        column: Tensor,
        weights: Tensor,
        column_bias: Tensor,
        own_bias: Tensor | None,
        temperature: float,
    ) -> Tensor:
        num_rows, num_columns = len(queries), len(items)
        height = max(MIN_ROWS, min(MAX_ROWS, TILE_SCORES // num_columns))
        score_tile, odds_tile = torch.empty((2, min(height, num_rows), num_columns), **_like(weights))
        losses = torch.empty_like(weights)
        with_gradients = any(ctx.needs_input_grad[:2])
        grad_queries, grad_items = torch.empty_like(queries), torch.zeros(items.shape, **_like(weights))
        for start in range(0, num_rows, height):
            tile = slice(start, min(start + height, num_rows))
            query, own = queries[tile], column[tile].unsqueeze(1)  # [T, D], [T, 1]
            scores, odds = score_tile[: len(query)], odds_tile[: len(query)]  # [T, U]
            _scores(query, items, column_bias, temperature, out=scores)
            own_score = scores.gather(1, own)
            if own_bias is not None:
                own_score += own_bias[tile].unsqueeze(1)
                scores.scatter_(1, own, own_score)
            torch.softmax(scores, dim=1, out=odds)
            # A probability is exp(score) / Z: the highest of a row gives its Z without another pass of exponentials.
            log_z = scores.amax(dim=1) - odds.amax(dim=1).log()
            losses[tile] = log_z - own_score.squeeze(1)
            if with_gradients:
                odds.scatter_add_(1, own, torch.full_like(own_score, -1))  # the gradient by the scores, but for weights
                grad_scores = odds.to(queries.dtype)
                torch.mm(grad_scores, items, out=grad_queries[tile])
                weighted = query * weights[tile].unsqueeze(1).to(query.dtype)
                if query.dtype == weights.dtype:
                    grad_items.addmm_(grad_scores.t(), weighted)
                else:
                    grad_items += grad_scores.t() @ weighted
        if with_gradients:
            ctx.save_for_backward(grad_queries, grad_items, weights)
        ctx.scale = 1 / temperature
        return torch.dot(losses, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_queries, grad_items, weights = ctx.saved_tensors
        scale = grads[0] * ctx.scale
        by_row = (weights * scale).unsqueeze(1)
        dtype = grad_queries.dtype
        return grad_queries * by_row.to(dtype), (grad_items * scale).to(dtype), None, None, None, None, None


def _scores(query: Tensor, items: Tensor, column_bias: Tensor, temperature: float, *, out: Tensor) -> None:
    """Products and bias, in the precision of the products' factors, put into `out` [T, U]."""
    if query.dtype == out.dtype:
        torch.addmm(column_bias, query, items.t(), alpha=1 / temperature, out=out)
    else:
        torch.add(column_bias, query @ items.t(), alpha=1 / temperature, out=out)


def _like(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}

"""The inner kernel of the softmax losses: rows in tiles, and both gradients formed while the scores are at hand."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["tiled_softmax"]

# A tile has as many rows as hold this many scores, within these bounds: tall tiles make the products fast, and small
# ones stay near the cache. One tile is held, and half of one more in bfloat16: 4 MB at a thousand items, 64 MB from
# 16,384 to 262,144 of them, 256 MB at a million.
TILE_SCORES = 1 << 24
MIN_ROWS, MAX_ROWS = 64, 1_024
# Columns are filled up to a multiple of this many, so that each row of scores begins with a new line of the cache: the
# product that makes them then takes three quarters of the time.
COLUMN_STEP = 16


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
        spare = -len(items) % COLUMN_STEP
        if spare:
            items = functional.pad(items, (0, 0, 0, spare))
            column_bias = functional.pad(column_bias, (0, spare), value=-torch.inf)  # no probability, no gradient
        num_rows, num_columns = len(queries), len(items)
        height = min(max(MIN_ROWS, min(MAX_ROWS, TILE_SCORES // num_columns)), num_rows)
        memory = torch.empty((height, num_columns), **_like(weights))

        def scores(tile: slice) -> Tensor:
            """The scores of the tile's rows [T, U]; what was made of an earlier tile's is overwritten."""
            query = queries[tile]
            filled = _scores(query, items, column_bias, temperature, out=memory[: len(query)])
            return filled if own_bias is None else filled.scatter_add_(1, *_own_pairs(column, own_bias, tile))

        losses = torch.empty_like(weights)
        with_gradients = any(ctx.needs_input_grad[:2])
        grad_queries, grad_items = torch.empty_like(queries), torch.zeros(items.shape, **_like(weights))
        weighted = queries * weights.unsqueeze(1).to(queries.dtype)
        minus_one = -torch.ones_like(weights)
        for start in range(0, num_rows, max(height, 1)):
            tile = slice(start, min(start + height, num_rows))
            odds, losses[tile] = _softmax(functools.partial(scores, tile), column[tile])
            if with_gradients:
                # The gradient by the scores, but for the rows' weights.
                odds.scatter_add_(1, *_own_pairs(column, minus_one, tile))
                grad_scores = odds.to(queries.dtype)
                torch.mm(grad_scores, items, out=grad_queries[tile])
                if queries.dtype == weights.dtype:
                    grad_items.addmm_(grad_scores.t(), weighted[tile])
                else:
                    grad_items += grad_scores.t() @ weighted[tile]
        if with_gradients:
            ctx.save_for_backward(grad_queries, grad_items[: num_columns - spare], weights)
        ctx.scale = 1 / temperature
        return torch.dot(losses, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_queries, grad_items, weights = ctx.saved_tensors
        scale = grads[0] * ctx.scale
        dtype = grad_queries.dtype
        by_row = (weights * scale).unsqueeze(1).to(dtype)
        return grad_queries * by_row, (grad_items * scale).to(dtype), None, None, None, None, None


def _scores(query: Tensor, items: Tensor, column_bias: Tensor, temperature: float, *, out: Tensor) -> Tensor:
    """Products and bias, in the precision of the products' factors, put into `out` [T, U]."""
    if query.dtype == out.dtype:
        return torch.addmm(column_bias, query, items.t(), alpha=1 / temperature, out=out)
    return torch.add(column_bias, query @ items.t(), alpha=1 / temperature, out=out)


def _softmax(scores: Callable[[], Tensor], column: Tensor) -> tuple[Tensor, Tensor]:
    """The probabilities [T, U] of the scores, in their place, and each row's loss [T]."""
    own = column.unsqueeze(1)
    odds = scores()
    if odds.is_cpu:
        torch.softmax(odds, dim=1, out=odds)
        own_odds = odds.gather(1, own)
        if float(own_odds.amin()) >= torch.finfo(odds.dtype).tiny:
            return odds, own_odds.log_().neg_().squeeze(1)
        odds = scores()  # some probability is too small for its dtype: take the logs, and the exponentials once more
    torch.log_softmax(odds, dim=1, out=odds)
    losses = odds.gather(1, own).neg_().squeeze(1)
    return odds.exp_(), losses


def _own_pairs(column: Tensor, values: Tensor, tile: slice) -> tuple[Tensor, Tensor]:
    """Each row's own column in a tile and a value for it, [T, 1] each, as a scatter takes them."""
    return column[tile].unsqueeze(1), values[tile].unsqueeze(1)


def _like(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}

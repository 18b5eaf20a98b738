"""The kernel of every loss over scores: rows in tiles, and both gradients formed while the scores are at hand."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from shortlist.losses.positives import Masked

__all__ = ["OfRows", "tiled_loss"]

# A tile has as many rows as hold this many scores, within these bounds: tall tiles make the products fast, and small
# ones stay near the cache. The softmax holds one tile, and half of one more in bfloat16: 4 MB at a thousand items,
# 64 MB from 16,384 to 262,144 of them, 256 MB at a million. Losses of pairs hold some seven.
TILE_SCORES = 1 << 24
MIN_ROWS, MAX_ROWS = 64, 1_024
# Columns are filled up to a multiple of this many, so that each row of scores begins with a new line of the cache: the
# product that makes them then takes three quarters of the time.
COLUMN_STEP = 16

# A loss of rows: given what makes the scores [T, U] of some rows (in the same memory each time it is called) and each
# row's own column [T, 1], the loss of each row [T] and its gradient by the scores [T, U], which may lie in their place.
# What is no candidate of a row scores -inf: its gradient must be 0.
OfRows = Callable[[Callable[[], Tensor], Tensor], tuple[Tensor, Tensor]]


def tiled_loss(
    of_rows: OfRows,
    queries: Tensor,
    items: Tensor,
    column: Tensor,
    weights: Tensor,
    *,
    column_bias: Tensor | None = None,
    own_bias: Tensor | None = None,
    masked: Masked | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """The sum of the rows' weighted losses; a scalar of the weights' dtype.

    `queries` [P, D] and `items` [U, D] are of one dtype, `column` [P] int64 names each row's own, `weights` [P] and the
    biases are float32 (float64 where the vectors are). Scores are s_u = q·v_u / temperature + column_bias_u [U], the
    own score of each row moved by its `own_bias` [P]; the columns in `masked` are no candidates of their rows.

    Vectors in bfloat16 are multiplied in it, about twice as fast where the processor knows how; the rest stays float32.

    Memory is O(P·D + U·D + tile·U). The products take 6·P·U·D operations: scores, and a gradient for each side. The
    gradient reaches queries and items only, and can be taken once.
    """
    if column_bias is None:
        column_bias = torch.zeros(len(items), dtype=weights.dtype, device=items.device)
    loss: Tensor = _TiledLoss.apply(  # type: ignore[no-untyped-call]
        of_rows, queries, items, column, weights, column_bias, own_bias, masked, temperature
    )
    return loss


class _TiledLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        of_rows: OfRows,
        queries: Tensor,
        items: Tensor,
        column: Tensor,
        weights: Tensor,
        column_bias: Tensor,
        own_bias: Tensor | None,
        masked: Masked | None,
        temperature: float,
    ) -> Tensor:
        spare = -len(items) % COLUMN_STEP
        if spare:
            items = functional.pad(items, (0, 0, 0, spare))
            column_bias = functional.pad(column_bias, (0, spare), value=-torch.inf)  # no probability, no gradient
        num_rows, num_columns = len(queries), len(items)
        height = min(max(MIN_ROWS, min(MAX_ROWS, TILE_SCORES // num_columns)), num_rows)
        memory = torch.empty((height, num_columns), **_like(weights))
        own = column.unsqueeze(1)

        starts = range(0, num_rows, max(height, 1))
        first_masked: list[int] = []  # of each tile, and the end of the last one's
        if masked is not None:
            ends = torch.tensor([*starts, num_rows], device=masked.row.device)
            first_masked = torch.searchsorted(masked.row, ends).tolist()

        def scores(tile: slice) -> Tensor:
            """The scores of the tile's rows [T, U]; what was made of an earlier tile's is overwritten."""
            query = queries[tile]
            filled = _scores(query, items, column_bias, temperature, out=memory[: len(query)])
            if own_bias is not None:
                filled.scatter_add_(1, own[tile], own_bias[tile].unsqueeze(1))
            if masked is not None:
                number = tile.start // height
                pairs = slice(first_masked[number], first_masked[number + 1])
                filled[masked.row[pairs] - tile.start, masked.column[pairs]] = -torch.inf
            return filled

        losses = torch.empty_like(weights)
        with_gradients = any(ctx.needs_input_grad[1:3])
        grad_queries, grad_items = torch.empty_like(queries), torch.zeros(items.shape, **_like(weights))
        weighted = queries * weights.unsqueeze(1).to(queries.dtype)
        for start in starts:
            tile = slice(start, min(start + height, num_rows))
            losses[tile], by_scores = of_rows(functools.partial(scores, tile), own[tile])
            if with_gradients:  # but for the rows' weights
                grad_scores = by_scores.to(queries.dtype)
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
        return None, grad_queries * by_row, (grad_items * scale).to(dtype), None, None, None, None, None, None


def _scores(query: Tensor, items: Tensor, column_bias: Tensor, temperature: float, *, out: Tensor) -> Tensor:
    """Products and bias, in the precision of the products' factors, put into `out` [T, U]."""
    if query.dtype == out.dtype:
        return torch.addmm(column_bias, query, items.t(), alpha=1 / temperature, out=out)
    return torch.add(column_bias, query @ items.t(), alpha=1 / temperature, out=out)


def _like(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}

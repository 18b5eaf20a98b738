"""The kernel of every loss over scores: rows in tiles, and both gradients formed while the scores are at hand."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from shortlist.losses.hard_negatives import keep_hardest
from shortlist.losses.positives import Pairs

__all__ = ["Candidates", "OfRows", "tiled_loss"]

# A tile has as many rows as hold this many scores, within these bounds: tall tiles make the products fast, and small
# ones stay near the cache. The softmax holds one tile, and half of one more in bfloat16: 4 MB at a thousand items,
# 64 MB from 16,384 to 262,144 of them, 256 MB at a million. Losses of pairs hold some seven.
TILE_SCORES = 1 << 24
MIN_ROWS, MAX_ROWS = 64, 1_024
# A GPU has no cache to stay near, and is a fifth to a quarter faster with larger ones, of 256 MB at most.
TILE_SCORES_ON_GPU, MAX_ROWS_ON_GPU = 1 << 26, 4_096
# Columns are filled up to a multiple of this many, so that each row of scores begins with a new line of the cache: the
# product that makes them then takes three quarters of the time.
COLUMN_STEP = 16

# A loss of rows: given what makes the scores [T, C] of some rows (in the same memory each time it is called) and each
# row's own column [T, 1], the loss of each row [T] and its gradient by the scores [T, C], which may lie in their place.
# What is no candidate of a row scores -inf: its gradient must be 0. Of the C columns the first U are the items, and any
# others hold what was shown with each row alone.
OfRows = Callable[[Callable[[], Tensor], Tensor], tuple[Tensor, Tensor]]


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Which columns are candidates of which rows, and what is added to their scores.

    `column_bias` [U] is added to every row's scores (-inf: nobody's candidate), `own_bias` [P] to the own score of each
    row. The columns in `masked` are no candidates of their rows. `shown` are more candidates of single rows: pairs of a
    row and a place among the shown items, whose scores are moved by `shown_bias`, a scalar. With `hardest` only so many
    others of each row's candidates stay, by all of this: `keep_hardest`. Biases are of the weights' dtype.
    """

    column_bias: Tensor | None = None
    own_bias: Tensor | None = None
    masked: Pairs | None = None
    shown: Pairs | None = None
    shown_bias: Tensor | float = 0.0
    hardest: int | None = None


def tiled_loss(
    of_rows: OfRows,
    queries: Tensor,
    items: Tensor,
    column: Tensor,
    weights: Tensor,
    candidates: Candidates | None = None,
    *,
    shown_items: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """The sum of the rows' weighted losses; a scalar of the weights' dtype.

    `queries` [P, D] and `items` [U, D] are of one dtype, `column` [P] int64 names each row's own, `weights` [P] are
    float32 (float64 where the vectors are). Scores are s_u = q·v_u / temperature, and what the `candidates` add.
    `shown_items` [S, D] are those that `candidates.shown` points into, the items where they are left out.

    Vectors in bfloat16 are multiplied in it, about twice as fast where the processor knows how; the rest stays float32.

    Memory is O(P·D + U·D + tile·(U + D·L)) for L shown items a row. The products take 6·P·(U + L)·D operations: scores,
    and a gradient for each side. The gradient reaches queries and items only, and can be taken once.
    """
    candidates = candidates or Candidates()
    if candidates.shown is not None and shown_items is None:
        shown_items = items
    loss: Tensor = _TiledLoss.apply(  # type: ignore[no-untyped-call]
        of_rows, queries, items, shown_items, column, weights, candidates, temperature
    )
    return loss


class _TiledLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        of_rows: OfRows,
        queries: Tensor,
        items: Tensor,
        shown_items: Tensor | None,
        column: Tensor,
        weights: Tensor,
        candidates: Candidates,
        temperature: float,
    ) -> Tensor:
        tiles = _Tiles((queries, items, shown_items), column.unsqueeze(1), weights, candidates, temperature)
        gradients = _Gradients(tiles, weights) if any(ctx.needs_input_grad[1:4]) else None
        losses = torch.empty_like(weights)
        for tile in tiles:
            losses[tile], by_scores = of_rows(functools.partial(tiles.scores, tile), tiles.own[tile])
            if gradients is not None:
                gradients.add(tile, by_scores)
        if gradients is not None:
            ctx.save_for_backward(gradients.by_queries, gradients.by_items[: len(items)], gradients.by_shown, weights)
        ctx.scale = 1 / temperature
        return torch.dot(losses, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_queries, grad_items, grad_shown, weights = ctx.saved_tensors
        scale = grads[0] * ctx.scale
        dtype = grad_queries.dtype
        by_row = (weights * scale).unsqueeze(1).to(dtype)
        grad_shown = None if grad_shown is None else (grad_shown * scale).to(dtype)
        return None, grad_queries * by_row, (grad_items * scale).to(dtype), grad_shown, None, None, None, None


class _Tiles:
    """The rows in tiles, and the scores of one tile after another, made in the same memory."""

    def __init__(
        self,
        vectors: tuple[Tensor, Tensor, Tensor | None],
        own: Tensor,
        weights: Tensor,
        candidates: Candidates,
        temperature: float,
    ) -> None:
        queries, items, self.shown_items = vectors
        bias = candidates.column_bias
        if bias is None:
            bias = torch.zeros(len(items), **_like(weights))
        spare = -len(items) % COLUMN_STEP
        if spare:
            items = functional.pad(items, (0, 0, 0, spare))
            bias = functional.pad(bias, (0, spare), value=-torch.inf)  # no probability, no gradient
        self.queries, self.items, self.own = queries, items, own
        self._column_bias, self._candidates, self._temperature = bias, candidates, temperature
        masked, shown = candidates.masked, candidates.shown
        column = None if shown is None else len(items) + _place_in_row(shown.row)  # [K] where what is shown stands
        width = len(items)
        if column is not None and len(column):
            width += math.ceil((int(column.amax()) + 1 - width) / COLUMN_STEP) * COLUMN_STEP
        most, num_scores = (MAX_ROWS, TILE_SCORES) if weights.is_cpu else (MAX_ROWS_ON_GPU, TILE_SCORES_ON_GPU)
        height = min(max(MIN_ROWS, min(most, num_scores // width)), len(queries))
        self._memory = torch.empty((height, width), **_like(weights))
        starts = range(0, len(queries), max(height, 1))
        self._tiles = [slice(start, min(start + height, len(queries))) for start in starts]
        self._masked = None if masked is None else _ByTile(self._tiles, masked.row, masked.column)
        self.shown = None if shown is None or column is None else _ByTile(self._tiles, shown.row, shown.column, column)

    def __iter__(self) -> Iterator[slice]:
        return iter(self._tiles)

    def scores(self, tile: slice) -> Tensor:
        """The scores of the tile's rows [T, C]; what was made of an earlier tile's is overwritten."""
        query, candidates = self.queries[tile], self._candidates
        filled = self._memory[: len(query)]
        of_items = filled if self.shown is None else filled[:, : len(self.items)]
        _scores(query, self.items, self._column_bias, self._temperature, out=of_items)
        if candidates.own_bias is not None:
            filled.scatter_add_(1, self.own[tile], candidates.own_bias[tile].unsqueeze(1))
        if self._masked is not None:
            row, column = self._masked.of(tile)
            filled[row, column] = -torch.inf
        if self.shown is not None and self.shown_items is not None:
            row, item, column = self.shown.of(tile)
            products = (query[row].to(filled.dtype) * self.shown_items[item]).sum(dim=1)
            filled[:, len(self.items) :] = -torch.inf
            filled[row, column] = products / self._temperature + candidates.shown_bias
        if candidates.hardest is not None:
            keep_hardest(filled, self.own[tile], candidates.hardest)
        return filled


class _Gradients:
    """The losses' gradients by queries and items, but for the rows' weights in the former and the scale in both."""

    def __init__(self, tiles: _Tiles, weights: Tensor) -> None:
        self._tiles = tiles
        self._weighted = tiles.queries * weights.unsqueeze(1).to(tiles.queries.dtype)
        self.by_queries = torch.empty_like(tiles.queries)
        self.by_items = torch.zeros(tiles.items.shape, **_like(weights))
        self.by_shown = None if tiles.shown_items is None else torch.zeros(tiles.shown_items.shape, **_like(weights))

    def add(self, tile: slice, by_scores: Tensor) -> None:
        """Take in the gradient by the scores [T, C] of a tile's rows."""
        items, weighted, by_queries = self._tiles.items, self._weighted[tile], self.by_queries[tile]
        of_items = by_scores if self._tiles.shown is None else by_scores[:, : len(items)]
        of_items = of_items.to(by_queries.dtype)
        torch.mm(of_items, items, out=by_queries)
        if self.by_items.dtype == weighted.dtype:
            self.by_items.addmm_(of_items.t(), weighted)
        else:
            self.by_items += of_items.t() @ weighted
        shown, shown_items = self._tiles.shown, self._tiles.shown_items
        if shown is not None and shown_items is not None and self.by_shown is not None:
            row, item, column = shown.of(tile)
            slope = by_scores[row, column].unsqueeze(1)  # [K, 1]
            by_queries.index_add_(0, row, (slope * shown_items[item]).to(by_queries.dtype))
            self.by_shown.index_add_(0, item, slope * weighted[row])


class _ByTile:
    """Rows in ascending order, and what belongs to each, cut up by the tile that holds the row."""

    def __init__(self, tiles: list[slice], row: Tensor, *values: Tensor) -> None:
        ends = torch.tensor([0, *(tile.stop for tile in tiles)], device=row.device)
        cuts = itertools.pairwise(torch.searchsorted(row.contiguous(), ends).tolist())
        self._of = {tile.start: slice(*cut) for tile, cut in zip(tiles, cuts, strict=True)}
        self._row, self._values = row, values

    def of(self, tile: slice) -> tuple[Tensor, ...]:
        """The rows, counted from the tile's first, and what belongs to them."""
        where = self._of[tile.start]
        return self._row[where] - tile.start, *(values[where] for values in self._values)


def _place_in_row(row: Tensor) -> Tensor:
    """For ascending rows [K] the place of each among those of the same row, from 0.

    >>> _place_in_row(torch.tensor([0, 2, 2, 2, 3])).tolist()
    [0, 0, 1, 2, 0]
    """
    row = row.contiguous()
    return torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)


def _scores(query: Tensor, items: Tensor, column_bias: Tensor, temperature: float, *, out: Tensor) -> Tensor:
    """Products and bias, in the precision of the products' factors, put into `out` [T, U]."""
    if query.dtype == out.dtype:
        return torch.addmm(column_bias, query, items.t(), alpha=1 / temperature, out=out)
    return torch.add(column_bias, query @ items.t(), alpha=1 / temperature, out=out)


def _like(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}

"""Embedding tables, whose gradients are kept as the rows used where that pays, and the pooling of lists of them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from shortlist.features.history import FittedHistory
from shortlist.features.lists import FIRST_ROW, FittedLists
from shortlist.models.inputs import Bag

__all__ = ["EmbeddingTable", "PooledHistory", "PooledLists", "SharedVectors"]


class EmbeddingTable(nn.Module):
    """A vector for each of `num_rows` rows: [B] int64 -> [B, width] float32. The weights are not drawn yet.

    With `sparse_gradients` the gradient of a batch is a sparse tensor of the rows used, so that a step's cost does not
    grow with the table; otherwise a dense one, which is faster for a small table. In training `dropout` is the chance
    of a row to be taken for the unknown one, 0.
    """

    def __init__(self, num_rows: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_rows, width))
        self.dropout = dropout
        self.sparse_gradients = False

    def forward(self, rows: Tensor) -> Tensor:
        if self.training and self.dropout:
            rows = torch.where(torch.rand(rows.shape, device=rows.device) < self.dropout, 0, rows)
        return self.look_up(rows)

    def look_up(self, rows: Tensor) -> Tensor:
        """The vectors of the rows, none dropped."""
        if self.sparse_gradients:
            return nn.functional.embedding(rows, self.weight, sparse=True)
        return take_rows(self.weight, rows)

    def sums(self, rows: Tensor, lengths: Tensor, weights: Tensor | None = None) -> Tensor:
        """The sum of the vectors of each list [B, width]; see `sum_lists`."""
        return sum_lists(self.weight, rows, lengths, weights, sparse=self.sparse_gradients)


class SharedVectors(NamedTuple):
    """Vectors [U, width] that the item tower gave, in the place of an `EmbeddingTable`; row FIRST_ROW is the first."""

    vectors: Tensor

    def look_up(self, rows: Tensor) -> Tensor:
        """The vectors of the rows; any one for rows that mean no item."""
        return take_rows(self.vectors, (rows - FIRST_ROW).clamp(min=0))

    def sums(self, rows: Tensor, lengths: Tensor, weights: Tensor | None = None) -> Tensor:
        """The sum of the vectors of each list [B, width]; see `sum_lists`."""
        return sum_lists(self.vectors, rows - FIRST_ROW, lengths, weights)


def take_rows(vectors: Tensor, rows: Tensor) -> Tensor:
    """The vectors [M, W] of these rows [M], with a dense gradient that is summed in the same order each time.

    A GPU sums that of an index_select in any order, so that no training would end as the one before; an embedding's it
    sorts. On a processor both have their order, and the former's takes half the time. In a saved tower an embedding is
    one node, and an index_select three.
    """
    if vectors.is_cpu and not torch.compiler.is_exporting():
        return vectors.index_select(0, rows)
    return nn.functional.embedding(rows, vectors)


def sum_padded(table: "EmbeddingTable | SharedVectors", lists: Tensor, weights: Tensor) -> Tensor:
    """The sum of the vectors of lists [B, L] that are filled up, times their weights [B, L]: [B, W].

    A saved tower takes the sum as a product of matrices, which halves its time on one history: the weighted vectors are
    never written down. Training on a GPU does not, where products may be rounded to bfloat16.
    """
    if torch.compiler.is_exporting():
        product: Tensor = torch.matmul(weights.unsqueeze(1), table.look_up(lists)).squeeze(1)  # [B, 1, L] x [B, L, W]
        return product
    vectors = table.look_up(lists.flatten()).reshape(*lists.shape, -1)  # [B, L, W]
    return (vectors * weights.unsqueeze(2)).sum(dim=1)


def sum_lists(
    vectors: Tensor, rows: Tensor, lengths: Tensor, weights: Tensor | None = None, *, sparse: bool = False
) -> Tensor:
    """The sum of the vectors of each list [B, width], times their weights [M] where there are some.

    `rows` [M] are lists of these lengths [B], one after another. The vectors of single rows are never written down,
    which would take most of the time.
    """
    starts = lengths.cumsum(0) - lengths
    return nn.functional.embedding_bag(rows, vectors, starts, mode="sum", sparse=sparse, per_sample_weights=weights)


class PooledLists(EmbeddingTable):
    """The weighted mean vector of each list of rows, [B, width], or the sum over the root of the squared weights.

    Zeros for an empty list. In training `dropout` is the chance of each value to be left out.
    """

    token_weights: Tensor | None

    def __init__(self, feature: FittedLists) -> None:
        super().__init__(feature.num_rows, feature.width, feature.dropout)
        self.pooling = feature.pooling
        weights = feature.weights
        self.register_buffer("token_weights", None if weights is None else torch.from_numpy(weights))

    def forward(self, lists: Tensor | Bag) -> Tensor:
        return self._of_bag(lists) if isinstance(lists, Bag) else self._of_padded(lists)

    def _of_bag(self, lists: Bag) -> Tensor:
        rows, owner, lengths = lists
        weights = None if self.token_weights is None else self.token_weights.index_select(0, rows)  # [M]
        if self.training and self.dropout:
            kept = (torch.rand(rows.shape, device=rows.device) >= self.dropout).to(self.weight.dtype)
            weights = kept if weights is None else weights * kept
        if weights is None:
            return self.sums(rows, lengths) / _divisor(self.pooling, lengths.to(self.weight.dtype)).unsqueeze(1)
        counted = weights.square() if self.pooling == "sqrt" else weights
        totals = weights.new_zeros(len(lengths)).index_add(0, owner, counted)
        return self.sums(rows, lengths, weights) / _divisor(self.pooling, totals).unsqueeze(1)

    def _of_padded(self, lists: Tensor) -> Tensor:
        """Of lists [B, L] filled up with 0, as a GPU and a saved tower take them: a product gives no loop in ONNX."""
        weights = (lists != 0).to(self.weight.dtype)
        if self.token_weights is not None:
            weights = weights * self.token_weights.index_select(0, lists.flatten()).reshape(lists.shape)
        if self.training and self.dropout:
            weights = weights * (torch.rand(lists.shape, device=lists.device) >= self.dropout)
        totals = (weights.square() if self.pooling == "sqrt" else weights).sum(dim=1, keepdim=True)
        return sum_padded(self, lists, weights) / _divisor(self.pooling, totals)


class PooledHistory(nn.Module):
    """The weighted mean vector of each history, [B, width]; zeros for an empty one. The latest item stands last.

    Weights are equal ("mean", and "sqrt", which divides by the root of their number), halve for every `half_life` items
    that come after ("recency"), or are a softmax over one learnt score for each row ("attention"). In training
    `dropout` is the chance of each item, and `forget` that of each history, to be left out. A shared history has no
    table of its own, and is given the vectors of the items.
    """

    def __init__(self, feature: FittedHistory) -> None:
        super().__init__()
        choice = feature.choice
        self.pooling = choice.pooling
        self.half_life = choice.half_life
        self.dropout = choice.dropout
        self.forget = choice.forget
        self.table = None if choice.shared else EmbeddingTable(feature.num_rows, feature.width)
        self.scores = nn.Parameter(torch.zeros(feature.num_rows)) if self.pooling == "attention" else None

    def forward(self, lists: Tensor | Bag, shared: SharedVectors | None = None) -> Tensor:
        table = shared if shared is not None else self.table
        if table is None:
            raise ValueError("A shared history needs the vectors of the items: encode queries by the model.")
        return self._of_bag(lists, table) if isinstance(lists, Bag) else self._of_padded(lists, table)

    def _of_bag(self, lists: Bag, table: EmbeddingTable | SharedVectors) -> Tensor:
        rows, owner, lengths = lists
        size = len(lengths)
        later = lengths.cumsum(0).index_select(0, owner) - torch.arange(len(rows), device=rows.device) - 1
        if self.training and (self.dropout or self.forget):
            kept = self._kept(rows.shape, size, rows.device, owner)
            rows, owner, later = rows[kept], owner[kept], later[kept]
            lengths = torch.bincount(owner, minlength=size)
        weights = self._weights(rows, later)  # [M]
        if weights is None:
            return table.sums(rows, lengths) / _divisor(self.pooling, lengths.float()).unsqueeze(1)
        if self.scores is not None:  # a softmax's highest taken off, so that nothing overflows
            highest = weights.new_full((size,), -torch.inf).scatter_reduce(0, owner, weights.detach(), "amax")
            weights = (weights - highest.index_select(0, owner)).exp()
        totals = weights.new_zeros(size).index_add(0, owner, weights)
        return table.sums(rows, lengths, weights) / _divisor(self.pooling, totals).unsqueeze(1)

    def _of_padded(self, lists: Tensor, table: EmbeddingTable | SharedVectors) -> Tensor:
        """Of lists [B, L] filled up with 0, as a GPU and a saved tower take them."""
        filled = lists != 0
        later = filled.sum(dim=1, keepdim=True) - filled.cumsum(dim=1)
        if self.training and (self.dropout or self.forget):
            filled = filled & self._kept(lists.shape, len(lists), lists.device)
        weights = self._weights(lists.flatten(), later.flatten())  # [B · L]
        shares = filled.float()
        if weights is not None:
            weights = weights.reshape(lists.shape)
            if self.scores is not None:
                lowest = torch.finfo(weights.dtype).min
                highest = torch.where(filled, weights, lowest).detach().amax(dim=1, keepdim=True)
                weights = (torch.where(filled, weights, lowest) - highest).exp()
            shares = shares * weights
        totals = shares.sum(dim=1, keepdim=True)
        return sum_padded(table, lists, shares) / _divisor(self.pooling, totals)

    def _kept(self, shape: torch.Size, size: int, device: torch.device, owner: Tensor | None = None) -> Tensor:
        """Which items of `size` histories stay in this step, drawn anew: in a bag's form with `owner`, else padded."""
        remembered = torch.rand(size, device=device) >= self.forget
        of_each = remembered.unsqueeze(1) if owner is None else remembered.index_select(0, owner)
        return of_each & (torch.rand(shape, device=device) >= self.dropout)

    def _weights(self, rows: Tensor, later: Tensor) -> Tensor | None:
        """What each item [M] weighs, or the log of it for "attention"; `later` counts the items that came after it."""
        if self.scores is not None:
            if self.scores.is_cpu:  # in a saved tower, too, where the weights must keep their shape
                return self.scores.index_select(0, rows)
            return take_rows(self.scores.unsqueeze(1), rows).squeeze(1)
        if self.pooling == "recency":
            return torch.exp2(later.float() / -self.half_life)
        return None


def _divisor(pooling: str, totals: Tensor) -> Tensor:
    """What weighted sums are divided by, never 0: the weights' sum, or its root."""
    totals = totals.clamp(min=torch.finfo(totals.dtype).tiny)
    return totals.sqrt() if pooling == "sqrt" else totals

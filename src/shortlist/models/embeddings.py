"""Embedding tables, whose gradients are kept as the rows used where that pays."""

import torch
from torch import Tensor, nn

from shortlist.features.history import History
from shortlist.models.inputs import Bag, TowerInput

__all__ = ["EmbeddingTable", "MeanOfLists", "PooledHistory"]


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
        return self.weight.index_select(0, rows)  # its gradient takes half the time of an embedding's

    def sums(self, rows: Tensor, lengths: Tensor, weights: Tensor | None = None) -> Tensor:
        """The sum of the vectors of each list [B, width], times their weights [M] where there are some.

        `rows` [M] are lists of these lengths [B], one after another. The vectors of single rows are never written down,
        which would take most of the time.
        """
        starts = lengths.cumsum(0) - lengths
        return nn.functional.embedding_bag(
            rows, self.weight, starts, mode="sum", sparse=self.sparse_gradients, per_sample_weights=weights
        )


class MeanOfLists(EmbeddingTable):
    """The mean vector of each list of rows, [B, width]; zeros for an empty one."""

    def forward(self, lists: TowerInput) -> Tensor:
        if isinstance(lists, Bag):
            return self.sums(lists.rows, lists.lengths) / lists.lengths.clamp(min=1).unsqueeze(1)
        # Padded lists [B, L], as a saved tower takes them: a product with the filled places gives no loop in ONNX.
        filled = (lists != 0).unsqueeze(2).to(self.weight.dtype)  # [B, L, 1]
        vectors = self.look_up(lists.flatten()).reshape(*lists.shape, -1) * filled  # [B, L, W]
        means: Tensor = vectors.sum(dim=1) / filled.sum(dim=1).clamp(min=1)
        return means


class PooledHistory(EmbeddingTable):
    """The weighted mean vector of each history, [B, width]; zeros for an empty one. The latest item stands last.

    Weights are equal ("mean", and "sqrt", which divides by the root of their number), halve for every `half_life` items
    that come after ("recency"), or are a softmax over one learnt score for each row ("attention"). In training
    `dropout` is the chance of each item, and `forget` that of each history, to be left out.
    """

    def __init__(self, num_rows: int, choice: History) -> None:
        super().__init__(num_rows, choice.width, choice.dropout)
        self.pooling = choice.pooling
        self.half_life = choice.half_life
        self.forget = choice.forget
        self.scores = nn.Parameter(torch.zeros(num_rows)) if self.pooling == "attention" else None

    def forward(self, lists: TowerInput) -> Tensor:
        return self._of_bag(lists) if isinstance(lists, Bag) else self._of_padded(lists)

    def _of_bag(self, lists: Bag) -> Tensor:
        rows, owner, lengths = lists
        size = len(lengths)
        later = lengths.cumsum(0).index_select(0, owner) - torch.arange(len(rows), device=rows.device) - 1
        if self.training and (self.dropout or self.forget):
            kept = self._kept(rows.shape, size, rows.device, owner)
            rows, owner, later = rows[kept], owner[kept], later[kept]
            lengths = torch.bincount(owner, minlength=size)
        weights = self._weights(rows, later)  # [M]
        if weights is None:
            return self.sums(rows, lengths) / self._divisor(lengths.to(self.weight.dtype)).unsqueeze(1)
        if self.scores is not None:  # a softmax's highest taken off, so that nothing overflows
            highest = weights.new_full((size,), -torch.inf).scatter_reduce(0, owner, weights.detach(), "amax")
            weights = (weights - highest.index_select(0, owner)).exp()
        totals = weights.new_zeros(size).index_add(0, owner, weights)
        return self.sums(rows, lengths, weights) / self._divisor(totals).unsqueeze(1)

    def _of_padded(self, lists: Tensor) -> Tensor:
        """Of lists [B, L] filled up with 0, as a GPU and a saved tower take them."""
        filled = lists != 0
        later = filled.sum(dim=1, keepdim=True) - filled.cumsum(dim=1)
        if self.training and (self.dropout or self.forget):
            filled = filled & self._kept(lists.shape, len(lists), lists.device)
        weights = self._weights(lists.flatten(), later.flatten())  # [B · L]
        shares = filled.to(self.weight.dtype)
        if weights is not None:
            weights = weights.reshape(lists.shape)
            if self.scores is not None:
                lowest = torch.finfo(weights.dtype).min
                highest = torch.where(filled, weights, lowest).detach().amax(dim=1, keepdim=True)
                weights = (torch.where(filled, weights, lowest) - highest).exp()
            shares = shares * weights
        vectors = self.look_up(lists.flatten()).reshape(*lists.shape, -1)
        totals = shares.sum(dim=1, keepdim=True)
        pooled: Tensor = (vectors * shares.unsqueeze(2)).sum(dim=1) / self._divisor(totals)
        return pooled

    def _kept(self, shape: torch.Size, size: int, device: torch.device, owner: Tensor | None = None) -> Tensor:
        """Which items of `size` histories stay in this step, drawn anew: in a bag's form with `owner`, else padded."""
        remembered = torch.rand(size, device=device) >= self.forget
        of_each = remembered.unsqueeze(1) if owner is None else remembered.index_select(0, owner)
        return of_each & (torch.rand(shape, device=device) >= self.dropout)

    def _divisor(self, totals: Tensor) -> Tensor:
        """What the weighted sums are divided by; never 0."""
        totals = totals.clamp(min=torch.finfo(totals.dtype).tiny)
        return totals.sqrt() if self.pooling == "sqrt" else totals

    def _weights(self, rows: Tensor, later: Tensor) -> Tensor | None:
        """What each item [M] weighs, or the log of it for "attention"; `later` counts the items that came after it."""
        if self.scores is not None:
            return self.scores.index_select(0, rows)
        if self.pooling == "recency":
            return torch.exp2(later.to(self.weight.dtype) / -self.half_life)
        return None

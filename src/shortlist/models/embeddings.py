"""Embedding tables, whose gradients are kept as the rows used where that pays."""

import torch
from torch import Tensor, nn

from shortlist.models.inputs import Bag, TowerInput

__all__ = ["EmbeddingTable", "MeanOfLists"]


class EmbeddingTable(nn.Module):
    """A vector for each of `num_rows` rows: [B] int64 -> [B, width] float32. The weights are not drawn yet.

    With `sparse_gradients` the gradient of a batch is a sparse tensor of the rows used, so that a step's cost does not
    grow with the table; otherwise a dense one, which is faster for a small table.
    """

    def __init__(self, num_rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_rows, width))
        self.sparse_gradients = False

    def forward(self, rows: Tensor) -> Tensor:
        if self.sparse_gradients:
            return nn.functional.embedding(rows, self.weight, sparse=True)
        return self.weight.index_select(0, rows)  # its gradient takes half the time of an embedding's


class MeanOfLists(EmbeddingTable):
    """The mean vector of each list of rows, [B, width]; zeros for an empty one."""

    def forward(self, lists: TowerInput) -> Tensor:
        if isinstance(lists, Bag):
            sums = torch.zeros(
                len(lists.lengths), self.weight.shape[1], dtype=self.weight.dtype, device=self.weight.device
            )
            sums = sums.index_add(0, lists.owner, super().forward(lists.rows))
            return sums / lists.lengths.clamp(min=1).unsqueeze(1)
        # Padded lists [B, L], as a saved tower takes them: a product with the filled places gives no loop in ONNX.
        filled = (lists != 0).unsqueeze(2).to(self.weight.dtype)  # [B, L, 1]
        vectors = super().forward(lists.flatten()).reshape(*lists.shape, -1) * filled  # [B, L, W]
        means: Tensor = vectors.sum(dim=1) / filled.sum(dim=1).clamp(min=1)
        return means

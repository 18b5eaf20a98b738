"""The rows of a table that a batch used, and what their gradients sum to."""

import torch
from torch import Tensor

__all__ = ["used_rows"]


def used_rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows [U] int64, each once and ascending, and the sum of the gradients [U, W] of each.

    `gradient` is a sparse tensor [N, W] as an embedding gives it: a row that stands in the batch twice is in it twice,
    and must move once, by the sum. Faster than `coalesce`, and the sums come in the batch's order.

    >>> rows = torch.tensor([[5, 2, 5]])
    >>> used_rows(torch.sparse_coo_tensor(rows, torch.tensor([[1.0], [2.0], [3.0]]), (9, 1), check_invariants=True))
    (tensor([2, 5]), tensor([[2.],
            [4.]]))
    """
    rows, place = torch.unique(gradient._indices()[0], return_inverse=True)
    values = gradient._values()
    if not values.is_cpu:  # a GPU would add in any order, and each time come out otherwise
        sums: Tensor = torch.ops.aten.embedding_dense_backward(values, place, len(rows), -1, False)
        return rows, sums
    return rows, values.new_zeros(len(rows), values.shape[1]).index_add_(0, place, values)

"""Popularity: the same list for everyone, by how often each item was touched in training."""

import numpy as np
import numpy.typing as npt

from shortlist.data import Dataset

__all__ = ["popularity"]


def popularity(train: Dataset) -> npt.NDArray[np.float32]:
    """How often each item stands in the training events, by their weights where they have some: [N] float32.

    >>> popularity(Dataset({"u": [1, 2, 1], "i": [7, 7, 9]}, query_id="u", item_id="i")).tolist()
    [2.0, 1.0]
    """
    known = train.item_rows >= 0
    weights = train.weights
    counts = np.bincount(train.item_rows[known], None if weights is None else weights[known], minlength=train.num_items)
    return counts.astype(np.float32)

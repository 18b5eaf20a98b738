"""Popularity: the same list for everyone, by how often each item was touched in training."""

import numpy as np
import numpy.typing as npt

from shortlist.baselines.scorer import SharedScorer
from shortlist.data import Dataset

__all__ = ["fit_popularity", "popularity"]


def popularity(train: Dataset) -> npt.NDArray[np.float32]:
    """How often each item stands in the training events, by their weights where they have some: [N] float32.

    >>> popularity(Dataset({"u": [1, 2, 1], "i": [7, 7, 9]}, query_id="u", item_id="i")).tolist()
    [2.0, 1.0]
    """
    known = train.item_rows >= 0
    weights = train.weights
    counts = np.bincount(train.item_rows[known], None if weights is None else weights[known], minlength=train.num_items)
    return counts.astype(np.float32)


def fit_popularity(train: Dataset, *, known: Dataset | None = None) -> SharedScorer:  # noqa: ARG001 - all take it
    """How often training touched each item, the same for every user; weights are added up.

    A good yardstick always: a model that does not beat it has learnt nothing about anyone. It is strong where seen
    items are candidates, and where most users of the test are new.

    >>> data = Dataset({"u": [1, 2, 1], "i": [7, 7, 9]}, query_id="u", item_id="i")
    >>> fit_popularity(data)(np.array([0])).tolist()
    [[2.0, 1.0]]
    """
    return SharedScorer(popularity(train))

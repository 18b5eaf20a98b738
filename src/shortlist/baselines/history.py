"""Who touched what in training, as a sparse matrix."""

from typing import Any

import numpy as np

from shortlist.data import Dataset
from shortlist.data.seen import Seen
from shortlist.errors import require_extra

__all__ = ["touched", "touched_weights"]


def touched(train: Dataset, known: Dataset | None = None) -> Any:
    """1 where a user touched an item in training, however often: a scipy CSR array [U, N] float64.

    Events outside the catalogue are passed over. `known` are events of held-out users that count too. Raises
    `MissingExtraError` without the extra `train`.

    >>> data = Dataset({"u": [1, 2, 2, 2], "i": [7, 7, 9, 9]}, query_id="u", item_id="i")
    >>> touched(data).toarray().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    require_extra("train", ["scipy"])
    from scipy import sparse

    seen = Seen.of(train) if known is None else Seen.of(train, known)
    ones = np.ones(len(seen.item_rows))
    return sparse.csr_array((ones, seen.item_rows, seen.offsets), shape=(train.num_users, train.num_items))


def touched_weights(train: Dataset) -> Any:
    """How much each user touched each item: the sum of the weights of the events, 1 each where there are none.

    A scipy CSR array [U, N] float64; else as `touched`.

    >>> data = Dataset({"u": [1, 2, 2, 2], "i": [7, 7, 9, 9]}, query_id="u", item_id="i")
    >>> touched_weights(data).toarray().tolist()
    [[1.0, 0.0], [1.0, 2.0]]
    """
    require_extra("train", ["scipy"])
    from scipy import sparse

    known = train.item_rows >= 0
    weights = np.ones(train.num_events) if train.weights is None else train.weights.astype(np.float64)
    places = (train.user_rows[known], train.item_rows[known])
    return sparse.coo_array((weights[known], places), shape=(train.num_users, train.num_items)).tocsr()

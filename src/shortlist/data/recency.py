"""What events weigh by how long ago they happened."""

import numpy as np
import numpy.typing as npt

from shortlist.data.dataset import Dataset
from shortlist.data.histories import ticks_per_second

__all__ = ["weights_by_recency"]

# A weight of 2 ** -64 is nothing beside one of 1, and still a number of float32, so that a batch of old events alone
# has weights to divide by.
MOST_HALVINGS = 64.0


def weights_by_recency(data: Dataset, half_life: float) -> npt.NDArray[np.float32]:
    """The weight of each event [E] float32, halved for every `half_life` seconds between it and the latest one.

    Weights that the data has are multiplied, and nothing is halved more than 64 times. Seconds count in the column's
    own unit where times are numbers without one. Raises `SettingsError` without a time role.

    >>> clicks = {"user": [1, 1, 2], "sku": [8, 7, 8], "at": [70, 100, 90]}
    >>> weights_by_recency(Dataset(clicks, query_id="user", item_id="sku", time="at"), half_life=10.0).tolist()
    [0.125, 1.0, 0.5]
    """
    times = data.times
    age = (times.max() - times) / ticks_per_second(data)
    halvings = np.minimum(age / half_life, MOST_HALVINGS)
    recency: npt.NDArray[np.float32] = np.exp2(-halvings).astype(np.float32)
    given = data.weights
    return recency if given is None else recency * given

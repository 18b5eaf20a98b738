"""Recent popularity: the same list for everyone, by how often each item was touched lately."""

import numpy as np

from shortlist.baselines.popularity import popularity
from shortlist.baselines.scorer import SharedScorer
from shortlist.data import Dataset
from shortlist.errors import SettingsError

__all__ = ["fit_recent_popularity", "recent_popularity_without_times"]


def fit_recent_popularity(
    train: Dataset,
    *,
    known: Dataset | None = None,  # noqa: ARG001 - all baselines take it
    share: float = 0.1,
) -> SharedScorer:
    """How often the newest `share` of the training events touched each item, the same for every user.

    A moment in time is never cut in two, so that the newest part holds at least its share. Weights are added up;
    items that only older events touched score 0. `share` lies above 0 and at most at 1, where this is popularity.
    Raises `SettingsError` for another share, and where no column has the role time.

    A good yardstick wherever the test lies after training: fashions pass, and a split by time lets a baseline that
    knows only the date win over one that knows everything (Ji et al. 2020, https://arxiv.org/abs/2005.13829).

    >>> data = Dataset({"u": [1, 2, 1, 2], "i": [7, 7, 9, 8], "t": [1, 1, 2, 3]}, query_id="u", item_id="i", time="t")
    >>> fit_recent_popularity(data, share=0.5)(np.array([0])).tolist()  # items 7, 8 and 9
    [[0.0, 1.0, 1.0]]
    """
    if not 0 < share <= 1:
        raise SettingsError(f"share should be above 0 and at most 1, but it is {share}.")
    times = train.times
    newest = max(round(share * len(times)), 1)
    since = np.partition(times, len(times) - newest)[len(times) - newest]
    return SharedScorer(popularity(train.take(np.flatnonzero(times >= since))))


def recent_popularity_without_times(train: Dataset) -> str | None:
    """Why nothing is known to be recent, or None.

    >>> clicks = {"u": [1], "i": [7], "t": [3]}
    >>> recent_popularity_without_times(Dataset(clicks, query_id="u", item_id="i", time="t")) is None
    True
    """
    return "needs times, and no column has the role time" if train.roles.time is None else None

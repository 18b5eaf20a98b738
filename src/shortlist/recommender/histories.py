"""What the askers of queries had touched, as inputs of the query tower."""

import numpy as np
import numpy.typing as npt

from shortlist.bundle import Bundle
from shortlist.data.histories import Histories
from shortlist.features import RowLists

__all__ = ["HistoryEncoder"]

Rows = npt.NDArray[np.int64]


class HistoryEncoder:
    """Encodes histories for the history features of a bundle's query tower; it may have none of them.

    `histories` are those of the bundle's users unless others are given; a bundle saved without them knows none.
    """

    def __init__(self, bundle: Bundle, histories: Histories | None = None) -> None:
        self._features = bundle.features.history
        self._row_of = [feature.rows_of(bundle.items["id"]) for feature in self._features]
        kept = histories or bundle.histories or Histories(np.zeros(1, np.int64), np.empty(0, np.int64))
        self._num_users = len(kept.offsets) - 1
        self._histories = kept.for_users(self._num_users + 1)  # who touched nothing stands last

    def __call__(self, user_rows: Rows, touched: Rows | None = None) -> dict[str, RowLists]:
        """The inputs for queries [B] of these users, -1 for nobody known; after each one's history come the item rows
        in `touched` [M], the latest last.
        """
        known = np.where((user_rows >= 0) & (user_rows < self._num_users), user_rows, self._num_users)
        kept = self._histories.take(known)
        lists = RowLists(kept.offsets, kept.item_rows.astype(np.int32))
        if touched is not None and len(touched):
            of_each = np.split(lists.rows, lists.offsets[1:-1])
            longer = [np.concatenate([rows, touched]) for rows in of_each]
            lists = RowLists.of_lengths(np.concatenate(longer), np.array([len(rows) for rows in longer]))
        pairs = zip(self._features, self._row_of, strict=True)
        return {feature.name: feature.encode_items(lists, row_of) for feature, row_of in pairs}

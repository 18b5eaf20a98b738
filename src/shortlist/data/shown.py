"""What was shown with each event and not touched: the explicit negatives of impression logs."""

import dataclasses
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.dataset import Dataset
from shortlist.data.tables import rows_of_ids
from shortlist.errors import DataError, shorten

__all__ = ["Shown"]

Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Shown:
    """The distinct item rows that were shown with each event, its own left out: event e's are
    `item_rows[offsets[e]:offsets[e + 1]]`, ascending.

    `offsets` [E + 1] int64, `item_rows` [M] int64. `unknown` holds the distinct ids that stand in the lists and in no
    catalogue, `num_unknown` says how often they do; they are left out, for an event is no worse without them.
    """

    offsets: Rows
    item_rows: Rows
    unknown: pl.Series
    num_unknown: int

    @classmethod
    def of(cls, data: Dataset) -> Self:
        """What the column with the role `shown` says of each event of the dataset.

        Raises `SettingsError` where no column has that role, and `DataError` where not one of the ids that it holds is
        in the catalogue.

        >>> clicks = {"user": [1, 2], "sku": ["tea", "jam"], "list": ["tea|jam|rum", ""]}
        >>> shown = Shown.of(Dataset(clicks, query_id="user", item_id="sku", shown="list"))
        >>> shown.offsets.tolist(), shown.item_rows.tolist(), shown.unknown.to_list()
        ([0, 1, 1], [0], ['rum'])
        """
        lists, catalogue = data.shown_ids(), data.items[data.roles.item_id]
        lengths = lists.list.len().cast(pl.Int64).to_numpy()
        ids = lists.filter(lengths > 0).explode()
        items = rows_of_ids(ids, catalogue)
        known = items >= 0
        if len(known) and not known.any():
            remedy = (
                "Check that both write their ids in the same way, and that shown_separator is what stands between them."
                if data.has_items
                else "Without a table of items the catalogue is what events name; give one (items=…)."
            )
            raise DataError(
                f"None of the items that interactions.{data.roles.shown} says were shown is in the catalogue: "
                f"{shorten(ids.unique(maintain_order=True).head(3).to_list())}. {remedy}"
            )
        events = np.repeat(np.arange(len(lists)), lengths)
        touched = data.item_rows[events] == items
        pairs = np.sort((events * len(catalogue) + items)[known & ~touched])
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        counts = np.bincount(pairs // len(catalogue), minlength=len(lists))
        return cls(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            pairs % len(catalogue),
            ids.filter(~known).unique(maintain_order=True),
            int((~known).sum()),
        )

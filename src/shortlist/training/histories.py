"""The inputs of history features: what the askers of a batch had touched, gathered from one list of all histories."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from shortlist.data.histories import Histories
from shortlist.features import FittedHistory
from shortlist.features.lists import FIRST_ROW, UNKNOWN_ROW
from shortlist.models.inputs import Bag, Gathered, list_places

__all__ = ["HistoryInputs"]


class HistoryInputs:
    """The histories of all users on the device, and the history features that read them.

    `item_ids` [N] are the catalogue's, which the histories point into. With `padded` a batch's lists are filled up to
    the longest history of all, at most each feature's `max_length`, so that shapes do not hang on who asks.
    """

    def __init__(
        self,
        features: Sequence[FittedHistory],
        histories: Histories,
        item_ids: pl.Series,
        device: torch.device | str = "cpu",
        *,
        padded: bool = False,
    ) -> None:
        self._features = features
        self._offsets = torch.from_numpy(histories.offsets).to(device)
        self._items = torch.from_numpy(histories.item_rows).to(device)
        self._rows = [torch.from_numpy(_rows_of(feature, item_ids)).to(device) for feature in features]
        longest = int(self._offsets.diff().amax()) if len(self._offsets) > 1 else 0
        self._widths = [max(min(feature.choice.max_length, longest), 1) for feature in features] if padded else None

    @property
    def numbers_per_row(self) -> float:
        """How many numbers a row holds: the mean over events, who come from users in proportion to their histories."""
        lengths = self._offsets.diff().double()
        mean = float(lengths.square().sum() / lengths.sum().clamp(min=1))
        return sum(min(mean, feature.choice.max_length) for feature in self._features)

    def take(
        self, user_rows: Tensor, *, before: Mapping[str, Tensor] | None = None, held_out: Tensor | None = None
    ) -> dict[str, Gathered]:
        """The inputs for queries [B] of these users.

        `before` says for each feature how many entries of each user's history [B] there were by then, None for all of
        them; `held_out` [B] is the item that is no part of each one's history.
        """
        taken: dict[str, Gathered] = {}
        starts = self._offsets.index_select(0, user_rows)
        whole = self._offsets.index_select(0, user_rows + 1)
        for place, (feature, row_of) in enumerate(zip(self._features, self._rows, strict=True)):
            ends = whole if before is None else starts + before[feature.name]
            latest = torch.maximum(starts, ends - feature.choice.max_length)
            if self._widths is None:
                taken[feature.name] = self._bag(latest, ends, row_of, held_out)
            else:
                taken[feature.name] = self._padded(latest, ends, row_of, held_out, self._widths[place])
        return taken

    def _bag(self, starts: Tensor, ends: Tensor, row_of: Tensor, held_out: Tensor | None) -> Bag:
        owner, places = list_places(starts, ends - starts)
        items = self._items.index_select(0, places)
        rows = row_of.index_select(0, items).long()
        kept = rows != UNKNOWN_ROW
        if held_out is not None:
            kept &= items != held_out.index_select(0, owner)
        rows, owner = rows[kept], owner[kept]
        return Bag(rows, owner, torch.bincount(owner, minlength=len(starts)))

    def _padded(self, starts: Tensor, ends: Tensor, row_of: Tensor, held_out: Tensor | None, width: int) -> Tensor:
        """Rows [B, width], the filled places first and in order, then 0."""
        places = starts.unsqueeze(1) + torch.arange(width, device=starts.device)
        inside = places < ends.unsqueeze(1)
        items = self._items[torch.where(inside, places, 0)] if len(self._items) else torch.zeros_like(places)
        rows = row_of[items].long()
        kept = inside & (rows != UNKNOWN_ROW)
        if held_out is not None:
            kept &= items != held_out.unsqueeze(1)
        order = kept.logical_not().to(torch.int8).argsort(dim=1, stable=True)  # what is kept moves to the front
        return torch.where(kept, rows, 0).gather(1, order)


def _rows_of(feature: FittedHistory, item_ids: pl.Series) -> npt.NDArray[np.int32]:
    """The row that each item of the catalogue [N] has in the feature's table, or among the items where it is shared."""
    if feature.choice.shared:
        return np.arange(FIRST_ROW, len(item_ids) + FIRST_ROW, dtype=np.int32)
    return feature.rows_of(item_ids)

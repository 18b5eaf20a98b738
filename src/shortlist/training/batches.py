"""Encoded tables on the device, and batches gathered from them by row: there is no loader."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor

from shortlist.data import Dataset
from shortlist.data.events import EventTable
from shortlist.features import EncodedStore, Features, FittedFeature
from shortlist.losses import Positives
from shortlist.models.inputs import Columns, TowerInput

__all__ = ["Batch", "Events", "Tables", "unique_in_rows"]

# Rows whose batches are planned together where shapes are fixed: 24 bytes each.
PLANNED_ROWS = 1 << 22
# The number of unique items of a batch of fixed shape is a multiple of this.
WIDTH_STEP = 256


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one step needs: B queries, their positives, and the U items that they are scored against.

    `query_inputs` and `item_inputs` go into the towers; `positives` matches each query's own item with its
    column among these; `user_rows` [B] says who asks and `item_rows` [U] which items stand there.
    """

    query_inputs: dict[str, TowerInput]
    item_inputs: dict[str, TowerInput]
    positives: Positives
    user_rows: Tensor
    item_rows: Tensor


class Tables:
    """The users and the items of a dataset, encoded once and kept on the device.

    With `fixed_shapes`, as a GPU wants it, the shapes of a batch do not hang on what stands in it. Columns of a million
    rows and more are kept in the `store`, and found there again.
    """

    def __init__(
        self,
        features: Features,
        data: Dataset,
        device: torch.device | str = "cpu",
        *,
        fixed_shapes: bool | None = None,
        store: EncodedStore | None = None,
    ) -> None:
        self.features = features
        self.device = torch.device(device)
        self.fixed_shapes = self.device.type != "cpu" if fixed_shapes is None else fixed_shapes
        self.num_items = data.num_items
        self._store = EncodedStore() if store is None else store
        self.users = self.encode(features.user, data.users)
        self.items = self.encode(features.item, data.items)

    def encode(self, features: Sequence[FittedFeature], table: pl.DataFrame | EventTable) -> Columns:
        """Encoded columns on the device, in the form that these tables have."""
        return Columns(self._store.encode(features, table), self.device, padded=self.fixed_shapes)

    @functools.cached_property
    def item_rows(self) -> Tensor:
        """Every row of the items [N]."""
        return torch.arange(self.num_items, device=self.device)

    @functools.cached_property
    def item_inputs(self) -> dict[str, TowerInput]:
        """The item tower's inputs for the whole catalogue."""
        return self.items.take(self.item_rows)


class Events:
    """The events of one part of a split over shared tables, encoded once.

    A batch scores its queries against its own unique items, or against the `whole_catalogue`.
    """

    def __init__(self, tables: Tables, data: Dataset, *, whole_catalogue: bool = False) -> None:
        self.tables = tables
        self.whole_catalogue = whole_catalogue
        self.columns = tables.encode(tables.features.event, data.events)
        self.user_rows = torch.from_numpy(data.user_rows).to(tables.device)
        self.item_rows = torch.from_numpy(data.item_rows).to(tables.device)
        weights = data.weights
        self.weights = None if weights is None else torch.from_numpy(weights).to(tables.device)

    def __len__(self) -> int:
        return len(self.user_rows)

    def query_inputs(self, rows: Tensor) -> dict[str, TowerInput]:
        """The query tower's inputs for these events [B]."""
        return self._query_inputs(self.user_rows.index_select(0, rows), rows)

    def _query_inputs(self, users: Tensor, rows: Tensor) -> dict[str, TowerInput]:
        return {**self.tables.users.take(users), **self.columns.take(rows)}

    def log_q(self) -> Tensor:
        """The log of each item's share of these events [N] float32, -inf for an item that none names.

        An in-batch negative is drawn as often as its item stands in the events, so this is its sampling
        probability, exactly and without an estimate. Weights change a row's loss, not how often it is drawn.
        """
        counts = torch.bincount(self.item_rows, minlength=self.tables.num_items)
        return (counts.double() / counts.sum()).log().float()

    def epoch(
        self, batch_size: int, generator: torch.Generator, log_q: Tensor | None, *, skip: int = 0
    ) -> Iterator[Batch]:
        """All events once, in a new order drawn from the generator; the last batch may be smaller.

        `skip` leaves out that many batches, which were taken before an interruption. With fixed shapes the device is
        waited for once in some million rows, not in every batch.
        """
        order = torch.randperm(len(self), generator=generator).to(self.tables.device)[skip * batch_size :]
        if not self.tables.fixed_shapes:
            for start in range(0, len(order), batch_size):
                yield self.batch(order[start : start + batch_size], log_q)
            return
        together = max(PLANNED_ROWS // batch_size, 1) * batch_size
        for start in range(0, len(order), together):
            part = order[start : start + together]
            whole = len(part) // batch_size * batch_size
            for rows in (part[:whole].view(-1, batch_size), part[whole:].unsqueeze(0)):  # [S, B], and the last batch
                if rows.numel():
                    yield from self._planned(rows, log_q)

    def batch(self, rows: Tensor, log_q: Tensor | None) -> Batch:
        """The batch of these events [B]."""
        own = self.item_rows.index_select(0, rows)
        if self.whole_catalogue:
            return self._batch(rows, self.tables.item_rows, own, None, log_q)
        items, column, counts = torch.unique(own, return_inverse=True, return_counts=True)
        return self._batch(rows, items, column, counts, log_q)

    def _planned(self, rows: Tensor, log_q: Tensor | None) -> Iterator[Batch]:
        """The batches of these events [S, B], whose unique items are found together."""
        if self.whole_catalogue:
            yield from (self.batch(of_batch, log_q) for of_batch in rows)
            return
        items, column, counts = unique_in_rows(self.item_rows[rows])
        for place, of_batch in enumerate(rows):
            yield self._batch(of_batch, items[place], column[place], counts[place], log_q)

    def _batch(self, rows: Tensor, items: Tensor, column: Tensor, counts: Tensor | None, log_q: Tensor | None) -> Batch:
        whole = items is self.tables.item_rows
        users = self.user_rows.index_select(0, rows)
        return Batch(
            query_inputs=self._query_inputs(users, rows),
            item_inputs=self.tables.item_inputs if whole else self.tables.items.take(items),
            positives=Positives(
                column=column,
                counts=counts,
                weights=None if self.weights is None else self.weights[rows],
                log_q=None if log_q is None else log_q[items],
            ),
            user_rows=users,
            item_rows=items,
        )

    def num_batches(self, batch_size: int) -> int:
        return int(np.ceil(len(self) / batch_size))


def unique_in_rows(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The different values of each row [S, B]: them [S, U], which of them each is [S, B], how often each stands [S, U].

    U is the most that any row has, rounded up so that it seldom changes from one call to the next; what a row lacks is
    filled up with its lowest value, standing there 0 times. The device is waited for once, to learn U.

    >>> unique_in_rows(torch.tensor([[7, 5, 7], [3, 3, 3]]))[0][:, :3].tolist()
    [[5, 7, 5], [3, 3, 3]]
    """
    ordered, place = values.sort(dim=1, stable=True)
    number = torch.zeros_like(ordered)
    number[:, 1:] = (ordered[:, 1:] != ordered[:, :-1]).cumsum(dim=1)  # of each value among its row's different ones
    width = (int(number[:, -1].max()) // WIDTH_STEP + 1) * WIDTH_STEP
    unique = ordered[:, :1].repeat(1, width).scatter_(1, number, ordered)
    counts = torch.zeros_like(unique).scatter_add_(1, number, torch.ones_like(number))
    return unique, torch.empty_like(number).scatter_(1, place, number), counts

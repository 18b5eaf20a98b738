"""Encoded tables on the device, and batches gathered from them by row: there is no loader."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from shortlist.data import Dataset
from shortlist.features import Features, encode
from shortlist.losses import Positives
from shortlist.models.inputs import Columns, TowerInput

__all__ = ["Batch", "Events", "Tables"]


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
    """The users and the items of a dataset, encoded once and kept on the device."""

    def __init__(self, features: Features, data: Dataset, device: torch.device | str = "cpu") -> None:
        self.features = features
        self.device = device
        self.num_items = data.num_items
        self.users = Columns(encode(features.user, data.users), device)
        self.items = Columns(encode(features.item, data.items), device)

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
        self.columns = Columns(encode(tables.features.event, data.events), tables.device)
        self.user_rows = torch.from_numpy(data.user_rows).to(tables.device)
        self.item_rows = torch.from_numpy(data.item_rows).to(tables.device)
        weights = data.weights
        self.weights = None if weights is None else torch.from_numpy(weights).to(tables.device)

    def __len__(self) -> int:
        return len(self.user_rows)

    def query_inputs(self, rows: Tensor) -> dict[str, TowerInput]:
        """The query tower's inputs for these events [B]."""
        return {**self.tables.users.take(self.user_rows[rows]), **self.columns.take(rows)}

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

        `skip` leaves out that many batches, which were taken before an interruption.
        """
        order = torch.randperm(len(self), generator=generator).to(self.tables.device)
        for start in range(skip * batch_size, len(self), batch_size):
            yield self.batch(order[start : start + batch_size], log_q)

    def batch(self, rows: Tensor, log_q: Tensor | None) -> Batch:
        """The batch of these events [B]."""
        own = self.item_rows[rows]
        if self.whole_catalogue:
            items, column, counts = self.tables.item_rows, own, None
            item_inputs = self.tables.item_inputs
        else:
            items, column, counts = torch.unique(own, return_inverse=True, return_counts=True)
            item_inputs = self.tables.items.take(items)
        return Batch(
            query_inputs=self.query_inputs(rows),
            item_inputs=item_inputs,
            positives=Positives(
                column=column,
                counts=counts,
                weights=None if self.weights is None else self.weights[rows],
                log_q=None if log_q is None else log_q[items],
            ),
            user_rows=self.user_rows[rows],
            item_rows=items,
        )

    def num_batches(self, batch_size: int) -> int:
        return int(np.ceil(len(self) / batch_size))

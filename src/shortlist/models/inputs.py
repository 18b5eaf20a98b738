"""Encoded columns as tensors, and what a tower takes of them for one batch."""

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from shortlist.features import Encoded, Numbers, RowLists, Rows

__all__ = ["Bag", "Columns", "Gathered", "SharedHistory", "TowerInput", "list_places", "split_inputs"]


class Bag(NamedTuple):
    """Lists of embedding rows for B batch rows, one after another."""

    rows: Tensor  # [M] int64, the lists' values
    owner: Tensor  # [M] int64, the batch row whose list each value stands in, ascending
    lengths: Tensor  # [B] int64


# Rows: int64 [B]. Numbers: float32 [B, D]. Lists: a Bag in training, padded int64 [B, L] in a saved tower.
Gathered = Tensor | Bag


class SharedHistory(NamedTuple):
    """Histories of items that the item tower embeds: a row v of the lists stands for item v - FIRST_ROW here."""

    lists: Gathered
    items: Mapping[str, Gathered]  # the item tower's inputs [U]


TowerInput = Gathered | SharedHistory


class Columns:
    """The encoded columns of one table as tensors on one device, gathered by row.

    With `padded` every list is filled up to the longest of its column, so that the shapes of a batch do not hang on its
    lists; without, lists take no more room than their values.

    >>> import numpy as np
    >>> columns = Columns({"a": Rows(np.array([5, 6, 7], np.int32))})
    >>> columns.take(torch.tensor([2, 0]))["a"].tolist()
    [7, 5]
    """

    def __init__(
        self, encoded: Mapping[str, Encoded], device: torch.device | str = "cpu", *, padded: bool = False
    ) -> None:
        self._flat: dict[str, Tensor] = {}
        self._lists: dict[str, tuple[Tensor, Tensor]] = {}
        for name, column in encoded.items():
            match column:
                case Rows(rows):
                    self._flat[name] = torch.from_numpy(rows).to(device)
                case Numbers(values):
                    self._flat[name] = torch.from_numpy(values).to(device)
                case RowLists() if padded:
                    self._flat[name] = torch.from_numpy(column.padded().astype(np.int32)).to(device)
                case RowLists(offsets, rows):
                    self._lists[name] = (torch.from_numpy(offsets).to(device), torch.from_numpy(rows).to(device))

    @property
    def numbers_per_row(self) -> float:
        """How many numbers a row holds: the mean over the table, for lists differ in length."""
        in_lists = sum(len(values) / max(len(offsets) - 1, 1) for offsets, values in self._lists.values())
        return sum(math.prod(column.shape[1:]) for column in self._flat.values()) + in_lists

    def take(self, rows: Tensor) -> dict[str, Gathered]:
        """The inputs of a tower for these table rows [B] int64."""
        taken: dict[str, Gathered] = {}
        for name, column in self._flat.items():
            values = column.index_select(0, rows)  # several times faster than column[rows]
            taken[name] = values if values.is_floating_point() else values.long()  # torch gathers fastest by int64
        for name, (offsets, values) in self._lists.items():
            taken[name] = _take_lists(offsets, values, rows)
        return taken


def _take_lists(offsets: Tensor, values: Tensor, rows: Tensor) -> Bag:
    starts = offsets.index_select(0, rows)
    lengths = offsets.index_select(0, rows + 1) - starts
    owner, places = list_places(starts, lengths)
    return Bag(values.index_select(0, places).long(), owner, lengths)


def list_places(starts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Which list each value belongs to and where it stands, both [M], by where each list begins and its length [B].

    >>> list_places(torch.tensor([7, 2]), torch.tensor([2, 3]))
    (tensor([0, 0, 1, 1, 1]), tensor([7, 8, 2, 3, 4]))
    """
    owner = torch.repeat_interleave(lengths)
    first = lengths.cumsum(0) - lengths
    return owner, torch.arange(len(owner), device=owner.device) + (starts - first).index_select(0, owner)


def split_inputs(inputs: Mapping[str, Gathered], sizes: int | list[int]) -> list[dict[str, Gathered]]:
    """A tower's inputs for batches of these sizes, or of one size but for the last, that stand one after another.

    >>> [part["a"].tolist() for part in split_inputs({"a": torch.tensor([5, 6, 7])}, 2)]
    [[5, 6], [7]]
    """
    parts = {
        name: _split_bag(values, sizes) if isinstance(values, Bag) else torch.split(values, sizes)
        for name, values in inputs.items()
    }
    return [dict(zip(parts, of_batch, strict=True)) for of_batch in zip(*parts.values(), strict=True)]


def _split_bag(bag: Bag, sizes: int | list[int]) -> list[Bag]:
    lengths = torch.split(bag.lengths, sizes)
    first = itertools.accumulate((len(part) for part in lengths), initial=0)  # the row that each batch begins with
    num_values = [int(part.sum()) for part in lengths]
    pieces = zip(torch.split(bag.rows, num_values), torch.split(bag.owner, num_values), lengths, first, strict=False)
    return [Bag(rows, owner - start, of_batch) for rows, owner, of_batch, start in pieces]

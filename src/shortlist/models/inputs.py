"""Encoded columns as tensors, and what a tower takes of them for one batch."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from shortlist.features import Encoded, Numbers, RowLists, Rows

__all__ = ["Bag", "Columns", "TowerInput"]


class Bag(NamedTuple):
    """Lists of embedding rows for B batch rows: list b starts at `offsets[b]` of `rows`, as EmbeddingBag wants it."""

    rows: Tensor  # [M] int32
    offsets: Tensor  # [B] int32, the start of each list


# Rows: int32 [B]. Numbers: float32 [B, D]. Lists: a Bag in training, padded int64 [B, L] in a saved tower.
TowerInput = Tensor | Bag


class Columns:
    """The encoded columns of one table as tensors on one device, gathered by row.

    >>> import numpy as np
    >>> columns = Columns({"a": Rows(np.array([5, 6, 7], np.int32))})
    >>> columns.take(torch.tensor([2, 0]))["a"].tolist()
    [7, 5]
    """

    def __init__(self, encoded: Mapping[str, Encoded], device: torch.device | str = "cpu") -> None:
        self._flat: dict[str, Tensor] = {}
        self._lists: dict[str, tuple[Tensor, Tensor]] = {}
        for name, column in encoded.items():
            match column:
                case Rows(rows):
                    self._flat[name] = torch.from_numpy(rows).to(device)
                case Numbers(values):
                    self._flat[name] = torch.from_numpy(values).to(device)
                case RowLists(offsets, rows):
                    self._lists[name] = (torch.from_numpy(offsets).to(device), torch.from_numpy(rows).to(device))

    def take(self, rows: Tensor) -> dict[str, TowerInput]:
        """The inputs of a tower for these table rows [B] int64."""
        taken: dict[str, TowerInput] = {name: column[rows] for name, column in self._flat.items()}
        for name, (offsets, values) in self._lists.items():
            taken[name] = _take_lists(offsets, values, rows)
        return taken


def _take_lists(offsets: Tensor, values: Tensor, rows: Tensor) -> Bag:
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    ends = lengths.cumsum(0)
    new_starts = ends - lengths
    shift = torch.repeat_interleave(starts - new_starts, lengths)
    positions = torch.arange(len(shift), device=shift.device) + shift
    return Bag(values[positions], new_starts.to(torch.int32))

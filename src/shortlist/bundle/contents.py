"""What a bundle holds."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.histories import Histories
from shortlist.data.seen import Seen
from shortlist.features import Features

__all__ = ["FORMAT", "Bundle", "SavedIndex"]

# Raised by one whenever an older reader could misunderstand a newer folder.
FORMAT = 3


@dataclasses.dataclass(frozen=True)
class SavedIndex:
    """An index over a bundle's item vectors: its settings, what was measured of it, and the bytes of its structure.

    `measured` is what its making found (recall, times), None where nothing was measured; `structure` is None for an
    index that its settings alone make anew.
    """

    settings: dict[str, Any]
    measured: dict[str, Any] | None = None
    structure: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A trained model as it is saved and served.

    `experiment` are the settings as tables, with `data.source` None where the data came from Python. `data`
    describes the data: its fingerprint, its roles, its numbers of events, users and items. The towers are ONNX graphs
    that say where in `weights`, a safetensors file, their numbers lie: its bytes, or the path of a saved one, which is
    mapped and not read. `items` has one row a catalogue item with columns id, label, popularity (training events) and
    retired (such an item never comes back); `item_columns` [N rows] are the columns of the items table that a condition
    can read, its id among them. `users` has the id and the query features' columns of every user (among them when each
    was last active, where a feature counts from that), `user_events` [U] int64 how many training events each has (0:
    training does not know this user). `item_vectors` [N, D] belong to the rows of `items`. `seen` holds what users
    touched in all of the data, None where it was left out; `histories` the same in the order of time, None too where no
    feature reads it. `history` is the training's epochs, `evaluation` what the model scored (None: not evaluated).

    `index` is the one that searches, None for an exact one. `version` and `index_version` tell bundles apart, and
    what their indexes search: both are None until the bundle is saved and loaded.
    """

    experiment: dict[str, Any]
    data: dict[str, Any]
    features: Features
    query_tower: bytes
    item_tower: bytes
    weights: bytes | Path
    items: pl.DataFrame
    users: pl.DataFrame
    user_events: npt.NDArray[np.int64]
    item_vectors: npt.NDArray[np.float32]
    seen: Seen | None
    histories: Histories | None
    history: list[dict[str, Any]]
    evaluation: dict[str, Any] | None
    item_columns: pl.DataFrame
    index: SavedIndex | None = None
    version: str | None = None
    index_version: str | None = None

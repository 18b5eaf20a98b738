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

__all__ = ["FORMAT", "Bundle"]

# Raised by one whenever an older reader could misunderstand a newer folder.
FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A trained model as it is saved and served.

    `experiment` are the settings as tables, with `data.source` None where the data came from Python. `data`
    describes the data: its fingerprint, its roles, its numbers of events, users and items. The towers are ONNX graphs
    that say where in `weights`, a safetensors file, their numbers lie: its bytes, or the path of a saved one, which is
    mapped and not read. `items` has one row a catalogue item with columns id, label and popularity (training events);
    `users` has the id and the query features' columns of every user (among them when each was last active, where a
    feature counts from that), `user_events` [U] int64 how many training events
    each has (0: training does not know this user). `item_vectors` [N, D] belong to the rows of `items`. `seen` holds
    what users touched in all of the data, None where it was left out; `histories` the same in the order of time, None
    too where no feature reads it. `history` is the training's epochs, `evaluation` what the model scored (None: not
    evaluated).
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

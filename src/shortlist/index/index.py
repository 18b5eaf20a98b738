"""What every index offers."""

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Found", "Index", "LeftOut", "Mask", "Rows"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
LeftOut = tuple[Rows, Rows]


@dataclasses.dataclass(frozen=True)
class Found:
    """What B queries found, each list the best first.

    `rows` are B arrays of item rows (int64), `scores` B arrays of their scores (float32). `exact` [B] says of each list
    whether it is what an exact search of whole vectors gives: always so for an exact index that does not round them,
    and where an approximate one was asked under rules that it could not have met and looked at everything instead.
    """

    rows: list[Rows]
    scores: list[Floats]
    exact: Mask


class Index(ABC):
    """Search for the items whose vectors have the highest dot products with a query's.

    `kind` is the word for the index in settings, manifests and answers.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def vectors(self) -> Floats:
        """The items' vectors [N, D] that scores are dot products with; where they are kept rounded, made anew."""

    @abstractmethod
    def search(self, queries: Floats, k: int, *, left_out: LeftOut | None = None, allowed: Mask | None = None) -> Found:
        """The k best items for each query, best first, equal scores by row.

        `queries` are [B, H, D] float32; a score is the highest dot product over the H interests. `left_out` names pairs
        (query [M], item row [M]) that may not come back, `allowed` [N] the items that may. Each query gets exactly
        min(k, what it may have) items, never one that is left out.

        Raises `SettingsError` for a k below 1 and `DivergedError` for NaN or infinity in a vector or a score.
        """

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What it takes to make this index anew from the vectors, as plain JSON values."""

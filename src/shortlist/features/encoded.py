"""The three forms that any column takes once it is encoded. N is the number of rows of its table."""

import dataclasses

import numpy as np
import numpy.typing as npt

from shortlist.data.ragged import list_places

__all__ = ["Encoded", "Numbers", "RowLists", "Rows"]


@dataclasses.dataclass(frozen=True)
class Rows:
    """One category a row: `rows` [N] int32 points into an embedding table."""

    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: npt.NDArray[np.int64]) -> "Rows":
        """The column at these places of its table."""
        return Rows(self.rows[places])


@dataclasses.dataclass(frozen=True)
class RowLists:
    """Any number of categories a row: list n is `rows[offsets[n]:offsets[n + 1]]`.

    `offsets` [N + 1] int64 starts at 0; `rows` [M] int32 points into an embedding table.
    """

    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, places: npt.NDArray[np.int64]) -> "RowLists":
        """The column at these places of its table."""
        starts = self.offsets[places]
        lengths = self.offsets[places + 1] - starts
        return RowLists.of_lengths(self.rows[list_places(starts, lengths)], lengths)

    @classmethod
    def of_lengths(cls, rows: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]) -> "RowLists":
        """Lists from their rows one after the other [M] and their lengths [N]."""
        return cls(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), rows)

    def padded(self, padding: int = 0) -> npt.NDArray[np.int64]:
        """The lists side by side [N, L], L the longest (at least 1), filled up with `padding`.

        >>> RowLists(np.array([0, 2, 2, 3]), np.array([5, 7, 6], np.int32)).padded().tolist()
        [[5, 7], [0, 0], [6, 0]]
        """
        lengths = np.diff(self.offsets)
        filled = np.arange(max(int(lengths.max(initial=0)), 1)) < lengths[:, None]  # [N, L]
        table = np.full(filled.shape, padding, np.int64)
        table[filled] = self.rows
        return table


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Numbers that enter a tower as they are: `values` [N, D] float32."""

    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: npt.NDArray[np.int64]) -> "Numbers":
        """The column at these places of its table."""
        return Numbers(self.values[places])


Encoded = Rows | RowLists | Numbers

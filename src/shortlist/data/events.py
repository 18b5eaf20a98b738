"""Events as rows of one table that several datasets share."""

from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["EventTable"]


class EventTable:
    """Some rows of a table in some order, gathered one column at a time.

    The parts of a split look into the same table, so that a split costs four bytes an event and no copy of the
    columns that nothing reads.

    >>> table = EventTable(pl.DataFrame({"user": ["ann", "bob", "eve"], "when": [3, 1, 2]}))
    >>> table.take(np.array([2, 0]))["when"].to_list()
    [2, 3]
    """

    def __init__(self, table: pl.DataFrame, rows: npt.NDArray[np.uint32] | None = None) -> None:
        self._table = table
        self._rows = rows

    def __len__(self) -> int:
        return self._table.height if self._rows is None else len(self._rows)

    def __getitem__(self, column: str) -> pl.Series:
        values = self._table[column]
        return values if self._rows is None else values[self._rows]

    @property
    def columns(self) -> list[str]:
        return self._table.columns

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """The row of the shared table that each of these is [E]."""
        return np.arange(self._table.height) if self._rows is None else self._rows.astype(np.int64)

    def shares_rows_with(self, other: "EventTable") -> bool:
        """Whether some row stands in both."""
        return self._table is other._table and bool(np.isin(self.places, other.places).any())

    def take(self, rows: npt.NDArray[np.int64] | slice) -> Self:
        """These rows of these rows."""
        if self._rows is not None:
            return type(self)(self._table, self._rows[rows])
        if isinstance(rows, slice):
            return type(self)(self._table[rows])
        return type(self)(self._table, rows.astype(np.uint32))  # as many as a Polars frame can have

    def frame(self) -> pl.DataFrame:
        """All columns, gathered."""
        return self._table if self._rows is None else self._table[self._rows]

"""What is examined: a dataset, perhaps its split, and the columns that a model reads."""

import dataclasses
import datetime as dt
from collections.abc import Iterator

import polars as pl

from shortlist.data import Dataset, Split
from shortlist.doctor.finding import Severity

__all__ = ["Case"]


@dataclasses.dataclass(frozen=True)
class Case:
    """A dataset under examination.

    `query` and `item` are the columns that each tower reads, None where that is not known. `now` is the moment after
    which a time lies in the future.
    """

    data: Dataset
    split: Split | None
    query: frozenset[str] | None
    item: frozenset[str] | None
    now: dt.datetime

    def is_read(self, table: str, column: str) -> bool | None:
        """Whether a tower reads this column of the table, None where that is not known."""
        columns = self.item if table == "items" else self.query
        return None if columns is None else column in columns

    def grave(self, table: str, column: str) -> Severity:
        """How grave it is that a column gives the answer away: it matters as far as a model reads it."""
        return {True: "problem", None: "warning", False: "note"}[self.is_read(table, column)]  # type: ignore[return-value]

    def columns(self) -> Iterator[tuple[str, pl.Series]]:
        """Every column that is neither an id nor the time, with its table's name."""
        roles = self.data.roles
        left_out = {roles.query_id, roles.item_id}
        for column in self.data.events.columns:
            if column not in {*left_out, roles.time}:
                yield "interactions", self.data.events[column]
        for table, frame in (("items", self.data.items), ("users", self.data.users)):
            yield from ((table, frame[column]) for column in frame.columns if column not in left_out)

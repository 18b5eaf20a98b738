"""How long before a query something of its user was: signing up, or the last event."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Number, Positive, Whole, choice
from shortlist.errors import DataError
from shortlist.features.encoded import Rows
from shortlist.features.feature import FittedFeature, parts_of, refuse_missing
from shortlist.features.numeric import as_numbers, quantiles, refuse_unordered

__all__ = ["FittedSince", "Since", "last_column"]

NEVER_ROW = 0


@choice
class Since:
    """An embedding for how long before the query a moment of its user was, in buckets; row 0 for no such moment.

    `column` is a column of times of the users table, such as the day they signed up; or the data's own time, which
    asks for the user's last event before. B `boundaries` in seconds (given, or how many to set at quantiles of the
    training events) make B + 1 buckets; a length equal to a boundary falls in the bucket above it, and a moment after
    the query counts as now. Times that are numbers without a unit count as they are.

    Under a split in time the last event of a training event is at least `gap` seconds earlier, as the history of
    `History` is; at its place in the test it is the last one known at the cut, and other splits look for the last one
    before. A bundle keeps when each user was last active in a column `last_<time>` of its users, unless it is saved
    without histories; a query may give that column, and the time. One that gives no time is asked at the latest moment
    of the training.

    Use it where it matters whether somebody comes back after a minute or after a month, or is new. Differs from a
    `Bucketize` of the same column by counting from the query and not from 1970.

    >>> moments = pl.Series([{"signup": 0, "at": 60}, {"signup": 0, "at": 3_600}, {"signup": None, "at": 60}])
    >>> Since("signup", boundaries=[300], width=4).fit(moments).encode(moments).rows.tolist()
    [1, 2, 0]
    """

    kind: ClassVar[str] = "since"

    column: str
    width: Positive = 8
    boundaries: Annotated[Whole, Field(ge=2)] | tuple[Number, ...] = 20
    gap: Annotated[Number, Field(ge=0)] = 0.0
    missing: Literal["unknown", "error"] = "unknown"

    def __post_init__(self) -> None:
        refuse_unordered(self.boundaries, "float64")

    def fit(self, values: pl.Series) -> "FittedSince":
        """Learn from structs [N] of a moment and the time of the query, in this order."""
        moment, at = (field.name for field in values.dtype.fields)  # type: ignore[attr-defined]
        refuse_missing(values.struct.field(moment), self.column, self.missing)
        latest = float(np.nanmax(as_numbers(values.struct.field(at), at)))
        seconds = elapsed(values, (moment, at), latest)
        present = seconds[~np.isnan(seconds)]
        if not present.size:
            raise DataError(
                f"No training event has a moment of {moment!r} before it, so that Since says nothing; drop it."
            )
        edges = np.array(self.boundaries) if isinstance(self.boundaries, tuple) else quantiles(present, self.boundaries)
        return FittedSince(self, (moment, at), np.unique(edges), latest)

    def restore(self, state: dict[str, Any]) -> "FittedSince":
        return FittedSince(self, tuple(state["columns"]), np.array(state["boundaries"], np.float64), state["latest"])


class FittedSince(FittedFeature):
    """A `Since` with its boundaries, the columns of both times, and the latest time of the training."""

    choice: Since

    def __init__(
        self, choice: Since, columns: tuple[str, ...], boundaries: npt.NDArray[np.float64], latest: float
    ) -> None:
        super().__init__(choice, num_rows=len(boundaries) + 2, width=choice.width, columns=columns)
        self.boundaries = boundaries
        self.latest = latest

    @property
    def of_last_event(self) -> bool:
        """Whether it counts from the user's last event."""
        return self.columns[0] == last_column(self.columns[1])

    def encode(self, values: pl.Series) -> Rows:
        refuse_missing(parts_of(values, self.columns)[0], self.column, self.choice.missing)
        seconds = elapsed(values, self.columns, self.latest)
        rows = np.searchsorted(self.boundaries, seconds, side="right") + 1
        return Rows(np.where(np.isnan(seconds), NEVER_ROW, rows).astype(np.int32))

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return ~np.isnan(elapsed(values, self.columns, self.latest))

    def state(self) -> dict[str, Any]:
        return {"columns": list(self.columns), "boundaries": self.boundaries.tolist(), "latest": self.latest}


def elapsed(values: pl.Series, columns: tuple[str, ...], latest: float) -> npt.NDArray[np.float64]:
    """The seconds between the two times of each struct [N], NaN where there is no moment; no time means the latest."""
    moment, now = (as_numbers(part, column) for part, column in zip(parts_of(values, columns), columns, strict=True))
    return np.maximum(np.where(np.isnan(now), latest, now) - moment, 0)


def last_column(time: str) -> str:
    """The column of users that says when each was last active, by the column of the events' times."""
    return f"last_{time}"

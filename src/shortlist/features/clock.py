"""What a clock and a calendar say of a time: the hour of the day, the day of the week."""

from typing import Any, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.choice import Positive, choice
from shortlist.features.encoded import Rows
from shortlist.features.feature import FittedFeature, refuse_missing
from shortlist.features.numeric import as_numbers

__all__ = ["FittedClock", "Hour", "Weekday"]

HOUR, DAY = 3_600, 86_400  # seconds
# The first of January 1970 was a Thursday, three days after a Monday.
FIRST_WEEKDAY = 3
MISSING_ROW = 0


class _Clock:
    """What both choices do once they are made: there is nothing to learn."""

    def fit(self, values: pl.Series) -> "FittedClock":
        fitted = self.restore({})
        fitted.encode(values)  # which refuses what it cannot read
        return fitted

    def restore(self, state: dict[str, Any]) -> "FittedClock":  # noqa: ARG002 - every feature restores this way
        return FittedClock(cast("Hour | Weekday", self))


@choice
class Hour(_Clock):
    """An embedding for each hour of the day, and one for missing times: row 1 is from midnight to one o'clock.

    Numbers count seconds since 1970. Hours are those of UTC. Where people's own hours matter give local times without
    a zone, for noon in one country is night in another.

    >>> fitted = Hour("at", width=4).fit(pl.Series([0]))
    >>> fitted.encode(pl.Series([0, 3_600 * 23 + 59, None])).rows.tolist()
    [1, 24, 0]
    """

    kind: ClassVar[str] = "hour"
    period: ClassVar[int] = 24

    column: str
    width: Positive = 8
    missing: Literal["unknown", "error"] = "unknown"

    def places(self, seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The hour, 0 to 23, of each of these times."""
        return np.floor(seconds / HOUR) % 24


@choice
class Weekday(_Clock):
    """An embedding for each day of the week, and one for missing times: row 1 is Monday.

    Times are read as `Hour` reads them.

    >>> fitted = Weekday("at", width=4).fit(pl.Series([0]))
    >>> fitted.encode(pl.Series([0, 86_400 * 4, None])).rows.tolist()  # Thursday, Monday
    [4, 1, 0]
    """

    kind: ClassVar[str] = "weekday"
    period: ClassVar[int] = 7

    column: str
    width: Positive = 4
    missing: Literal["unknown", "error"] = "unknown"

    def places(self, seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The day, Monday being 0, of each of these times."""
        return (np.floor(seconds / DAY) + FIRST_WEEKDAY) % 7


class FittedClock(FittedFeature):
    """An `Hour` or a `Weekday`; it learns nothing from the rows."""

    choice: Hour | Weekday

    def __init__(self, choice: Hour | Weekday) -> None:
        super().__init__(choice, num_rows=choice.period + 1, width=choice.width)

    def encode(self, values: pl.Series) -> Rows:
        refuse_missing(values, self.column, self.choice.missing)
        seconds = as_numbers(values, self.column)
        absent = np.isnan(seconds)
        places = self.choice.places(np.where(absent, 0, seconds)) + 1
        return Rows(np.where(absent, MISSING_ROW, places).astype(np.int32))

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return ~np.isnan(as_numbers(values, self.column))

    def state(self) -> dict[str, Any]:
        return {}

"""Numbers and times: in buckets with an embedding each, or normalised."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Number, Positive, Whole, choice
from shortlist.errors import DataError, SettingsError, shorten
from shortlist.features.encoded import Numbers, Rows
from shortlist.features.feature import FittedFeature

__all__ = ["Bucketize", "FittedBucketize", "FittedNormalize", "Normalize"]

# What stands in for a missing number: the mean or the highest of the training rows, nothing (an error), or a number of
# yours. The highest suits times: a query that names none is asked now, and now is after training.
MissingNumber = Literal["mean", "highest", "error"] | Number
# Up to here a deviation is the rounding of a constant column (Keras' Normalization divides by no less).
SMALLEST_DEVIATION = 1e-7


@choice
class Bucketize:
    """An embedding for each interval of a column of numbers or times.

    `boundaries` is a list of ascending numbers, or how many to set: at equal distances between the smallest and
    the largest value, both included, or at quantiles. B boundaries make B + 1 buckets; a value equal to a
    boundary falls in the bucket above it. Times count in seconds since 1970. With `precision="float32"` values and
    boundaries are rounded before they are compared, as Keras does: times of today then stand 128 s apart.

    >>> fitted = Bucketize("age", boundaries=[18, 65], width=4).fit(pl.Series([20, 70]))
    >>> fitted.encode(pl.Series([17.9, 18, 65, None])).rows.tolist()  # missing: the mean, 45
    [0, 1, 2, 1]
    """

    kind: ClassVar[str] = "bucketize"

    column: str
    boundaries: Annotated[Whole, Field(ge=2)] | tuple[Number, ...] = 100
    width: Positive = 32
    method: Literal["equal_width", "quantiles"] = "equal_width"
    precision: Literal["float64", "float32"] = "float64"
    missing: MissingNumber = "mean"

    def __post_init__(self) -> None:
        refuse_unordered(self.boundaries, self.precision)

    def fit(self, values: pl.Series) -> "FittedBucketize":
        present = _present(values, self.column, self.missing)
        if isinstance(self.boundaries, tuple):
            edges = np.array(self.boundaries)
        elif self.method == "equal_width":
            edges = np.linspace(present.min(), present.max(), self.boundaries)
        else:
            edges = quantiles(present, self.boundaries)
        return FittedBucketize(self, np.unique(edges.astype(self.precision)), _stand_in(present, self.missing))

    def restore(self, state: dict[str, Any]) -> "FittedBucketize":
        return FittedBucketize(self, np.array(state["boundaries"], self.precision), state["stand_in"])


class FittedBucketize(FittedFeature):
    """A `Bucketize` with its boundaries."""

    def __init__(self, choice: Bucketize, boundaries: npt.NDArray[np.floating], stand_in: float) -> None:
        super().__init__(choice, num_rows=len(boundaries) + 1, width=choice.width)
        self.boundaries = boundaries
        self.stand_in = stand_in

    def encode(self, values: pl.Series) -> Rows:
        numbers = filled(values, self.column, self.choice.missing, self.stand_in)
        rows = np.searchsorted(self.boundaries, numbers.astype(self.boundaries.dtype), side="right")
        return Rows(rows.astype(np.int32))

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return ~np.isnan(as_numbers(values, self.column))

    def state(self) -> dict[str, Any]:
        # float32 goes through float64 text and back without a change.
        return {"boundaries": [float(edge) for edge in self.boundaries], "stand_in": self.stand_in}


@choice
class Normalize:
    """One number: how many standard deviations the value lies from the training mean.

    Missing values stand at the mean, 0, unless the policy says otherwise. Times count in seconds since 1970. A
    column that is constant in the training rows says nothing there, and gives 0 for whatever comes later.

    >>> fitted = Normalize("price").fit(pl.Series([1.0, 3.0]))
    >>> fitted.encode(pl.Series([3.0, 5.0, None])).values[:, 0].tolist()
    [1.0, 3.0, 0.0]
    """

    kind: ClassVar[str] = "normalize"

    column: str
    missing: MissingNumber = "mean"

    def fit(self, values: pl.Series) -> "FittedNormalize":
        present = _present(values, self.column, self.missing)
        return FittedNormalize(self, float(present.mean()), float(present.std()), _stand_in(present, self.missing))

    def restore(self, state: dict[str, Any]) -> "FittedNormalize":
        return FittedNormalize(self, state["mean"], state["deviation"], state["stand_in"])


class FittedNormalize(FittedFeature):
    """A `Normalize` with its mean and its deviation (the population's: divided by N)."""

    def __init__(self, choice: Normalize, mean: float, deviation: float, stand_in: float) -> None:
        super().__init__(choice, num_rows=0, width=1)
        self.mean, self.deviation, self.stand_in = mean, deviation, stand_in

    def encode(self, values: pl.Series) -> Numbers:
        numbers = filled(values, self.column, self.choice.missing, self.stand_in)
        if self.deviation <= SMALLEST_DEVIATION:
            return Numbers(np.zeros((len(numbers), 1), np.float32))
        normal = (numbers - self.mean) / self.deviation
        return Numbers(normal.astype(np.float32)[:, None])

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return ~np.isnan(as_numbers(values, self.column))

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean, "deviation": self.deviation, "stand_in": self.stand_in}


def refuse_unordered(boundaries: int | tuple[float, ...], precision: str) -> None:
    """Raise `SettingsError` for boundaries that are given and not in ascending order."""
    if not isinstance(boundaries, tuple):
        return
    with np.errstate(over="ignore"):
        edges = np.array(boundaries).astype(precision)
    if not edges.size or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise SettingsError(
            f"boundaries should be ascending numbers that are finite and differ in {precision}, but they are "
            f"{shorten(boundaries) or 'none at all'}."
        )


def quantiles(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """So many boundaries that cut the values in parts of about equal size: the inner quantiles only.

    >>> quantiles(np.arange(9.0), 3).tolist()
    [2.0, 4.0, 6.0]
    """
    edges: npt.NDArray[np.float64] = np.quantile(values, np.linspace(0, 1, count + 2)[1:-1])
    return edges


def as_numbers(values: pl.Series, column: str) -> npt.NDArray[np.float64]:
    """Values [N] as float64, missing ones as NaN; raises `DataError` for other types and beyond float32's range."""
    dtype = values.dtype
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        micros = values.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64)
        # Polars would multiply by 1e-6, which misses the nearest number of seconds by a bit for every third time.
        numbers = micros.to_numpy() / 1_000_000
    elif dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        numbers = values.cast(pl.Float64).to_numpy()  # NaN where a value is missing
    else:
        raise DataError(
            f"Column {column!r} should hold numbers or times, but its type is {dtype}; convert it, or use Lookup."
        )
    beyond = np.flatnonzero(np.abs(numbers) > np.finfo(np.float32).max)
    if beyond.size:
        raise DataError(
            f"Column {column!r} holds {numbers[beyond[0]]} in row {beyond[0]}, which is infinite in float32; "
            "correct it or leave it missing."
        )
    return numbers


def filled(values: pl.Series, column: str, missing: MissingNumber, stand_in: float) -> npt.NDArray[np.float64]:
    """Values [N] as float64 with missing ones (null or NaN) replaced as the policy says."""
    numbers = as_numbers(values, column)
    absent = np.isnan(numbers)
    if not absent.any():
        return numbers
    if missing == "error":
        raise DataError(
            f"Column {column!r} has {int(absent.sum())} missing values, the first in row "
            f'{int(absent.argmax())}, and its feature says missing="error". Fill them, or choose another policy.'
        )
    return np.where(absent, stand_in, numbers)


def _stand_in(present: npt.NDArray[np.float64], missing: MissingNumber) -> float:
    """The number that missing ones are taken for, by the ones that training knows [N]."""
    match missing:
        case "highest":
            return float(present.max())
        case "mean" | "error":
            return float(present.mean())
        case number:
            return float(number)


def _present(values: pl.Series, column: str, missing: MissingNumber) -> npt.NDArray[np.float64]:
    """The numbers to learn from, after the same check for missing ones as `filled` makes."""
    numbers = filled(values, column, "error", 0) if missing == "error" else as_numbers(values, column)
    present = numbers[~np.isnan(numbers)]
    if not present.size:
        raise DataError(f"Column {column!r} holds no number at all in the rows that features are fitted on; drop it.")
    return present

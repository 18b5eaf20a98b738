"""Vectors that another model made of users or items: they enter a tower as numbers."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import choice
from shortlist.errors import DataError, shorten
from shortlist.features.encoded import Numbers
from shortlist.features.feature import FittedFeature, refuse_missing
from shortlist.features.numeric import SMALLEST_DEVIATION

__all__ = ["FittedVectors", "Scale", "Scaling", "Vectors", "read_vectors"]

Scaling = Literal["none", "unit", "standardize"]
Floats = npt.NDArray[np.float32]
BLOCK_ROWS = 1 << 16


@choice
class Vectors:
    """A column of vectors of one length, such as the embeddings of pictures or texts by a model trained elsewhere.

    Values are lists or arrays of numbers, or texts of numbers with a `separator` between ("0.5, 1" and "[0.5, 1]"). The
    length is that of the training rows, and any other is refused. `scaling` "unit" makes each vector's length 1;
    "standardize" takes off the training mean and divides by the training deviation, number by number (one that is
    constant there gives 0). A missing vector is zeros, which with "standardize" is the mean.

    Use it for what a large model knows of items that few users touched. A tower's own embeddings start within 0.05 of 0
    (`init="keras"`), so that numbers far beyond 1 drown them at first: "unit" is safe whatever made the vectors.
    Differs from `Normalize` by holding many numbers a row.

    >>> fitted = Vectors("picture", scaling="unit").fit(pl.Series([[3.0, 4.0], [0.0, 2.0]]))
    >>> fitted.encode(pl.Series([[6, 8], None])).values.round(2).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """

    kind: ClassVar[str] = "vectors"

    column: str
    scaling: Scaling = "none"
    separator: Annotated[str, Field(min_length=1)] = ","
    missing: Literal["zeros", "error"] = "zeros"

    def fit(self, values: pl.Series) -> "FittedVectors":
        _, vectors = self.read(values)
        if not len(vectors):
            raise DataError(
                f"Column {self.column!r} holds no vector at all in the rows that features are fitted on; drop it."
            )
        return FittedVectors(self, vectors.shape[1], Scale.fit(self.scaling, vectors))

    def restore(self, state: dict[str, Any]) -> "FittedVectors":
        return FittedVectors(self, state["width"], Scale(self.scaling, **state["scale"]))

    def read(self, values: pl.Series, width: int | None = None) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Which values [N] are there, and these as vectors; see `read_vectors`."""
        present, vectors = read_vectors(values, self.column, width=width, separator=self.separator)
        refuse_missing(pl.Series(present).replace(False, None), self.column, self.missing)
        return present, vectors


class FittedVectors(FittedFeature):
    """A `Vectors` with the length and the scale that it learnt."""

    choice: Vectors

    def __init__(self, choice: Vectors, width: int, scale: "Scale") -> None:
        super().__init__(choice, num_rows=0, width=width)
        self._scale = scale

    def encode(self, values: pl.Series) -> Numbers:
        present, vectors = self.choice.read(values, self.width)
        whole = np.zeros((len(values), self.width), np.float32)
        whole[present] = self._scale(vectors)
        return Numbers(whole)

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return self.choice.read(values, self.width)[0]

    def state(self) -> dict[str, Any]:
        return {"width": self.width, "scale": self._scale.state()}


class Scale:
    """What is done to vectors before a tower takes them; "standardize" learns from those of training.

    >>> scale = Scale.fit("standardize", np.array([[1, 5], [3, 5]], np.float32))
    >>> scale(np.array([[5, 9]], np.float32)).tolist()
    [[3.0, 0.0]]
    """

    def __init__(self, how: Scaling, mean: list[float] | None = None, deviation: list[float] | None = None) -> None:
        self.how = how
        self._mean, self._deviation = np.array(mean or []), np.array(deviation or [])

    @classmethod
    def fit(cls, how: Scaling, vectors: Floats) -> "Scale":
        """Learn from vectors [N, D]."""
        if how != "standardize":
            return cls(how)
        mean = vectors.mean(axis=0, dtype=np.float64)
        squares = sum(((block - mean) ** 2).sum(axis=0) for block in _blocks(vectors))
        return cls(how, mean.tolist(), np.sqrt(squares / len(vectors)).tolist())

    def __call__(self, vectors: Floats) -> Floats:
        """The vectors [N, D] as a tower takes them; one of length 0 stays so."""
        if self.how == "none" or not len(vectors):
            return vectors
        return np.concatenate([self._scaled(block.astype(np.float64)) for block in _blocks(vectors)])

    def _scaled(self, numbers: npt.NDArray[np.float64]) -> Floats:
        if self.how == "unit":
            lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
            return (numbers / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        varying = self._deviation > SMALLEST_DEVIATION
        return np.where(varying, (numbers - self._mean) / np.where(varying, self._deviation, 1), 0).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """What was learnt, as plain JSON values."""
        if self.how != "standardize":
            return {}
        return {"mean": self._mean.tolist(), "deviation": self._deviation.tolist()}


def _blocks(vectors: Floats) -> Iterator[Floats]:
    """Some rows at a time: in float64 all would take twice the room of the vectors themselves."""
    return (vectors[start : start + BLOCK_ROWS] for start in range(0, len(vectors), BLOCK_ROWS))


def read_vectors(
    values: pl.Series, column: str, *, width: int | None = None, separator: str = ","
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which values [N] are there, and these as vectors [P, D]; D is the `width`, or the length of the first.

    Raises `DataError`, naming the row, for vectors of another length, of length 0, and for numbers that are missing or
    not finite in float32; and for a column of another type.

    >>> present, vectors = read_vectors(pl.Series(["0.5, 1", None]), "picture")
    >>> present.tolist(), vectors.tolist()
    ([True, False], [[0.5, 1.0]])
    """
    lists = _lists(values, column, separator)
    present = lists.is_not_null().to_numpy()
    rows = np.flatnonzero(present)
    lengths = lists.list.len().filter(lists.is_not_null()).cast(pl.Int64).to_numpy()
    if not len(rows):
        return present, np.zeros((0, width or 0), np.float32)
    wanted = int(lengths[0]) if width is None else width
    others = np.flatnonzero(lengths != max(wanted, 1))
    if others.size:
        row, length = int(rows[others[0]]), int(lengths[others[0]])
        where = f"row {rows[0]} has {wanted}" if width is None else f"training had {wanted}"
        raise DataError(
            f"Column {column!r} should hold vectors of one length, at least 1, but row {row} has {length} numbers and "
            f"{where}. Give vectors of the same model, or leave the value missing."
        )
    flat = lists.filter(lists.is_not_null()).explode().cast(pl.Float32).fill_null(float("nan")).to_numpy()
    bad = np.flatnonzero(~np.isfinite(flat))
    if bad.size:
        row, place = int(rows[bad[0] // wanted]), int(bad[0] % wanted)
        raise DataError(
            f"Column {column!r} should hold vectors of numbers that are finite in float32, but in row {row} number "
            f"{place} is none: {shorten(values[row] if values.dtype.is_nested() else [values[row]])}. Correct it, or "
            "leave the value missing."
        )
    return present, flat.reshape(-1, wanted)


def _lists(values: pl.Series, column: str, separator: str) -> pl.Series:
    """The column as lists of numbers; texts that are none become missing numbers."""
    dtype = values.dtype
    if isinstance(dtype, pl.Array):
        dtype, values = pl.List(dtype.inner), values.arr.to_list()
    if isinstance(dtype, pl.List) and (dtype.inner.is_numeric() or dtype.inner == pl.Null):
        return values
    if dtype in (pl.String, pl.Null):
        texts = values.cast(pl.String).str.strip_chars("[] ").replace("", None)
        return texts.str.split(separator).list.eval(pl.element().str.strip_chars().cast(pl.Float64, strict=False))
    raise DataError(
        f"Column {column!r} should hold vectors (lists or arrays of numbers, or texts of them), but its type is "
        f"{dtype}; convert it."
    )

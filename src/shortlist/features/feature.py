"""What every feature offers, chosen and fitted, and the checks that features share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.events import EventTable
from shortlist.errors import DataError
from shortlist.features.encoded import Encoded

__all__ = ["FeatureChoice", "FittedFeature", "as_text", "parts_of", "refuse_missing", "values_of"]


class FeatureChoice(Protocol):
    """A feature as a user writes it down: its kind, its column, and what to do about missing values.

    The values of a feature of several columns are structs with a field for each.
    """

    kind: ClassVar[str]

    @property
    def column(self) -> str: ...

    @property
    def missing(self) -> Any: ...

    def fit(self, values: pl.Series) -> "FittedFeature":
        """Learn from the column's values in the training rows."""

    def restore(self, state: dict[str, Any]) -> "FittedFeature":
        """The fitted feature back from its `state`."""


class FittedFeature(ABC):
    """A feature with what it learnt from the training rows.

    `num_rows` is the size of its embedding table, 0 where it has none, and `width` is how many numbers it gives
    to its tower. `dropout` is the chance of a value to count as unknown (row 0) in training. `columns` are those that
    it reads, where they are others than the choice's one.
    """

    def __init__(
        self,
        choice: FeatureChoice,
        *,
        num_rows: int,
        width: int,
        dropout: float = 0.0,
        columns: tuple[str, ...] = (),
    ) -> None:
        self.choice = choice
        self.column = choice.column
        self.columns = columns or (choice.column,)
        self.num_rows = num_rows
        self.width = width
        self.dropout = dropout

    @property
    def kind(self) -> str:
        """The word for its type in experiment files."""
        return self.choice.kind

    @property
    def name(self) -> str:
        """Kind and column: the key of its array in a batch, and of its input in a saved tower."""
        return f"{self.kind}_{self.column}"

    @abstractmethod
    def encode(self, values: pl.Series) -> Encoded:
        """The column's values [N], or the structs of several columns, as arrays.

        Training rows and a served query take this same road.
        """

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        """Which values [N] carry information: not missing and, where there is a vocabulary, in it."""
        return values.is_not_null().to_numpy()

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was learnt, as plain JSON values; the choice's `restore` takes it back."""


def values_of(table: pl.DataFrame | EventTable | Mapping[str, pl.Series], columns: Sequence[str]) -> pl.Series:
    """What a feature of these columns reads of a table [N]: the values of one, structs of several.

    >>> values_of(pl.DataFrame({"a": [1], "b": ["x"], "c": [2]}), ["a", "b"]).to_list()
    [{'a': 1, 'b': 'x'}]
    """
    if len(columns) == 1:
        return table[columns[0]]
    return pl.DataFrame([table[column] for column in columns]).to_struct("")


def parts_of(values: pl.Series, columns: Sequence[str]) -> list[pl.Series]:
    """The columns that structs [N] are made of; all missing where the series is of nothing but missing values."""
    if values.dtype == pl.Null:
        return [values.alias(column) for column in columns]
    return [values.struct.field(column) for column in columns]


def refuse_missing(values: pl.Series, column: str, missing: object) -> None:
    """Raise `DataError` where values are missing and the feature's policy is that none may be."""
    if missing == "error" and values.null_count():
        row = int(values.is_null().arg_max() or 0)
        raise DataError(
            f"Column {column!r} has {values.null_count()} missing values, the first in row {row}, and its feature "
            'says missing="error". Fill them, or choose another policy.'
        )


def as_text(values: pl.Series, column: str) -> pl.Series:
    """Categories and texts as String; raises `DataError` for decimal numbers, times and nested values."""
    dtype = values.dtype
    if dtype == pl.String:
        return values
    if dtype.is_integer() or dtype in (pl.Boolean, pl.Null) or isinstance(dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    raise DataError(
        f"Column {column!r} should hold strings, integers or booleans, but its type is {dtype}; "
        "convert it, or use Bucketize or Normalize for numbers and times."
    )

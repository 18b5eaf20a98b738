"""Any number of known texts a row: what Text and Categories share once a value is taken apart."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Number
from shortlist.features.encoded import RowLists
from shortlist.features.feature import FeatureChoice, FittedFeature, refuse_missing
from shortlist.features.vocabulary import Vocabulary

__all__ = [
    "FIRST_ROW",
    "UNKNOWN_ROW",
    "FittedLists",
    "Flatten",
    "ListPooling",
    "Rarity",
    "count_values",
    "weigh_by_rarity",
]

# Row 0 pads a saved tower's input and has no meaning; row 1 stands for texts outside the vocabulary.
UNKNOWN_ROW, FIRST_ROW = 1, 2

# "sqrt" divides the sum by the root of the summed squares of the weights.
ListPooling = Literal["mean", "sqrt"]
Rarity = Annotated[Number, Field(ge=0, le=8)]
# Values [N] -> all their parts one after the other, and how many parts each value has [N].
Flatten = Callable[[pl.Series], tuple[pl.Series, npt.NDArray[np.int64]]]


class FittedLists(FittedFeature):
    """A feature of several texts a row, with its vocabulary; unknown texts count as the unknown row."""

    def __init__(
        self,
        choice: FeatureChoice,
        width: int,
        vocabulary: list[str],
        flatten: Flatten,
        *,
        pooling: ListPooling = "mean",
        dropout: float = 0.0,
        weights: list[float] | None = None,
    ) -> None:
        super().__init__(choice, num_rows=len(vocabulary) + FIRST_ROW, width=width, dropout=dropout)
        self.pooling = pooling
        # What each row weighs where its vectors are pooled [num_rows]; unknown texts weigh nothing then.
        self.weights = None if weights is None else np.array([0.0] * FIRST_ROW + weights, np.float32)
        self.vocabulary = Vocabulary(vocabulary, first_row=FIRST_ROW, unknown_row=UNKNOWN_ROW)
        self._flatten = flatten

    def encode(self, values: pl.Series) -> RowLists:
        refuse_missing(values, self.column, self.choice.missing)
        texts, lengths = self._flatten(values)
        return RowLists.of_lengths(self.vocabulary.rows(texts), lengths)

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        lists = self.encode(values)
        owner = np.repeat(np.arange(len(lists)), np.diff(lists.offsets))
        return np.bincount(owner, lists.rows != UNKNOWN_ROW, minlength=len(lists)) > 0

    def state(self) -> dict[str, Any]:
        weights = {} if self.weights is None else {"weights": self.weights[FIRST_ROW:].tolist()}
        return {"vocabulary": self.vocabulary.texts, **weights}


def weigh_by_rarity(
    vocabulary: list[str], texts: pl.Series, lengths: npt.NDArray[np.int64], rarity: float
) -> list[float] | None:
    """log(N / n) ** rarity for each text that n of N values hold; None for a rarity of 0, where all weigh the same.

    Source: inverse document frequency, Salton and Buckley 1988, https://doi.org/10.1016/0306-4573(88)90021-0.
    """
    if not rarity:
        return None
    pairs = pl.DataFrame({"text": texts, "owner": np.repeat(np.arange(len(lengths)), lengths)}).unique()
    holding = dict(pairs["text"].value_counts(name="count").iter_rows())
    return [math.log(len(lengths) / holding[text]) ** rarity for text in vocabulary]


def count_values(texts: pl.Series, min_count: int = 1) -> list[str]:
    """The distinct texts that stand at least `min_count` times, the most frequent first, ties alphabetical."""
    counts = texts.alias("text").value_counts(name="count").filter(pl.col("count") >= min_count)
    return counts.sort(["count", "text"], descending=[True, False])["text"].to_list()

"""Any number of known texts a row: what Text and Categories share once a value is taken apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.features.encoded import RowLists
from shortlist.features.feature import FeatureChoice, FittedFeature, refuse_missing
from shortlist.features.vocabulary import Vocabulary

__all__ = ["FIRST_ROW", "UNKNOWN_ROW", "FittedLists", "Flatten", "count_values"]

# Row 0 pads a saved tower's input and has no meaning; row 1 stands for texts outside the vocabulary.
UNKNOWN_ROW, FIRST_ROW = 1, 2

# Values [N] -> all their parts one after the other, and how many parts each value has [N].
Flatten = Callable[[pl.Series], tuple[pl.Series, npt.NDArray[np.int64]]]


class FittedLists(FittedFeature):
    """A feature of several texts a row, with its vocabulary; unknown texts count as the unknown row."""

    def __init__(self, choice: FeatureChoice, width: int, vocabulary: list[str], flatten: Flatten) -> None:
        super().__init__(choice, num_rows=len(vocabulary) + FIRST_ROW, width=width)
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
        return {"vocabulary": self.vocabulary.texts}


def count_values(texts: pl.Series, min_count: int = 1) -> list[str]:
    """The distinct texts that stand at least `min_count` times, the most frequent first, ties alphabetical."""
    counts = texts.alias("text").value_counts(name="count").filter(pl.col("count") >= min_count)
    return counts.sort(["count", "text"], descending=[True, False])["text"].to_list()

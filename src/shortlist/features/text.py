"""Text: the mean of the embeddings of its words."""

import string
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Positive, Share, Whole, choice
from shortlist.features.feature import as_text, refuse_missing
from shortlist.features.lists import FIRST_ROW, FittedLists, ListPooling, Rarity, count_values, weigh_by_rarity

__all__ = ["Text"]

WITHOUT_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))
ASCII_LOWERCASE = WITHOUT_PUNCTUATION | dict(zip(map(ord, string.ascii_uppercase), string.ascii_lowercase, strict=True))


@choice
class Text:
    """The mean of the embeddings of a text's words: lower-cased, without punctuation, split on white space.

    Punctuation (ASCII) is deleted, not replaced by a space: "don't" becomes "dont". The `max_tokens` - 2 most
    frequent words are kept, ties in alphabetical order; any other word counts in the mean as the unknown word.
    An empty or missing text gives zeros. `lowercase="ascii"` leaves other alphabets as they are, like TensorFlow.

    `pooling` "sqrt" divides the sum by the root of the number instead, so that many words say more than one. With a
    `rarity` each counts log(N / n) to that power, n of N training rows having it: what is rare says more, and what
    training never saw says nothing. `dropout` is the chance of each to be left out in training, anew in every step.

    >>> fitted = Text("title", width=4).fit(pl.Series(["The Third Man", "The Man!"]))
    >>> fitted.num_rows, fitted.encode(pl.Series(["the  MAN flies", ""])).padded().tolist()
    (5, [[3, 2, 1], [0, 0, 0]])
    """

    kind: ClassVar[str] = "text"

    column: str
    width: Positive = 32
    max_tokens: Annotated[Whole, Field(ge=3)] = 10_000
    lowercase: Literal["unicode", "ascii"] = "unicode"
    missing: Literal["empty", "error"] = "empty"
    pooling: ListPooling = "mean"
    rarity: Rarity = 0.0
    dropout: Share = 0.0

    def fit(self, values: pl.Series) -> FittedLists:
        refuse_missing(values, self.column, self.missing)
        words, lengths = self._flatten(values)
        vocabulary = count_values(words)[: self.max_tokens - FIRST_ROW]
        weights = weigh_by_rarity(vocabulary, words, lengths, self.rarity)
        return self.restore({"vocabulary": vocabulary, "weights": weights})

    def restore(self, state: dict[str, Any]) -> FittedLists:
        return FittedLists(
            self,
            self.width,
            state["vocabulary"],
            self._flatten,
            pooling=self.pooling,
            dropout=self.dropout,
            weights=state.get("weights"),
        )

    def _flatten(self, values: pl.Series) -> tuple[pl.Series, npt.NDArray[np.int64]]:
        lists = [self._words(text or "") for text in as_text(values, self.column)]
        words = pl.Series([word for words in lists for word in words], dtype=pl.String)
        return words, np.array([len(words) for words in lists], np.int64)

    def _words(self, text: str) -> list[str]:
        if self.lowercase == "ascii":
            return text.translate(ASCII_LOWERCASE).split()
        return text.translate(WITHOUT_PUNCTUATION).lower().split()

"""Several categories a row, such as genres: the mean of their embeddings."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Positive, Share, choice
from shortlist.features.feature import as_text, refuse_missing
from shortlist.features.lists import FittedLists, ListPooling, Rarity, count_values, weigh_by_rarity

__all__ = ["Categories"]


@choice
class Categories:
    """The mean of the embeddings of a row's categories, given as a list or as one text with a separator.

    Categories seen fewer than `min_count` times share the unknown row, and so do those never seen. A missing
    value or an empty list gives zeros.

    `pooling` "sqrt" divides the sum by the root of the number instead, so that many categories say more than one. With
    a `rarity` each counts log(N / n) to that power, n of N training rows having it: what is rare says more, and what
    training never saw says nothing. `dropout` is the chance of each to be left out in training, anew in every step.

    >>> fitted = Categories("genres", width=4).fit(pl.Series(["drama|war", "war"]))
    >>> fitted.encode(pl.Series(["war|poetry", None])).padded().tolist()
    [[3, 1], [0, 0]]
    """

    kind: ClassVar[str] = "categories"

    column: str
    width: Positive = 32
    separator: Annotated[str, Field(min_length=1)] = "|"
    min_count: Positive = 1
    missing: Literal["empty", "error"] = "empty"
    pooling: ListPooling = "mean"
    rarity: Rarity = 0.0
    dropout: Share = 0.0

    def fit(self, values: pl.Series) -> FittedLists:
        refuse_missing(values, self.column, self.missing)
        texts, lengths = self._flatten(values)
        vocabulary = sorted(count_values(texts, self.min_count))
        weights = weigh_by_rarity(vocabulary, texts, lengths, self.rarity)
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
        given = isinstance(values.dtype, pl.List)
        lists = values if given else as_text(values, self.column).str.split(self.separator)
        lists = lists.list.drop_nulls()
        if lists.dtype in (pl.List(pl.String), pl.List(pl.Categorical), pl.List(pl.Enum)):
            lists = lists.list.eval(pl.element().filter(pl.element().cast(pl.String) != ""))
        lengths = lists.list.len().fill_null(0).cast(pl.Int64).to_numpy()
        return as_text(lists.filter(lengths > 0).explode(), self.column), lengths

"""What a user had touched before: the pooled embeddings of these items."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Number, Positive, Share, choice
from shortlist.errors import SettingsError
from shortlist.features.encoded import RowLists
from shortlist.features.feature import as_text
from shortlist.features.lists import UNKNOWN_ROW, FittedLists

__all__ = ["FittedHistory", "History"]

Pooling = Literal["mean", "sqrt", "recency", "attention"]
DEFAULT_WIDTH = 64


@choice
class History:
    """The pooled embeddings of the items that the user had touched; `column` is the data's item id.

    An event is never part of its own history. Under a split in time a training event's history are the user's earlier
    events alone, and where a model is evaluated it ends at the cut; under other splits, which mix the times, it is all
    of the user's other events but those with the very item that is asked for. A served query brings the history that
    the bundle keeps of its user, and whatever it gives itself.

    `pooling` "mean" weighs all alike; "sqrt" divides their sum by the square root of their number instead, so that the
    length of a history is told too; "recency" halves an item's weight for every `half_life` items that came after it;
    "attention" learns a weight for each item (a softmax over the history of one learnt score an item). `dropout` is the
    chance of each item to be left out of a history in training, anew in every step: a history then says less than all,
    which keeps a model from learning histories by heart. `forget` is the chance of a whole history to be left out, so
    that the model learns what to say to somebody new; somebody new has no known id either, so give the id a `dropout`
    too. Under a split in time a training event's history ends `gap` seconds before it: histories are not kept up to the
    second where a model is used, and one that is teaches the order within a sitting. The latest `max_length` items
    count, but for those that training did not touch; no history at all gives zeros.

    `width` is 64 unless said otherwise. With `shared` it is that of the item tower's embeddings, which the history then
    pools: each item as the item tower reads it, its id and what its columns say, in the same tables. Histories then say
    what somebody likes in the words that items are described in, so that an item nobody touched is found by them and
    counts in them; without, each item has a vector of its own here, which can say what it means to have touched it.
    Choose `shared` where items are new or rare and their columns say much. Attention goes by the item alone, and cannot
    be combined with it.

    Use it wherever users come back: it knows users that training did not know, once they have touched anything.
    Source: Covington et al. 2016, https://doi.org/10.1145/2959100.2959190 (the mean of what was watched).

    >>> fitted = History("sku", width=4).fit(pl.Series(["tea", "jam", "tea"]))
    >>> fitted.encode(pl.Series([["jam", "tea", "never seen"], []])).padded().tolist()
    [[2, 3], [0, 0]]
    """

    kind: ClassVar[str] = "history"
    missing: ClassVar[str] = "empty"

    column: str
    width: Positive | None = None
    pooling: Pooling = "mean"
    half_life: Annotated[Number, Field(gt=0)] = 10.0
    dropout: Share = 0.0
    forget: Share = 0.0
    gap: Annotated[Number, Field(ge=0)] = 0.0
    max_length: Positive = 500
    shared: bool = False

    def __post_init__(self) -> None:
        if self.shared and self.width is not None:
            raise SettingsError(
                f"A shared history is as wide as the item tower's embeddings, but width={self.width} was given; leave "
                "it out."
            )
        if self.shared and self.pooling == "attention":
            raise SettingsError(
                'pooling="attention" learns a score for each item, which shared histories do not have; choose "mean", '
                '"sqrt" or "recency".'
            )

    def fit(self, values: pl.Series, shared_width: int | None = None) -> "FittedHistory":
        """Learn the items from their ids, those that training touched or, with `shared`, all of the catalogue.

        `shared_width` is then the width of the item tower's embeddings.
        """
        vocabulary = as_text(values, self.column).drop_nulls().unique().sort().to_list()
        return self.restore({"vocabulary": vocabulary, **({"width": shared_width} if self.shared else {})})

    def restore(self, state: dict[str, Any]) -> "FittedHistory":
        width = state["width"] if self.shared else self.width or DEFAULT_WIDTH
        return FittedHistory(self, width, state["vocabulary"], self._flatten)

    def _flatten(self, values: pl.Series) -> tuple[pl.Series, npt.NDArray[np.int64]]:
        latest = values.list.tail(self.max_length)
        lengths = latest.list.len().fill_null(0).cast(pl.Int64).to_numpy()
        return as_text(latest.filter(lengths > 0).explode(), self.column), lengths


class FittedHistory(FittedLists):
    """A `History` with the items that it knows."""

    choice: History

    def state(self) -> dict[str, Any]:
        return super().state() | ({"width": self.width} if self.choice.shared else {})

    def encode(self, values: pl.Series) -> RowLists:
        """Lists of ids [N], the latest last, as lists of rows; unknown items are left out."""
        return _known(super().encode(values))

    def encode_items(self, items: RowLists, row_of: npt.NDArray[np.int32]) -> RowLists:
        """The same for lists of catalogue rows [N], of which `row_of` gives the embedding rows; see `rows_of`."""
        lengths = np.diff(items.offsets)
        latest = np.repeat(lengths, lengths) - (np.arange(len(items.rows)) - np.repeat(items.offsets[:-1], lengths))
        kept = latest <= self.choice.max_length
        return _known(RowLists.of_lengths(row_of[items.rows[kept]], np.minimum(lengths, self.choice.max_length)))

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return np.diff(self.encode(values).offsets) > 0

    def rows_of(self, ids: pl.Series) -> npt.NDArray[np.int32]:
        """The embedding row of each item [N], `UNKNOWN_ROW` for one that training did not touch."""
        return self.vocabulary.rows(as_text(ids, self.column))


def _known(lists: RowLists) -> RowLists:
    known = lists.rows != UNKNOWN_ROW
    before = np.concatenate([[0], np.cumsum(known)])
    return RowLists(before[lists.offsets], lists.rows[known])

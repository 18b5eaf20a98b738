"""One category a row: by vocabulary, or by hash where the vocabulary would be too large."""

import hashlib
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Positive, Seed, Share, Whole, choice
from shortlist.data.tables import rows_of_ids
from shortlist.features.encoded import Rows
from shortlist.features.feature import FittedFeature, as_text, refuse_missing
from shortlist.features.vocabulary import FEW_VALUES, Vocabulary

__all__ = ["FittedHash", "FittedLookup", "Hash", "Lookup"]

UNKNOWN_ROW = 0


@choice
class Lookup:
    """An embedding for each distinct value of a column of strings, integers or booleans.

    Row 0 stands for unknown values: those not seen when fitting, those seen fewer than `min_count` times, and
    with `missing="unknown"` also missing ones. Use it when the values are worth a row each; differs from `Hash`
    by never letting two values share a row.

    The unknown row means something when a new value comes only if training saw it: with `min_count` above 1 it is
    trained by the rare values, with `dropout` by every value, each of which counts as unknown with that chance in each
    step. A dropout on the ids of users and items makes a tower learn from its other features too, so that it works for
    users and items that come later (DropoutNet, Volkovs et al. 2017, is of that mind).

    >>> fitted = Lookup("colour", width=4).fit(pl.Series(["red", "blue", "red", None]))
    >>> fitted.num_rows, fitted.encode(pl.Series(["blue", "green", None])).rows.tolist()
    (3, [1, 0, 0])
    """

    kind: ClassVar[str] = "lookup"

    column: str
    width: Positive = 32
    min_count: Positive = 1
    dropout: Share = 0.0
    missing: Literal["unknown", "error"] = "unknown"

    def fit(self, values: pl.Series) -> "FittedLookup":
        refuse_missing(values, self.column, self.missing)
        texts = as_text(values, self.column).drop_nulls()
        counts = texts.alias("text").value_counts().filter(pl.col("count") >= self.min_count)
        return FittedLookup(self, counts["text"].sort().to_list())

    def restore(self, state: dict[str, Any]) -> "FittedLookup":
        return FittedLookup(self, state["vocabulary"])


class FittedLookup(FittedFeature):
    """A `Lookup` with its vocabulary."""

    def __init__(self, choice: Lookup, vocabulary: list[str]) -> None:
        super().__init__(choice, num_rows=len(vocabulary) + 1, width=choice.width, dropout=choice.dropout)
        self.vocabulary = Vocabulary(vocabulary, first_row=1, unknown_row=UNKNOWN_ROW)

    def encode(self, values: pl.Series) -> Rows:
        refuse_missing(values, self.column, self.choice.missing)
        return Rows(self.vocabulary.rows(as_text(values, self.column)))

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return np.not_equal(self.vocabulary.rows(as_text(values, self.column)), UNKNOWN_ROW)

    def state(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.texts}


@choice
class Hash:
    """An embedding for each of `num_rows` groups of values, put together by a hash.

    Row 0 is for missing values, the others are shared by whatever falls there, values never seen included. With
    `dropout` a value counts as missing with that chance in training. Use it when the values are too many for a
    vocabulary. The hash is BLAKE2b over the value's text and `seed`: the
    same on every machine and in every version.

    >>> fitted = Hash("url", num_rows=1000, width=4).fit(pl.Series(["a", "b"]))
    >>> rows = fitted.encode(pl.Series(["a", "never seen", None, "a"])).rows
    >>> rows.tolist()
    [825, 6, 0, 825]
    """

    kind: ClassVar[str] = "hash"

    column: str
    num_rows: Annotated[Whole, Field(ge=2)]
    width: Positive = 32
    seed: Seed = 0
    dropout: Share = 0.0
    missing: Literal["unknown", "error"] = "unknown"

    def fit(self, values: pl.Series) -> "FittedHash":
        refuse_missing(values, self.column, self.missing)
        as_text(values, self.column)
        return FittedHash(self)

    def restore(self, state: dict[str, Any]) -> "FittedHash":  # noqa: ARG002 - every feature restores this way
        return FittedHash(self)


class FittedHash(FittedFeature):
    """A `Hash`; it learns nothing from the rows."""

    def __init__(self, choice: Hash) -> None:
        super().__init__(choice, num_rows=choice.num_rows, width=choice.width, dropout=choice.dropout)
        self._key = choice.seed.to_bytes(8, "little")

    def encode(self, values: pl.Series) -> Rows:
        refuse_missing(values, self.column, self.choice.missing)
        texts = as_text(values, self.column)
        if len(texts) <= FEW_VALUES:
            return Rows(np.array([UNKNOWN_ROW if text is None else self._row(text) for text in texts], np.int32))
        distinct = texts.unique().drop_nulls()
        rows = [*map(self._row, distinct.to_list()), UNKNOWN_ROW]
        return Rows(np.array(rows, np.int32)[rows_of_ids(texts, distinct)])  # -1, a missing text, looks at the last

    def _row(self, text: str) -> int:
        digest = hashlib.blake2b(text.encode(), digest_size=8, key=self._key)
        return 1 + int.from_bytes(digest.digest(), "little") % (self.num_rows - 1)

    def state(self) -> dict[str, Any]:
        return {}

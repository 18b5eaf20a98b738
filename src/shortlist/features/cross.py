"""Several columns as one category: an embedding for each combination of their values."""

import re
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import Positive, Share, Whole, choice
from shortlist.errors import SettingsError
from shortlist.features.encoded import Rows
from shortlist.features.feature import FittedFeature, as_text, parts_of
from shortlist.features.lookup import FittedHash, FittedLookup, Hash, Lookup

__all__ = ["Cross", "FittedCross"]

# Stands between the values of a combination, and before itself where a value holds it.
BETWEEN, ESCAPE = "|", "\\"


@choice
class Cross:
    """An embedding for each combination of the values of two columns or more, of one table.

    Combinations seen fewer than `min_count` times when fitting share row 0, and so do those never seen and those of
    which a value is missing. With `num_rows` they are hashed instead, as `Hash` does it: use it where the combinations
    are too many for a row each. `dropout` is the chance of a combination to count as unknown in training.

    Use it where two columns say together what neither says alone: a tower of few layers learns such a product slowly,
    and its sum of two embeddings is none. Give it beside the columns' own features, which know what the combination is
    too rare for. Source: Cheng et al. 2016, https://doi.org/10.1145/2988450.2988454 (cross-product transformations).

    >>> fitted = Cross(("job", "city"), width=4).fit(pl.Series([{"job": "cook", "city": "Ely"}]))
    >>> fitted.encode(pl.Series([{"job": "cook", "city": "Ely"}, {"job": "cook", "city": "Bath"}])).rows.tolist()
    [1, 0]
    """

    kind: ClassVar[str] = "cross"

    columns: Annotated[tuple[str, ...], Field(min_length=2)]
    width: Positive = 32
    num_rows: Annotated[Whole, Field(ge=2)] | None = None
    min_count: Positive = 1
    dropout: Share = 0.0
    missing: Literal["unknown", "error"] = "unknown"

    def __post_init__(self) -> None:
        doubled = sorted({column for column in self.columns if self.columns.count(column) > 1})
        if doubled:
            raise SettingsError(f"columns should be different ones, but {doubled[0]!r} stands there twice.")
        if self.num_rows is not None and self.min_count > 1:
            raise SettingsError(
                "min_count counts combinations, which a hash (num_rows) does not; leave one of both out."
            )

    @property
    def column(self) -> str:
        """All its columns in one word."""
        return "×".join(self.columns)

    def fit(self, values: pl.Series) -> "FittedCross":
        return FittedCross(self, self._of_texts.fit(self.texts(values)))

    def restore(self, state: dict[str, Any]) -> "FittedCross":
        return FittedCross(self, self._of_texts.restore(state))

    def texts(self, values: pl.Series) -> pl.Series:
        """The combinations [N] as one text each, missing where a part is."""
        named = zip(self.columns, parts_of(values, self.columns), strict=True)
        parts = pl.DataFrame({column: as_text(part, column) for column, part in named})
        escaped = pl.all().str.replace_all(f"[{re.escape(ESCAPE + BETWEEN)}]", f"{ESCAPE}${{0}}")
        return parts.select(pl.concat_str(escaped, separator=BETWEEN)).to_series()

    @property
    def _of_texts(self) -> Lookup | Hash:
        if self.num_rows is None:
            return Lookup(self.column, width=self.width, min_count=self.min_count, missing=self.missing)
        return Hash(self.column, num_rows=self.num_rows, width=self.width, missing=self.missing)


class FittedCross(FittedFeature):
    """A `Cross` with the combinations that it knows."""

    choice: Cross

    def __init__(self, choice: Cross, of_texts: FittedLookup | FittedHash) -> None:
        super().__init__(
            choice, num_rows=of_texts.num_rows, width=choice.width, dropout=choice.dropout, columns=choice.columns
        )
        self._of_texts = of_texts

    def encode(self, values: pl.Series) -> Rows:
        return self._of_texts.encode(self.choice.texts(values))

    def known(self, values: pl.Series) -> npt.NDArray[np.bool_]:
        return self._of_texts.known(self.choice.texts(values))

    def state(self) -> dict[str, Any]:
        return self._of_texts.state()

"""A vocabulary: known texts and their rows."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.tables import rows_of_ids

__all__ = ["FEW_VALUES", "Vocabulary"]

# Up to this many values a loop beats the set-up of a join (a Polars join over a vocabulary of 150,000 costs
# about 30 ms whatever the number of values).
FEW_VALUES = 1024


class Vocabulary:
    """Distinct texts; the one at place p has row `first_row + p`, and any other text has row `unknown_row`.

    >>> words = Vocabulary(["tea", "jam"], first_row=1, unknown_row=0)
    >>> words.rows(pl.Series(["jam", "ham", "tea"])).tolist()
    [2, 0, 1]
    """

    def __init__(self, texts: Sequence[str], *, first_row: int, unknown_row: int) -> None:
        self.texts = list(texts)
        self.unknown_row = unknown_row
        self._row_of = {text: first_row + place for place, text in enumerate(self.texts)}
        self._first_row = first_row

    def __len__(self) -> int:
        return len(self.texts)

    def __contains__(self, text: object) -> bool:
        return text in self._row_of

    def rows(self, texts: pl.Series) -> npt.NDArray[np.int32]:
        """The row of each text [n] -> [n] int32; missing and unknown ones get the unknown row."""
        if len(texts) <= FEW_VALUES:
            found = [self._row_of.get(text, self.unknown_row) for text in texts]
            return np.array(found, np.int32)
        places = rows_of_ids(texts, pl.Series(self.texts, dtype=pl.String))
        return np.where(places < 0, self.unknown_row, places + self._first_row).astype(np.int32)

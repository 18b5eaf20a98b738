"""The vectors of a catalogue as an index keeps them: as they are, in half precision, or in 8 bits and a scale each."""

import dataclasses
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from shortlist.errors import DataError, DivergedError, SettingsError
from shortlist.index.index import Floats, Mask, Rows

__all__ = ["Candidates", "Catalogue", "Precision"]

Precision = Literal["float32", "float16", "int8"]

# Numbers of vectors that are made at once, from rounded ones or for some rows: 2^22 float32 are 16 MB.
BLOCK_NUMBERS = 1 << 22
# Whole steps of an int8 on either side of zero.
STEPS = 127
# Two vectors with a product of lengths below this have a score, and sums on the way to it, that float32 can hold.
SAFE_PRODUCT = 1e38


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Vectors [N, D]: `numbers` as they are kept, times an item's `scales` [N] where those are given.

    `longest` is the length of the longest.
    """

    numbers: npt.NDArray[Any]
    scales: Floats | None
    longest: float

    @classmethod
    def of(cls, vectors: Floats, precision: Precision) -> "Catalogue":
        """Keep vectors, float32 ones without a copy.

        Raises `DataError` for anything but a matrix, `SettingsError` for an unknown precision or one that cannot hold
        these vectors, and `DivergedError` for NaN or infinity.
        """
        if precision not in get_args(Precision):
            known = ", ".join(repr(name) for name in get_args(Precision))
            raise SettingsError(f"precision should be one of {known}, but it is {precision!r}.")
        if np.ndim(vectors) != 2:
            raise DataError(f"Item vectors should be [N, D], but their shape is {list(np.shape(vectors))}.")
        vectors = np.ascontiguousarray(vectors, np.float32)
        longest = _longest(vectors)
        if precision == "float32":
            return cls(vectors, None, longest)
        if precision == "float16":
            return cls(_halved(vectors), None, longest)
        return cls(*_in_steps(vectors), longest)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def width(self) -> int:
        return int(self.numbers.shape[1])

    def block(self, place: slice | Rows) -> Floats:
        """The vectors of a slice or of rows [C, D]."""
        kept = self.numbers[place]
        block: Floats = _from_halves(kept) if kept.dtype == np.float16 else kept.astype(np.float32, copy=False)
        if self.scales is not None:
            block *= self.scales[place, None]
        return block

    def must_look(self, queries: Floats) -> bool:
        """Whether some score of these queries [B, H, D] may be too large for float32, so that each must be looked at.

        No dot product is beyond the product of the lengths (Cauchy-Schwarz), so the longest item and all queries as
        one vector tell in the ordinary case. Raises `DataError` for queries of another shape or width, and
        `DivergedError` for NaN or infinity.
        """
        if queries.ndim != 3 or queries.shape[2] != self.width or queries.shape[1] < 1:
            raise DataError(
                f"Queries should be [B, H, {self.width}] as the items' vectors are, with one interest H or more, but "
                f"their shape is {list(queries.shape)}. Give one query of several users as queries[:, None]."
            )
        numbers = queries.ravel()
        square = float(np.vdot(numbers, numbers))
        if square * self.longest**2 < SAFE_PRODUCT**2:
            return False
        for number, query in enumerate(queries):
            if not np.isfinite(query).all():
                raise DivergedError(f"Query {number} gives scores that are no numbers (NaN or infinity); train anew.")
        return True


@dataclasses.dataclass(frozen=True)
class Candidates:
    """The items that are scored now: all of a catalogue, or those at `rows` [C], which ascend."""

    catalogue: Catalogue
    rows: Rows | None = None

    def __len__(self) -> int:
        return len(self.catalogue if self.rows is None else self.rows)

    def block(self, start: int, stop: int) -> Floats:
        """The vectors of the candidates at some places [stop - start, D]."""
        return self.catalogue.block(slice(start, stop) if self.rows is None else self.rows[start:stop])

    def rows_at(self, places: Rows) -> Rows:
        """The item rows of candidates."""
        return places if self.rows is None else self.rows[places]

    def places_of(self, item_rows: Rows) -> tuple[Rows, Mask | slice]:
        """Where items stand among the candidates, and which of those asked for do."""
        if self.rows is None:
            return item_rows, slice(None)
        places = np.searchsorted(self.rows, item_rows)
        there = (
            np.zeros(len(item_rows), np.bool_)
            if not len(self.rows)
            else self.rows.take(places, mode="clip") == item_rows
        )
        return places[there], there

    def scores(self, query: Floats) -> Floats:
        """The best interest's score [C] of one query [H, D]."""
        if self.rows is None and self.catalogue.numbers.dtype == np.float32:
            return _best_interest(self.catalogue.numbers, query)
        scores = np.empty(len(self), np.float32)
        step = max(BLOCK_NUMBERS // max(self.catalogue.width, 1), 1)
        for start in range(0, len(scores), step):
            stop = min(start + step, len(scores))
            scores[start:stop] = _best_interest(self.block(start, stop), query)
        return scores


def _best_interest(vectors: Floats, query: Floats) -> Floats:
    scores: Floats = vectors @ query[0]
    for interest in query[1:]:
        np.maximum(scores, vectors @ interest, out=scores)
    return scores


def _longest(vectors: Floats) -> float:
    """The length of the longest vector; refuses NaN and infinity."""
    longest = 0.0
    step = max(BLOCK_NUMBERS // max(vectors.shape[1], 1), 1)
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        square = float(np.einsum("nd,nd->n", block, block).max())
        if not square < np.inf:  # one is no number, or too long for the sum of its squares to be a float32
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            if len(bad):
                raise DivergedError(
                    f"Item row {start + bad[0]} gives scores that are no numbers (NaN or infinity); train anew."
                )
            square = float(np.einsum("nd,nd->n", block, block, dtype=np.float64).max())
        longest = max(longest, square**0.5)
    return longest


def _halved(vectors: Floats) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halved = vectors.astype(np.float16)
    bad = np.argwhere(~np.isfinite(halved))
    if len(bad):
        row, column = (int(place) for place in bad[0])
        raise SettingsError(
            f'precision "float16" holds numbers up to {float(np.finfo(np.float16).max):.0f}, but item row {row} has '
            f'{vectors[row, column]:g} in dimension {column}. Use "int8" or "float32".'
        )
    return halved


def _from_halves(halves: npt.NDArray[np.float16]) -> Floats:
    """The same numbers in float32, in a third of the time of `astype`, which has no fast road for halves.

    A half's bits but the sign, moved to where a float32 has them, are the number over 2^112: its exponent of 5 bits
    counts from 15 below and one of 8 bits from 127. The sign fills what is left of it, of which one bit is kept.
    """
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70002000)  # all but the three copies of the sign between it and the exponent
    numbers = bits.view(np.float32)
    numbers *= np.float32(2.0**112)
    return numbers


def _in_steps(vectors: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Each vector as whole steps from -127 to 127, and the size of its step: its largest number is 127 of them."""
    steps = np.empty(vectors.shape, np.int8)
    scales = np.abs(vectors).max(axis=1, initial=0) / np.float32(STEPS)
    sizes = np.where(scales > 0, scales, 1)[:, None]
    block = max(BLOCK_NUMBERS // max(vectors.shape[1], 1), 1)
    for start in range(0, len(vectors), block):
        place = slice(start, start + block)
        # Steps below the smallest float32 are rounded, so that there may seem to be more than 127.
        steps[place] = np.clip(np.rint(vectors[place] / sizes[place]), -STEPS, STEPS)
    return steps, scales.astype(np.float32)

"""What every loss is told of the rows that it is for."""

import dataclasses
from typing import Literal, NamedTuple

import torch
from torch import Tensor

__all__ = ["Pairs", "Positives", "Reduction", "exact_dtype"]

Reduction = Literal["sum", "mean"]


class Pairs(NamedTuple):
    """Pairs of a row and a column, by ascending row."""

    row: Tensor  # [M] int64
    column: Tensor  # [M] int64


@dataclasses.dataclass(frozen=True)
class Positives:
    """The positives of one step among the items that it scores. P positives, U different items.

    `column` [P] int64 says which of the items is each positive's own. `counts` [U] says how many times each item stands
    among the candidates of every row, None for once each; an item of count 0 is nobody's candidate but by `shown`.
    `weights` [P] multiplies each positive's loss; `log_q` [U] is the log of the probability with which each item comes
    to stand there. `masked` names the columns that are no candidates of some rows, such as what the same user touched
    at other times; `shown` those that are candidates of some rows once more than the counts say, whatever was drawn:
    what was shown with the event and not touched. A pair stands in one of the two at most, and a row's own item in
    neither.
    """

    column: Tensor
    counts: Tensor | None = None
    weights: Tensor | None = None
    log_q: Tensor | None = None
    masked: Pairs | None = None
    shown: Pairs | None = None

    def row_weights(self, vectors: Tensor, reduction: Reduction) -> Tensor:
        """What each row's loss counts in the whole [P], in the vectors' dtype but no less than float32.

        "sum" takes the weights as they are, "mean" divides them by their sum.
        """
        dtype = exact_dtype(vectors)
        if self.weights is None:
            share = 1 / len(self.column) if reduction == "mean" else 1.0
            return torch.full((len(self.column),), share, dtype=dtype, device=vectors.device)
        weights = self.weights.to(dtype)
        return weights / weights.sum() if reduction == "mean" else weights

    def counted(self, items: Tensor) -> tuple[Tensor, "Positives"]:
        """The items [U, D] that count among every row's candidates, and the positives among these.

        Where nothing was shown they stay as they are. Else those of count 0 go, which may be many, so that no row is
        multiplied with what was shown with others; `shown` goes on pointing into the items given.
        """
        if self.shown is None or self.counts is None:
            return items, self
        counts = self.counts > 0
        place = counts.cumsum(0) - 1
        masked = self.masked
        if masked is not None:
            stay = counts[masked.column]
            masked = Pairs(masked.row[stay], place[masked.column[stay]])
        narrowed = dataclasses.replace(
            self,
            column=place[self.column],
            counts=self.counts[counts],
            log_q=None if self.log_q is None else self.log_q[counts],
            masked=masked,
        )
        return items[counts], narrowed


def exact_dtype(vectors: Tensor) -> torch.dtype:
    """The dtype for what must not lose digits: float32, and float64 for float64."""
    return torch.promote_types(vectors.dtype, torch.float32)

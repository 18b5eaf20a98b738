"""How many of the pairs that a training compares are no honest negatives."""

from collections.abc import Sequence

from torch import Tensor

from shortlist.training.batches import Batch, Events

__all__ = ["PairRates"]


class PairRates:
    """Counts, over an epoch, the pairs of an event and one of its batch's other candidates, and two kinds among them:
    accidental hits, which are the event's own item once more, and known positives, which the event's user touched at
    other times. An item that stands n times among the candidates makes n pairs. What was shown or remembered from
    earlier batches is not looked at.

    Hits are counted in each batch, from how often the events' own items stand there: no pair is formed. So are known
    positives where they are masked anyway. Where they are not, finding them would cost as much as a step of a small
    model, and they are counted in the first batch of each epoch only.
    """

    def __init__(self, events: Events, sums: Sequence[int] = ()) -> None:
        self._known, self._removed = events.known, events.remove_known
        self._num_drawn = 0 if events.negatives is None else events.negatives.size
        self._sums: list[int | Tensor] = list(sums or (0, 0, 0, 0))  # on a GPU nothing is waited for before the end

    def add(self, batch: Batch, *, first: bool) -> None:
        """A batch more; `first` says whether it is its epoch's first."""
        positives, num_rows = batch.positives, len(batch.user_rows)
        counts, column = positives.counts, positives.column
        num_candidates = len(batch.item_rows) if counts is None else num_rows + self._num_drawn
        pairs, looked_at = num_rows * (num_candidates - 1), 0
        known: int | Tensor = 0
        if self._known is not None and (first or self._removed):
            masked = positives.masked
            if masked is None:
                masked = self._known.among(batch.user_rows, batch.item_rows.index_select(0, column), batch.item_rows)
            known = len(masked.column) if counts is None else counts.index_select(0, masked.column).sum()
            looked_at = pairs
        more = (pairs, batch.accidental_hits, looked_at, known)
        self._sums = [total + of_batch for total, of_batch in zip(self._sums, more, strict=True)]

    @property
    def sums(self) -> list[int]:
        """Pairs, accidental hits among them, pairs that were looked at for known positives, and these."""
        return [int(total) for total in self._sums]

    @property
    def accidental_hits(self) -> float | None:
        """Their share of all pairs, None without a pair."""
        pairs, hits, _, _ = self.sums
        return hits / pairs if pairs else None

    @property
    def known_positives(self) -> float | None:
        """Their share of the pairs that were looked at, None where none was."""
        _, _, looked_at, known = self.sums
        return known / looked_at if looked_at else None

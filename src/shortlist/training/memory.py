"""Items of earlier batches as candidates of later ones, with the vectors that they had then."""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from shortlist.losses import Positives
from shortlist.training.batches import Batch
from shortlist.training.negatives import KnownPositives

__all__ = ["ItemMemory"]


class ItemMemory:
    """The items of the last `num_batches` batches, which stand among the candidates of the batch that follows.

    Vectors are kept as they were, without a gradient, so that more candidates cost a product and no encoding. An item
    that stands in the batch too is used with its own vector alone, and of several older copies only the newest is.

    Counts add up over the batch b and the batches m that are remembered: n_u = n_u^b + Σ_m n_u^m. Each of them is
    expected to hold item u in the same share q_u of its candidates, so that E[n_u] / E[Σ n] = q_u of all of them
    together, however many there are: log-q stays what it is for one batch, and holds from the first step on, which has
    no memory yet. (With draws beside the batch an epoch's last batch, which is smaller, has shares of its own; it is
    taken for a whole one, here as without a memory.)

    Use it where batches are small, for the memory they need or by choice, and the model has settled: vectors of m steps
    ago are near those of today once the learning rate is low, and in the first epochs they mislead. Where the whole
    catalogue can be encoded in each step, `full_softmax` is better. Source: Wang et al. 2020, "Cross-Batch Memory for
    Embedding Learning", https://arxiv.org/abs/1912.06798; for two-tower models Wang et al. 2021,
    https://arxiv.org/abs/2110.15154.

    `known` are taken out of the candidates of each row, where that is asked for.
    """

    def __init__(self, num_batches: int, known: KnownPositives | None = None) -> None:
        self._known = known
        self._kept: deque[_Kept] = deque(maxlen=num_batches)  # the newest first

    def join(self, batch: Batch, items: Tensor) -> tuple[Tensor, Positives]:
        """The vectors [U + V, D] of the batch's items [U, D] and of others that are remembered, and the batch's
        positives among them.
        """
        positives = batch.positives
        if not self._kept or positives.counts is None:
            return items, positives
        rows = torch.cat([batch.item_rows, *(kept.rows for kept in self._kept)])
        newest, counts = _newest(rows, torch.cat([positives.counts, *(kept.counts for kept in self._kept)]))
        num_own = len(batch.item_rows)
        older = newest[num_own:].nonzero().squeeze(1)  # [V] among those of the memory
        stay = torch.cat([torch.arange(num_own, device=rows.device), num_own + older])  # [U + V]
        vectors = torch.cat([kept.vectors for kept in self._kept]).index_select(0, older)
        log_q, masked = None, positives.masked
        if positives.log_q is not None:
            of_memory = [kept.log_q for kept in self._kept if kept.log_q is not None]
            log_q = torch.cat([positives.log_q, *of_memory]).index_select(0, stay)
        if self._known is not None:
            own = batch.item_rows.index_select(0, positives.column)
            masked = self._known.among(batch.user_rows, own, rows.index_select(0, stay))
        return torch.cat([items, vectors]), Positives(
            positives.column, counts.index_select(0, stay), positives.weights, log_q, masked, positives.shown
        )

    def add(self, batch: Batch, items: Tensor) -> None:
        """Remember a batch's candidates with their vectors [U, D]; the oldest batch is forgotten."""
        counts, log_q = batch.positives.counts, batch.positives.log_q
        if counts is None:
            return
        stand = counts > 0  # not what fills up a batch, or was shown only
        log_q = None if log_q is None else log_q[stand]
        self._kept.appendleft(_Kept(batch.item_rows[stand], counts[stand], items.detach()[stand], log_q))

    def state(self) -> dict[str, Tensor]:
        """All that is remembered, by name, for a checkpoint."""
        return {
            f"{age}.{name}": tensor
            for age, kept in enumerate(self._kept)
            for name, tensor in kept._asdict().items()
            if tensor is not None
        }

    def restore(self, state: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
        """Remember what `state` gave."""
        self._kept.clear()
        for age in range(len({name.partition(".")[0] for name in state})):
            rows, counts, vectors = (state[f"{age}.{name}"].to(device) for name in ("rows", "counts", "vectors"))
            log_q = state.get(f"{age}.log_q")
            self._kept.append(_Kept(rows, counts, vectors, None if log_q is None else log_q.to(device)))


class _Kept(NamedTuple):
    """The different candidates of one batch."""

    rows: Tensor  # [U] int64
    counts: Tensor  # [U] int64
    vectors: Tensor  # [U, D]
    log_q: Tensor | None  # [U]


def _newest(rows: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Of items [R] with the newest first: whether each is its item's first, and how often the item stands there in all
    [R], which is 0 where it is not.

    >>> _newest(torch.tensor([7, 5, 7, 3]), torch.tensor([1, 0, 2, 4]))
    (tensor([ True,  True, False,  True]), tensor([3, 0, 0, 4]))
    """
    unique, item = torch.unique(rows, return_inverse=True)
    places = torch.arange(len(rows), device=rows.device)
    first = torch.full_like(unique, len(rows)).scatter_reduce_(0, item, places, "amin")
    times = torch.zeros_like(unique).index_add_(0, item, counts)
    newest = first.index_select(0, item) == places
    return newest, torch.where(newest, times.index_select(0, item), 0)

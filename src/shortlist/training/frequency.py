"""How often items stand among the candidates, estimated from the stream of batches itself."""

import dataclasses

import torch
from torch import Tensor

from shortlist.training.batches import Batch

__all__ = ["StreamingFrequency"]

PRIME = (1 << 31) - 1  # rows of items are below it, so that products of two stay in int64


class StreamingFrequency:
    """An estimate of how often each item stands among a batch's candidates, in memory that does not grow.

    A place of an array holds the step at which an item was last seen there, and a moving average of the steps between
    one time and the next; one over that average is the estimate (Yi et al. 2019, algorithm 2,
    https://doi.org/10.1145/3298689.3346996). Where items share a place their times mix and the average is too short;
    with several `num_arrays`, each of which puts items together in another way, the longest of the averages is taken.
    In the first array items have a place of their own where there are `num_places` for all of them.

    Two things are added to the paper's algorithm. An item that stands n times in a batch has waited (t − a) / n steps n
    times since step a, so that a mean over all its waits is one over its mean count in a batch, above 1 too. And an
    average begins as the plain mean of the waits so far, until each weighs less than `rate`, so that the few waits of a
    rare item do not hang on the first of them. After that an estimate's relative error is about √(rate / 2) at random,
    and it follows a change within 1 / `rate` times that the item stands there.

    Use it for streams whose counts nobody knows or whose frequencies drift. Where the events are all at hand the exact
    counts (`Events.log_q`) are better: they have no error, and know the items' shares from the first step on.

    >>> frequency = StreamingFrequency(4)
    >>> for items in ([0, 1], [0], [0, 1], [0]):
    ...     frequency.update(torch.tensor(items), torch.ones(len(items), dtype=torch.int64))
    >>> frequency.per_batch(torch.tensor([0, 1, 3])).tolist()  # item 1 stood there in steps 1 and 3, 3 never
    [1.0, 0.6666666666666666, 0.0]
    """

    def __init__(
        self, num_places: int, *, num_arrays: int = 1, rate: float = 0.01, device: torch.device | str = "cpu"
    ) -> None:
        self._rate = rate
        shape = num_arrays * num_places
        self._last = torch.zeros(shape, dtype=torch.int64, device=device)
        self._wait = torch.zeros(shape, dtype=torch.float64, device=device)
        self._times = torch.zeros(shape, dtype=torch.int64, device=device)
        self._step = torch.zeros((), dtype=torch.int64, device=device)
        self._total = torch.zeros((), dtype=torch.int64, device=device)
        draws = torch.Generator().manual_seed(0)
        self._factor = torch.randint(1, PRIME, (num_arrays, 1), generator=draws).to(device)
        self._shift = torch.randint(PRIME, (num_arrays, 1), generator=draws).to(device)
        self._factor[0], self._shift[0] = 1, 0
        self._num_places = num_places
        self._arrays = torch.arange(num_arrays, device=device).unsqueeze(1) * num_places

    def update(self, items: Tensor, counts: Tensor) -> None:
        """A batch more: its items' rows [U] int64, and how many times each stands among its candidates [U] int64."""
        stand = counts > 0
        items, counts = items[stand], counts[stand]
        self._step += 1
        self._total += counts.sum()
        places, of_item = torch.unique(self._places(items), return_inverse=True)  # [A, U]
        n = torch.zeros_like(places).index_add_(0, of_item.flatten(), counts.expand_as(of_item).flatten())
        times = self._times[places] + n
        wait = (self._step - self._last[places]).double() / n
        share = torch.maximum(1 - (1 - self._rate) ** n.double(), n / times)
        self._wait[places] += share * (wait - self._wait[places])
        self._times[places] = times
        self._last[places] = self._step

    def per_batch(self, items: Tensor) -> Tensor:
        """How many times each of these items [U] is expected among a batch's candidates [U] float64; 0 where it never
        was.
        """
        waits = self._wait[self._places(items)]  # [A, U]
        never = (waits == 0).any(dim=0)
        return torch.where(never, 0, 1 / waits.amax(dim=0))

    def log_q(self, items: Tensor) -> Tensor:
        """The log of each item's expected share of a batch's candidates [U] float32, -inf where it never was one."""
        return (self.per_batch(items) * self._step / self._total).log().float()

    def correct(self, batch: Batch) -> Batch:
        """Learn from a batch; it comes back with the log-q of its items."""
        counts = batch.positives.counts
        self.update(batch.item_rows, torch.ones_like(batch.item_rows) if counts is None else counts)
        log_q = self.log_q(batch.item_rows)
        return dataclasses.replace(batch, positives=dataclasses.replace(batch.positives, log_q=log_q))

    def state(self) -> dict[str, Tensor]:
        """All that was learnt, by name, for a checkpoint."""
        return {"last": self._last, "wait": self._wait, "times": self._times, "step": self._step, "total": self._total}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Know what `state` gave."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    def _places(self, items: Tensor) -> Tensor:
        """Where each item stands in each array [A, U], counted over all of them (Carter and Wegman's hashing)."""
        return (items * self._factor + self._shift) % PRIME % self._num_places + self._arrays

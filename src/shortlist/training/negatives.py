"""Where negatives come from besides the batch, and which candidates are none."""

import torch
from torch import Tensor

from shortlist.data.seen import Seen
from shortlist.data.shown import Shown
from shortlist.losses import Pairs
from shortlist.models.inputs import list_places
from shortlist.settings.training import SampledNegatives

__all__ = ["KnownPositives", "NegativeSampler", "ShownItems"]

# Word2vec's power, between drawing all items alike and drawing them as often as they are touched.
POPULARITY_POWER = 0.75


class NegativeSampler:
    """Draws a batch's negatives: some with equal chances, some by popularity.

    `counts` [N] say how often training touched each item; `candidates` [C] are the rows that may be drawn with equal
    chances, ascending: the whole catalogue where they are left out.
    """

    def __init__(self, counts: Tensor, settings: SampledNegatives, candidates: Tensor | None = None) -> None:
        self._candidates = torch.arange(len(counts), device=counts.device) if candidates is None else candidates
        self._uniform = settings.uniform_negatives
        self._popular = settings.popular_negatives
        self._counts = counts.double()
        self._cumulated = self._counts.pow(POPULARITY_POWER).cumsum(0)

    @property
    def size(self) -> int:
        """How many are drawn for each batch."""
        return self._uniform + self._popular

    def draw(self, num_batches: int, generator: torch.Generator) -> Tensor:
        """Item rows [num_batches, size] int64, with replacement; the generator is the processor's."""
        places = torch.randint(len(self._candidates), (num_batches, self._uniform), generator=generator)
        chance = torch.rand((num_batches, self._popular), generator=generator, dtype=torch.float64)
        device = self._cumulated.device
        popular = torch.searchsorted(self._cumulated, chance.to(device) * self._cumulated[-1], right=True)
        uniform = self._candidates[places.to(device)]
        return torch.cat([uniform, popular.clamp(max=len(self._counts) - 1)], dim=1)

    def log_q(self, batch_size: int) -> Tensor:
        """The log of each item's share among the candidates of a batch [N] float32, as it is expected.

        A batch of B events and M draws holds item j in the mean B·p_j + M_uniform / C + M_popular·π_j times, p_j being
        its share of the events, C how many may be drawn evenly, the second term 0 for others, and π_j its chance in a
        draw by popularity; the share is that over B + M. It is -inf for an item that can stand in no batch.
        """
        evenly = torch.zeros_like(self._counts)
        evenly[self._candidates] = 1 / len(self._candidates)
        by_popularity = self._cumulated.diff(prepend=self._cumulated.new_zeros(1)) / self._cumulated[-1]
        expected = (
            batch_size * self._counts / self._counts.sum() + self._uniform * evenly + self._popular * by_popularity
        )
        return (expected / (batch_size + self.size)).log().float()


class KnownPositives:
    """What each user touched in training, on the device: for other events of the user these are no negatives."""

    def __init__(self, seen: Seen, num_items: int, device: torch.device | str = "cpu") -> None:
        self._offsets = torch.from_numpy(seen.offsets).to(device)
        self._items = torch.from_numpy(seen.item_rows).to(device)
        self._column_of = torch.full((num_items,), -1, device=device)

    def among(self, users: Tensor, own_items: Tensor, candidates: Tensor) -> Pairs:
        """The pairs of a row and a column to leave out, for rows [P] of these users.

        `candidates` [U] are the item rows of the columns; a row's own item stays.
        """
        starts = self._offsets.index_select(0, users)
        row, places = list_places(starts, self._offsets.index_select(0, users + 1) - starts)
        items = self._items.index_select(0, places)
        kept = items != own_items.index_select(0, row)
        self._column_of[candidates] = torch.arange(len(candidates), device=row.device)
        self._column_of[candidates[:1]] = 0  # a batch of fixed shape is filled up with its first item
        column = self._column_of.index_select(0, items)
        self._column_of[candidates] = -1
        kept &= column >= 0
        return Pairs(row[kept], column[kept])


class ShownItems:
    """What was shown with each event and not touched, on the device: negatives of that event alone."""

    def __init__(self, shown: Shown, device: torch.device | str = "cpu") -> None:
        self._offsets = torch.from_numpy(shown.offsets).to(device)
        self._items = torch.from_numpy(shown.item_rows).to(device)

    @property
    def numbers_per_row(self) -> float:
        """How many items an event has, in the mean."""
        return len(self._items) / max(len(self._offsets) - 1, 1)

    def take(self, rows: Tensor) -> Pairs:
        """The pairs of one of these events [R], by its place among them, and an item's row in the catalogue."""
        starts = self._offsets.index_select(0, rows)
        event, places = list_places(starts, self._offsets.index_select(0, rows + 1) - starts)
        return Pairs(event, self._items.index_select(0, places))

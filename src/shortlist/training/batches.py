"""Encoded tables on the device, and batches gathered from them by row: there is no loader."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from shortlist.data import Dataset
from shortlist.data.events import EventTable
from shortlist.data.histories import Histories, touched_before
from shortlist.data.recency import weights_by_recency
from shortlist.errors import DataError
from shortlist.features import EncodedStore, Features, FittedFeature, FittedHistory
from shortlist.features.lists import FIRST_ROW
from shortlist.losses import Pairs, Positives
from shortlist.models.inputs import Bag, Columns, Gathered, SharedHistory, TowerInput, split_inputs
from shortlist.settings.training import SampledNegatives
from shortlist.training.histories import HistoryInputs
from shortlist.training.negatives import KnownPositives, NegativeSampler, ShownItems

__all__ = ["Batch", "Events", "Tables", "unique_in_batches"]

# How many numbers are gathered together, for as many batches as need them: 8 MB, and more for a single batch alone.
GATHERED_NUMBERS = 1 << 20
# The number of unique items of a batch of fixed shape is a multiple of this.
WIDTH_STEP = 256


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one step needs: B queries, their positives, and the U items that they are scored against.

    `query_inputs` and `item_inputs` go into the towers; `positives` matches each query's own item with its
    column among these; `user_rows` [B] says who asks and `item_rows` [U] which items stand there. `accidental_hits` is
    how many times all queries together find their own item among the candidates once more.
    """

    query_inputs: Mapping[str, TowerInput]
    item_inputs: Mapping[str, Gathered]
    positives: Positives
    user_rows: Tensor
    item_rows: Tensor
    accidental_hits: int = 0


class Tables:
    """The users and the items of a dataset, encoded once and kept on the device.

    With `fixed_shapes`, as a GPU wants it, the shapes of a batch do not hang on what stands in it. Columns of a million
    rows and more are kept in the `store`, and found there again.
    """

    def __init__(
        self,
        features: Features,
        data: Dataset,
        device: torch.device | str = "cpu",
        *,
        fixed_shapes: bool | None = None,
        store: EncodedStore | None = None,
    ) -> None:
        self.features = features
        self.device = torch.device(device)
        self.fixed_shapes = self.device.type != "cpu" if fixed_shapes is None else fixed_shapes
        self.num_items = data.num_items
        self.item_ids = data.items[data.roles.item_id]
        self._store = EncodedStore() if store is None else store
        self.users = self.encode(features.user, data.users)
        self.items = self.encode(features.item, data.items)

    def encode(self, features: Sequence[FittedFeature], table: pl.DataFrame | EventTable) -> Columns:
        """Encoded columns on the device, in the form that these tables have."""
        return Columns(self._store.encode(features, table), self.device, padded=self.fixed_shapes)

    @functools.cached_property
    def item_rows(self) -> Tensor:
        """Every row of the items [N]."""
        return torch.arange(self.num_items, device=self.device)

    @functools.cached_property
    def item_inputs(self) -> dict[str, Gathered]:
        """The item tower's inputs for the whole catalogue."""
        return self.items.take(self.item_rows)


class Events:
    """The events of one part of a split over shared tables, encoded once.

    A batch scores its queries against its own unique items, or against the same `candidates` as every other: rows of
    items [C], ascending, among which all own items must be. `table` are the events as event features read them
    (`event_table`), where these read more than the events' own columns.

    `histories` are what history features read: what users had touched before these events; None where no feature does.
    With `own_histories` they are made of these very events, so that a query's history leaves out the item that it asks
    for, wherever it stands there. With `in_time` too it ends before the moment of the event instead, and the item stays
    in it where it was touched before, as it will when the model is used.

    `negatives` are drawn for each batch besides its own items; what was `shown` with an event is a candidate of that
    event alone. `known` says what users touched, which is taken out of their rows' candidates with `remove_known`.
    Events weigh half as much for every `half_life` seconds before the latest one.
    """

    def __init__(
        self,
        tables: Tables,
        data: Dataset,
        *,
        candidates: Tensor | None = None,
        histories: Histories | None = None,
        own_histories: bool = False,
        in_time: bool = False,
        negatives: NegativeSampler | None = None,
        shown: ShownItems | None = None,
        known: KnownPositives | None = None,
        remove_known: bool = True,
        half_life: float | None = None,
        table: EventTable | None = None,
    ) -> None:
        self.tables = tables
        self.candidates = candidates
        self.negatives = negatives
        self.shown = shown
        self.known = known
        self.remove_known = remove_known
        self.columns = tables.encode(tables.features.event, data.events if table is None else table)
        self.histories: HistoryInputs | None = None
        self._own_histories = own_histories
        self._before: dict[str, Tensor] | None = None
        if tables.features.history:
            if histories is None:
                raise ValueError("The features read histories, so that events need them.")
            self.histories = HistoryInputs(
                tables.features.history, histories, tables.item_ids, tables.device, padded=tables.fixed_shapes
            )
            if own_histories and in_time:
                self._before = {
                    feature.name: torch.from_numpy(_touched_before(data, feature)).to(tables.device)
                    for feature in tables.features.history
                }
        self.user_rows = torch.from_numpy(data.user_rows).to(tables.device)
        self.item_rows = torch.from_numpy(data.item_rows).to(tables.device)
        weights = data.weights if half_life is None else weights_by_recency(data, half_life)
        self.weights = None if weights is None else torch.from_numpy(weights).to(tables.device)

    def __len__(self) -> int:
        return len(self.user_rows)

    def query_inputs(self, rows: Tensor) -> Mapping[str, TowerInput]:
        """The query tower's inputs for these events [B]."""
        users, items = self.user_rows.index_select(0, rows), self.item_rows.index_select(0, rows)
        return self._with_shared_items(self._inputs_of(users, items, rows))

    def _inputs_of(self, users: Tensor, items: Tensor, rows: Tensor) -> dict[str, Gathered]:
        inputs = {**self.tables.users.take(users), **self.columns.take(rows)}
        if self.histories is None:
            return inputs
        if self._before is None:
            return inputs | self.histories.take(users, held_out=items if self._own_histories else None)
        before = {name: counts.index_select(0, rows) for name, counts in self._before.items()}
        return inputs | self.histories.take(users, before=before)

    def _with_shared_items(self, inputs: Mapping[str, Gathered]) -> Mapping[str, TowerInput]:
        """The same, where a history is shared with the items that it points into: those of this batch, or all items."""
        shared = [feature.name for feature in self.tables.features.history if feature.choice.shared]
        return {**inputs, **{name: self._shared(inputs[name]) for name in shared}}

    def _shared(self, lists: Gathered) -> SharedHistory:
        if not isinstance(lists, Bag):  # padded, where nothing may hang on what stands in a batch
            return SharedHistory(lists, self.tables.item_inputs)
        items, place = torch.unique(lists.rows - FIRST_ROW, return_inverse=True)
        return SharedHistory(lists._replace(rows=place + FIRST_ROW), self.tables.items.take(items))

    @property
    def item_counts(self) -> Tensor:
        """How many of these events name each item [N]."""
        return torch.bincount(self.item_rows, minlength=self.tables.num_items)

    def log_q(self, batch_size: int) -> Tensor:
        """The log of each item's expected share of a batch's candidates [N] float32, -inf for one that none can hold.

        An in-batch negative is drawn as often as its item stands in the events, so this is its sampling probability,
        exactly and without an estimate; the size of the batch matters only beside negatives that are drawn. Weights
        change a row's loss, not how often it is drawn.
        """
        negatives = self.negatives or NegativeSampler(self.item_counts, SampledNegatives())
        return negatives.log_q(min(batch_size, len(self)))

    def epoch(
        self, batch_size: int, generator: torch.Generator, log_q: Tensor | None, *, skip: int = 0
    ) -> Iterator[Batch]:
        """All events once, in a new order drawn from the generator; the last batch may be smaller.

        `skip` leaves out that many batches, which were taken before an interruption.
        """
        order = torch.randperm(len(self), generator=generator).to(self.tables.device)
        draws = torch.Generator()
        seed = int(torch.randint(1 << 62, (1,), generator=generator)) if self.negatives is not None else 0
        together = self._gathered_together(batch_size)
        for first in range(skip // together * together, self.num_batches(batch_size), together):
            draws.manual_seed(seed + first)  # so that batches after those skipped are the same
            rows = order[first * batch_size : (first + together) * batch_size]
            batches = self.batches(rows, batch_size, log_q, draws)
            yield from itertools.islice(batches, max(skip - first, 0), None)

    def batches(
        self, rows: Tensor, batch_size: int, log_q: Tensor | None, draws: torch.Generator | None = None
    ) -> Iterator[Batch]:
        """The batches of these events [R], one after another; negatives are drawn from the generator `draws`.

        What they need is found and gathered for all of them at once: many small steps cost more than a large one, and a
        GPU is waited for a few times in all.
        """
        users, own = self.user_rows.index_select(0, rows), self.item_rows.index_select(0, rows)
        shown = None if self.shown is None else self.shown.take(rows)
        if self.candidates is None:
            items = self._items_of_batches(own, batch_size, draws or torch.Generator(), shown)
        else:
            items = self._same_items(self.candidates, own, batch_size, shown)
        owns = torch.split(own, batch_size)
        weights = None if self.weights is None else torch.split(self.weights.index_select(0, rows), batch_size)
        queries = split_inputs(self._inputs_of(users, own, rows), batch_size)
        for place, of_users in enumerate(torch.split(users, batch_size)):
            masked = None
            if self.known is not None and self.remove_known:
                masked = self.known.among(of_users, owns[place], items.rows[place])
            positives = Positives(
                column=items.column[place],
                counts=None if items.counts is None else items.counts[place],
                weights=None if weights is None else weights[place],
                log_q=None if log_q is None else log_q.index_select(0, items.rows[place]),
                masked=masked,
                shown=None if items.shown is None else _without(items.shown[place], masked, len(items.rows[place])),
            )
            inputs = self._with_shared_items(queries[place])
            rows_of_items, hits = items.rows[place], items.accidental_hits[place]
            yield Batch(inputs, items.inputs[place], positives, of_users, rows_of_items, hits)

    def batch(self, rows: Tensor, log_q: Tensor | None) -> Batch:
        """The one batch of these events [B]."""
        return next(self.batches(rows, len(rows), log_q))

    def _same_items(self, candidates: Tensor, own: Tensor, batch_size: int, shown: Pairs | None) -> "_Items":
        columns = torch.split(torch.searchsorted(candidates, own), batch_size)
        if shown is not None:
            shown = Pairs(shown.row, torch.searchsorted(candidates, shown.column))
        rows, inputs = [candidates] * len(columns), [self._candidate_inputs] * len(columns)
        return _Items(rows, inputs, columns, None, _split_pairs(shown, batch_size, len(columns)), [0] * len(columns))

    @functools.cached_property
    def _candidate_inputs(self) -> Mapping[str, Gathered]:
        """The item tower's inputs for the candidates that all batches have."""
        return {} if self.candidates is None else self.tables.items.take(self.candidates)

    def _items_of_batches(self, own: Tensor, batch_size: int, draws: torch.Generator, shown: Pairs | None) -> "_Items":
        values, batch = [own], [torch.arange(len(own), device=own.device) // batch_size]
        if self.negatives is not None and len(own):
            drawn = self.negatives.draw(math.ceil(len(own) / batch_size), draws)  # [batches, M]
            values.append(drawn.flatten())
            batch.append(torch.arange(len(drawn), device=own.device).repeat_interleave(drawn.shape[1]))
        if shown is not None:
            values.append(shown.column)
            batch.append(shown.row // batch_size)
        rows, column, counts, sizes = unique_in_batches(
            torch.cat(values),
            torch.cat(batch),
            self.tables.num_items,
            width_step=WIDTH_STEP if self.tables.fixed_shapes else None,
            num_uncounted=0 if shown is None else len(shown.column),
        )
        columns = torch.split(column[: len(own)], batch_size)
        if shown is not None:
            shown = Pairs(shown.row, column[len(column) - len(shown.column) :])
        return _Items(
            torch.split(rows, sizes),
            split_inputs(self.tables.items.take(rows), sizes),
            columns,
            torch.split(counts, sizes),
            _split_pairs(shown, batch_size, len(columns)),
            _accidental_hits(counts, column[: len(own)], batch[0], sizes),
        )

    def _gathered_together(self, batch_size: int) -> int:
        """For how many batches to gather at once; the longer the lists, the fewer."""
        of_shown = 0.0 if self.shown is None else self.shown.numbers_per_row
        items = batch_size * (1 + of_shown) + (0 if self.negatives is None else self.negatives.size)
        items = max(items, WIDTH_STEP) if self.tables.fixed_shapes else items
        of_histories = 0.0 if self.histories is None else self.histories.numbers_per_row
        of_queries = batch_size * (self.columns.numbers_per_row + self.tables.users.numbers_per_row + of_histories)
        return max(int(GATHERED_NUMBERS / (of_queries + items * self.tables.items.numbers_per_row)), 1)

    def num_batches(self, batch_size: int) -> int:
        return int(np.ceil(len(self) / batch_size))


class _Items(NamedTuple):
    """The items of each of several batches, and each event's own among them."""

    rows: Sequence[Tensor]  # [U] each
    inputs: Sequence[Mapping[str, Gathered]]
    column: Sequence[Tensor]  # [B] each
    counts: Sequence[Tensor] | None  # [U] each
    shown: Sequence[Pairs] | None
    accidental_hits: Sequence[int]


def _touched_before(data: Dataset, feature: FittedHistory) -> npt.NDArray[np.int64]:
    """How much of its user's history each event may read; `DataError` where the feature's gap leaves nothing to any."""
    gap = feature.choice.gap
    counts = touched_before(data, gap)
    if gap and len(counts) and not counts.any():
        raise DataError(
            f"The history's gap of {gap:g} leaves no training event anything to read, so that the model would see its "
            "first histories at the test. Choose a smaller one; it counts seconds, or the column's own unit where "
            "times are numbers without a time_unit."
        )
    return counts


def _accidental_hits(counts: Tensor, column: Tensor, batch: Tensor, sizes: Sequence[int]) -> list[int]:
    """How many more times than once the own items of each batch's events stand there in all.

    `counts` are those of the batches' items, so many in each as `sizes` says; `column` [R] is each event's own item
    among those of its `batch` [R].
    """
    first = torch.tensor([0, *itertools.accumulate(sizes)], device=batch.device)  # where each batch's items begin
    more = counts.index_select(0, column + first.index_select(0, batch)) - 1
    return torch.bincount(batch, more.double()).long().tolist()


def _split_pairs(pairs: Pairs | None, batch_size: int, num_batches: int) -> list[Pairs] | None:
    """Pairs whose rows go on from batch to batch, for each batch those of its own rows."""
    if pairs is None:
        return None
    sizes = torch.bincount(pairs.row // batch_size, minlength=num_batches).tolist()
    rows, columns = torch.split(pairs.row % batch_size, sizes), torch.split(pairs.column, sizes)
    return [Pairs(*of_batch) for of_batch in zip(rows, columns, strict=True)]


def _without(pairs: Pairs, masked: Pairs | None, num_columns: int) -> Pairs:
    """The pairs that are not masked."""
    if masked is None:
        return pairs
    stay = ~torch.isin(pairs.row * num_columns + pairs.column, masked.row * num_columns + masked.column)
    return Pairs(pairs.row[stay], pairs.column[stay])


def unique_in_batches(
    values: Tensor, batch: Tensor, num_values: int, *, width_step: int | None = None, num_uncounted: int = 0
) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """The different values of each batch: `values` [R] lie in [0, num_values), `batch` [R] is where each belongs.

    Given are the different values, batch after batch and ascending in each; which of its batch's each value is [R]; how
    often each different one stands in its batch; and how many different ones each batch has. The last `num_uncounted`
    values are among them, but count 0 times.

    With `width_step` every batch has the most that any has, rounded up to a multiple of the step so that it seldom
    changes from one call to the next; what a batch lacks is filled up with its lowest value, standing there 0 times.

    >>> unique_in_batches(torch.tensor([7, 5, 7, 3, 3]), torch.tensor([0, 0, 0, 1, 1]), num_values=10)
    (tensor([5, 7, 3]), tensor([1, 0, 1, 0, 0]), tensor([1, 2, 2]), [2, 1])
    """
    keys, place, counts = torch.unique(batch * num_values + values, return_inverse=True, return_counts=True)
    if num_uncounted:
        counts = torch.bincount(place[: len(place) - num_uncounted], minlength=len(keys))
    unique, batch_of_unique = keys % num_values, keys // num_values
    sizes = torch.bincount(batch_of_unique)
    first = sizes.cumsum(0) - sizes  # where each batch's different values begin
    column = place - first.index_select(0, batch)
    if width_step is None:
        return unique, column, counts, sizes.tolist()
    width = math.ceil(int(sizes.max()) / width_step) * width_step
    number = torch.arange(len(unique), device=values.device) - first.index_select(0, batch_of_unique)
    where = batch_of_unique * width + number
    filled = unique.index_select(0, first).repeat_interleave(width).scatter_(0, where, unique)
    return filled, column, torch.zeros_like(filled).scatter_(0, where, counts), [width] * len(sizes)

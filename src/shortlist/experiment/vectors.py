"""The vectors that a model in PyTorch gives, in the form that evaluation takes."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shortlist.data import Dataset, Split
from shortlist.data.seen import Seen
from shortlist.data.shown import Shown
from shortlist.features import event_table
from shortlist.features.lists import FIRST_ROW
from shortlist.models import TwoTower
from shortlist.settings import AnyLoss, SampledNegatives
from shortlist.training import Events, KnownPositives, NegativeSampler, ShownItems, Tables

__all__ = ["events_of", "item_vectors", "query_encoder", "shared_vectors"]

Rows = npt.NDArray[np.int64]

ENCODE_ROWS = 8_192


def events_of(
    split: Split, part: Dataset, tables: Tables, loss: AnyLoss | None = None, *, half_life: float | None = None
) -> Events:
    """The events of a part of the split, or of some of its rows, with the histories that they may look at.

    With a loss they are to be trained on, and have the candidates that it wants beside each batch's own; `half_life` is
    that of `Training`.
    """
    candidates = negatives = known = shown = None
    if loss is not None:
        known = KnownPositives(Seen.of(part), part.num_items, tables.device)
        counts = np.bincount(part.item_rows, minlength=part.num_items)
        offered = counts > 0
        if part.roles.shown is not None and loss.shown_weight:
            of_events = Shown.of(part)
            shown = ShownItems(of_events, tables.device)
            offered[of_events.item_rows] = True
        candidates = torch.from_numpy(np.flatnonzero(offered | loss.untouched_negatives)).to(tables.device)
        if isinstance(loss, SampledNegatives):
            if loss.uniform_negatives + loss.popular_negatives:
                negatives = NegativeSampler(torch.from_numpy(counts).to(tables.device), loss, candidates)
            candidates = None  # each batch has its own
    training = part is split.train
    histories, own = None, training
    if tables.features.history:
        histories = split.histories_before(part)
        own = training or any(part.events.shares_rows_with(before.events) for before in split.parts_before(part))
    return Events(
        tables,
        part,
        candidates=candidates,
        histories=histories,
        own_histories=own,
        in_time=split.in_time and training,
        negatives=negatives,
        shown=shown,
        known=known,
        remove_known=loss is not None and loss.remove_known_positives,
        half_life=half_life,
        table=event_table(tables.features.event, part, split),
    )


def query_encoder(model: TwoTower, events: Events, event_rows: Rows) -> Callable[[Rows], Tensor]:
    """Gives the query vectors [Q, H, D] of the targets at these places [Q], whose events stand in `event_rows` [E]."""

    @torch.inference_mode()
    def encode(targets: Rows) -> Tensor:
        return model.encode_queries(events.query_inputs(torch.from_numpy(event_rows[targets]).to(events.tables.device)))

    return encode


@torch.inference_mode()
def item_vectors(model: TwoTower, tables: Tables) -> Tensor:
    """The vectors of the whole catalogue [N, D], encoded in blocks of rows."""
    model.eval()
    blocks = torch.split(tables.item_rows, ENCODE_ROWS)
    return torch.cat([model.encode_items(tables.items.take(rows)) for rows in blocks])


@torch.inference_mode()
def shared_vectors(model: TwoTower, tables: Tables) -> Tensor | None:
    """What the item tower's embeddings say of each item that the model's shared history knows [num_rows, width].

    The rows are those of the feature, as a saved tower reads it; None where no history is shared.
    """
    model.eval()
    for feature in model.features.history:
        if feature.choice.shared:
            vectors = torch.zeros(feature.num_rows, feature.width, device=tables.device)
            rows = torch.from_numpy(feature.rows_of(tables.item_ids)).to(tables.device).long()
            for block in torch.split(tables.item_rows, ENCODE_ROWS):
                vectors[rows[block]] = model.item.embed(tables.items.take(block))
            vectors[:FIRST_ROW] = 0  # no item, and items that it does not know
            return vectors
    return None

"""The vectors that a model in PyTorch gives, in the form that evaluation takes."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from shortlist.models import TwoTower
from shortlist.training import Events, Tables

__all__ = ["item_vectors", "query_encoder"]

Rows = npt.NDArray[np.int64]

ENCODE_ROWS = 8_192


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

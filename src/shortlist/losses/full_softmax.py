"""Softmax cross entropy over the whole catalogue: every item is a negative of every event."""

import torch
from torch import Tensor

from shortlist.losses.positives import Positives, Reduction
from shortlist.losses.tiled_softmax import tiled_softmax
from shortlist.losses.tiles import Candidates

__all__ = ["full_softmax"]


def full_softmax(
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    *,
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    label_smoothing: float = 0.0,
    hard_negatives: int | None = None,
    shown_weight: float = 1.0,
) -> Tensor:
    """Cross entropy of each positive's item among all items of the catalogue; a scalar.

    `queries` [P, D] are the positives' query vectors, `items` [N, D] the vectors of the catalogue, of which
    `positives.column` are rows. With scores s = q·v / temperature the loss of a row with own item i is
    log Σ_n exp(s_n) − s_i: what the sampled losses estimate, without sampling, so that nothing needs a correction;
    `positives.counts` and `log_q` are not looked at; `masked` items are no negatives of their rows. "mean" divides by
    the sum of the weights. `label_smoothing` is that of `tiled_softmax`. With `hard_negatives` the sum goes over the
    own item and so many others, the highest of the whole catalogue. What was shown with an event and not touched
    (`positives.shown`) is a candidate anyway: it counts 1 + `shown_weight` times in its row.

    Memory and precision are those of `tiled_softmax`. A step encodes the catalogue too, forward and back.

    Use it where the catalogue is small enough to be encoded in every step: tens of thousands of items.

    >>> import torch
    >>> positives = Positives(column=torch.tensor([0]))
    >>> round(full_softmax(torch.ones(1, 1), torch.tensor([[1.0], [1.0], [1.0]]), positives).item(), 4)  # log 3
    1.0986
    """
    weights = positives.row_weights(queries, reduction)
    candidates = Candidates(
        masked=positives.masked,
        shown=positives.shown,
        shown_bias=torch.tensor(shown_weight, dtype=weights.dtype).log(),
        hardest=hard_negatives,
    )
    return tiled_softmax(
        queries,
        items,
        positives.column,
        weights,
        candidates,
        temperature=temperature,
        label_smoothing=label_smoothing,
    )

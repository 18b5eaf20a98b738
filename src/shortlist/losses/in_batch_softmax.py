"""Softmax cross entropy over the items of the batch, with every item computed once however often it stands there."""

import torch
from torch import Tensor

from shortlist.losses.positives import Positives, Reduction
from shortlist.losses.tiled_softmax import tiled_softmax

__all__ = ["in_batch_softmax"]


def in_batch_softmax(
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    *,
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    remove_accidental_hits: bool = False,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy of each positive's item among all positives' items of the batch; a scalar.

    `queries` [P, D] are the positives' query vectors, `items` [U, D] the vectors of the batch's unique items, and of
    the negatives that were drawn besides. With scores s = q·v / temperature and n_u times that item u stands among the
    candidates, the loss of a row with own item i is

        log Σ_u n_u exp(s_u − log q_u) − (s_i − log q_i)

    which equals the softmax over all P columns, repeats included (tensorflow_recommenders.tasks.Retrieval), at
    the cost of the unique ones. `log_q` (Yi et al. 2019, https://doi.org/10.1145/3298689.3346996) takes out the
    advantage that popular items have as negatives of everyone. `remove_accidental_hits` counts a row's own item
    once: other rows' events with the same item are no negatives; `positives.masked` takes away other candidates of a
    row. "mean" divides by the sum of the weights, so that the learning rate need not change with the batch or the
    weights' scale; "sum" does not divide. `label_smoothing` is that of `tiled_softmax`, over the different items.

    Memory and precision are those of `tiled_softmax`.

    Use it when every event is a positive. The gradient reaches queries and items, not weights or counts.

    >>> queries, items = torch.eye(2), torch.eye(2)
    >>> positives = Positives(column=torch.tensor([0, 1]), counts=torch.ones(2))
    >>> round(in_batch_softmax(queries, items, positives).item(), 4)  # log(e + 1) − 1
    0.3133
    """
    weights = positives.row_weights(queries, reduction)
    if positives.counts is None:
        column_bias = own_bias = None
    else:
        column_bias = positives.counts.to(weights.dtype).log()  # [U]
        own_bias = -column_bias[positives.column]  # [P]: takes a positive's own item back to a count of one
    if positives.log_q is not None:
        log_q = positives.log_q.to(weights.dtype)
        column_bias = -log_q if column_bias is None else column_bias - log_q
    loss = tiled_softmax(
        queries,
        items,
        positives.column,
        weights,
        column_bias=column_bias,
        own_bias=own_bias if remove_accidental_hits else None,
        masked=positives.masked,
        temperature=temperature,
        label_smoothing=label_smoothing,
    )
    if own_bias is None or remove_accidental_hits:
        return loss
    return loss - (1 - label_smoothing) * torch.dot(
        weights, own_bias
    )  # the own item counts n times among the candidates, once above

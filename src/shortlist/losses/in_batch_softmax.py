"""Softmax cross entropy over the items of the batch, with every item computed once however often it stands there."""

import torch
from torch import Tensor

from shortlist.losses.positives import Positives, Reduction
from shortlist.losses.tiled_softmax import tiled_softmax
from shortlist.losses.tiles import Candidates

__all__ = ["in_batch_softmax"]


def in_batch_softmax(
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    *,
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    log_q_strength: float = 1.0,
    remove_accidental_hits: bool = False,
    label_smoothing: float = 0.0,
    hard_negatives: int | None = None,
    shown_weight: float = 1.0,
) -> Tensor:
    """Cross entropy of each positive's item among all positives' items of the batch; a scalar.

    `queries` [P, D] are the positives' query vectors, `items` [U, D] the vectors of the batch's unique items, and of
    the negatives that were drawn besides. With scores s = q·v / temperature and n_u times that item u stands among the
    candidates, the loss of a row with own item i is

        log Σ_u n_u exp(s_u − a log q_u) − (s_i − a log q_i)

    which equals the softmax over all P columns, repeats included (tensorflow_recommenders.tasks.Retrieval), at the cost
    of the unique ones, a being the `log_q_strength`. `log_q` (Yi et al. 2019, https://doi.org/10.1145/3298689.3346996)
    takes out the advantage that popular items have as negatives of everyone: with a = 1 the model learns to rank as
    often as items are chosen, with less it is kept from recommending what is popular anyway. `remove_accidental_hits`
    counts a row's own item once: other rows' events with the same item are no negatives; `positives.masked` takes away
    other candidates of a row. "mean" divides by the sum of the weights, so that the learning rate need not change with
    the batch or the weights' scale; "sum" does not divide. `label_smoothing` is that of `tiled_softmax`, over the
    different items.

    With `hard_negatives` only that many of a row's other items stay, those with the largest terms n_u exp(s_u − log
    q_u) of the sum: mining sees scores after temperature, log-q and accidental hits, as TensorFlow Recommenders orders
    it, and an item that stands there several times takes one place with all its copies. The sum is then no estimate of
    the one over the catalogue, so that log-q decides which candidates are hard rather than correct for how they were
    drawn. The copies of a row's own item stay with it, unless they are removed.

    What was shown with an event and not touched (`positives.shown`) is no sample, and its scores are not corrected: it
    adds `shown_weight` · exp(s_j) to its row's sum, beside what j adds where it was drawn too. With `log_q` the terms
    n_u / q_u of the M = Σ_u n_u candidates estimate M times the sum over the catalogue, so that shown items are taken M
    times as well: the whole then estimates M · (Σ_catalogue exp(s) + `shown_weight` · Σ_shown exp(s)), and a shown
    item counts as much beside others as it does in `full_softmax`.

    Memory and precision are those of `tiled_softmax`.

    Use it when every event is a positive. The gradient reaches queries and items, not weights or counts.

    >>> queries, items = torch.eye(2), torch.eye(2)
    >>> positives = Positives(column=torch.tensor([0, 1]), counts=torch.ones(2))
    >>> round(in_batch_softmax(queries, items, positives).item(), 4)  # log(e + 1) − 1
    0.3133
    """
    shown_items = items
    items, positives = positives.counted(items)
    weights = positives.row_weights(queries, reduction)
    column_bias = own_bias = None
    if positives.counts is not None:
        column_bias = positives.counts.to(weights.dtype).log()  # [U]
        own_bias = -column_bias[positives.column]  # [P]: takes a positive's own item back to a count of one
    if positives.log_q is not None:
        log_q = log_q_strength * positives.log_q.to(weights.dtype)
        if column_bias is None:
            column_bias = -log_q
        else:  # what stands there no times stays -inf, where no batch can hold it and its log-q is -inf too
            column_bias = torch.where(column_bias == -torch.inf, column_bias, column_bias - log_q)
    loss = tiled_softmax(
        queries,
        items,
        positives.column,
        weights,
        Candidates(
            column_bias,
            own_bias if remove_accidental_hits else None,
            positives.masked,
            positives.shown,
            _shown_bias(positives, shown_weight, log_q_strength, weights),
            hard_negatives,
        ),
        shown_items=shown_items,
        temperature=temperature,
        label_smoothing=label_smoothing,
    )
    if own_bias is None or remove_accidental_hits:
        return loss
    return loss - (1 - label_smoothing) * torch.dot(
        weights, own_bias
    )  # the own item counts n times among the candidates, once above


def _shown_bias(positives: Positives, shown_weight: float, strength: float, weights: Tensor) -> Tensor | float:
    """The log of how many times a shown item counts among the candidates: M ** strength times more under log-q."""
    if positives.shown is None:
        return 0.0
    bias = torch.tensor(shown_weight, dtype=weights.dtype, device=weights.device).log()
    if positives.log_q is None:
        return bias
    counts = torch.ones_like(positives.log_q) if positives.counts is None else positives.counts
    return bias + strength * counts.sum().to(weights.dtype).log()

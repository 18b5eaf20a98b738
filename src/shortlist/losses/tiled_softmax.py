"""The softmax cross entropy of rows against columns, which the softmax losses share."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from shortlist.losses.tiles import Candidates, tiled_loss

__all__ = ["tiled_softmax"]


def tiled_softmax(
    queries: Tensor,
    items: Tensor,
    column: Tensor,
    weights: Tensor,
    candidates: Candidates | None = None,
    *,
    shown_items: Tensor | None = None,
    temperature: float = 1.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The sum of the rows' weighted softmax cross entropies against their own columns; a scalar of the weights' dtype.

    Shapes, scores s_u, precision, memory and cost are those of `tiled_loss`. The loss of a row is log Σ_u exp(s_u) −
    s_own, or with `label_smoothing` log Σ_u exp(s_u) − (1 − ε) s_own − ε · mean_u s_u, the mean over the row's
    candidates (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567).

    >>> round(tiled_softmax(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), torch.full((2,), 0.5)).item(), 4)
    0.3133
    """
    return tiled_loss(
        functools.partial(_of_rows, label_smoothing),
        queries,
        items,
        column,
        weights,
        candidates,
        shown_items=shown_items,
        temperature=temperature,
    )


def _of_rows(label_smoothing: float, scores: Callable[[], Tensor], own: Tensor) -> tuple[Tensor, Tensor]:
    if not label_smoothing:
        odds, losses = _softmax(scores, own)
        return losses, odds.scatter_add_(1, own, torch.full(own.shape, -1.0, dtype=odds.dtype, device=odds.device))
    plain = scores()
    candidates = plain != -torch.inf
    share = label_smoothing / candidates.sum(dim=1, keepdim=True)  # [T, 1] of each candidate's label
    own_scores = plain.gather(1, own)
    moved = label_smoothing * own_scores - share * torch.where(candidates, plain, 0).sum(dim=1, keepdim=True)
    odds, losses = _softmax(scores, own, plain)
    odds.sub_(candidates * share)
    return losses + moved.squeeze(1), odds.scatter_add_(1, own, torch.full_like(own_scores, label_smoothing - 1))


def _softmax(scores: Callable[[], Tensor], own: Tensor, made: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The probabilities [T, U] of the scores, in their place, and each row's loss [T]; scores that are `made` serve."""
    odds = scores() if made is None else made
    if odds.is_cpu:
        torch.softmax(odds, dim=1, out=odds)
        own_odds = odds.gather(1, own)
        if float(own_odds.amin()) >= torch.finfo(odds.dtype).tiny:
            return odds, own_odds.log_().neg_().squeeze(1)
        odds = scores()  # some probability is too small for its dtype: take the logs, and the exponentials once more
    torch.log_softmax(odds, dim=1, out=odds)
    losses = odds.gather(1, own).neg_().squeeze(1)
    return odds.exp_(), losses

"""Losses of pairs: each positive's item against each other candidate, one by one."""

import dataclasses
import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from shortlist.losses.positives import Positives, Reduction
from shortlist.losses.tiles import Candidates, tiled_loss

__all__ = ["bpr", "cosine_contrastive", "pairwise_hinge"]


def bpr(
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    *,
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    hard_negatives: int | None = None,
    shown_weight: float = 1.0,
) -> Tensor:
    """The mean over negatives j of log(1 + exp(s_j − s_own)), with scores s = q·v / temperature; a scalar.

    `queries` [P, D] are the positives' query vectors, `items` [U, D] the candidates; each but the own and the masked
    ones is a negative, as many times as `positives.counts` says. A row without a negative loses nothing. `log_q` is not
    looked at: a pair is right or wrong whatever else was drawn. What was shown with an event and not touched
    (`positives.shown`) is a negative `shown_weight` times more. With `hard_negatives` only so many of a row's negatives
    stay, those of the highest scores, each as many times as it stands there. Reduction, memory and precision are those
    of `in_batch_softmax`.

    Use it where a later stage needs the order of any two items rather than the top of a list; for the top, a softmax
    does better. Source: Rendle et al. 2009, https://arxiv.org/abs/1205.2618.

    >>> positives = Positives(column=torch.tensor([0]))
    >>> round(bpr(torch.ones(1, 1), torch.tensor([[1.0], [1.0]]), positives).item(), 4)  # log 2
    0.6931
    """
    negatives = _Negatives(_logistic, hard_negatives, shown_weight)
    return _of_pairs(negatives, queries, items, positives, reduction, temperature)


def pairwise_hinge(
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    *,
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    margin: float = 1.0,
    hard_negatives: int | None = None,
    shown_weight: float = 1.0,
) -> Tensor:
    """The mean over negatives j of max(0, margin + s_j − s_own); a scalar.

    All else is as in `bpr`. Negatives that lie more than the margin below the own item add nothing, not even a
    gradient. Source: Weston et al. 2011 (WSABIE), https://www.ijcai.org/Proceedings/11/Papers/460.pdf, without its
    sampling.

    >>> positives = Positives(column=torch.tensor([0]))
    >>> pairwise_hinge(torch.ones(1, 1), torch.tensor([[1.0], [0.5], [-3.0]]), positives).item()
    0.25
    """
    negatives = _Negatives(functools.partial(_hinge, margin), hard_negatives, shown_weight)
    return _of_pairs(negatives, queries, items, positives, reduction, temperature)


def cosine_contrastive(
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    *,
    reduction: Reduction = "mean",
    margin: float = 0.8,
    negative_weight: float = 150.0,
    hard_negatives: int | None = None,
    shown_weight: float = 1.0,
) -> Tensor:
    """1 − s_own + negative_weight · the mean over negatives j of max(0, s_j − margin); a scalar.

    Scores are meant to be cosines: give vectors of length 1. All else is as in `bpr`. The margin is the cosine below
    which a negative is far enough; the fewer candidates are close, the higher the weight has to be.

    Use it with many negatives and normalised towers. Source: Mao et al. 2021 (SimpleX),
    https://arxiv.org/abs/2109.12613.

    >>> positives = Positives(column=torch.tensor([0]))
    >>> loss = cosine_contrastive(torch.ones(1, 1), torch.tensor([[1.0], [1.0]]), positives, negative_weight=2.0)
    >>> round(loss.item(), 4)  # 1 − 1 + 2 · (1 − 0.8)
    0.4
    """
    of_each = functools.partial(_beyond, margin, negative_weight)
    negatives = _Negatives(of_each, hard_negatives, shown_weight, against_own=False)
    return _of_pairs(negatives, queries, items, positives, reduction, 1.0)


@dataclasses.dataclass(frozen=True)
class _Negatives:
    """What a row loses by its negatives.

    `of_each` takes scores less the own one (or as they are, where not `against_own`), and gives the loss of each and
    its gradient.
    """

    of_each: Callable[[Tensor], tuple[Tensor, Tensor]]
    hardest: int | None
    shown_weight: float
    against_own: bool = True


def _logistic(beyond: Tensor) -> tuple[Tensor, Tensor]:
    return functional.softplus(beyond), beyond.sigmoid()


def _hinge(margin: float, beyond: Tensor) -> tuple[Tensor, Tensor]:
    losses = (beyond + margin).clamp(min=0)
    return losses, (losses > 0).to(losses.dtype)


def _beyond(margin: float, weight: float, scores: Tensor) -> tuple[Tensor, Tensor]:
    losses, slope = _hinge(-margin, scores)
    return losses * weight, slope * weight


def _of_pairs(
    negatives: _Negatives,
    queries: Tensor,
    items: Tensor,
    positives: Positives,
    reduction: Reduction,
    temperature: float,
) -> Tensor:
    shown_items = items
    items, positives = positives.counted(items)
    weights = positives.row_weights(queries, reduction)
    counts = torch.ones(len(items), device=items.device) if positives.counts is None else positives.counts
    times = counts.to(weights.dtype)
    nobodys = torch.zeros_like(times).masked_fill_(times == 0, -torch.inf)  # else they could be among the hardest
    return tiled_loss(
        functools.partial(_of_rows, negatives, times),
        queries,
        items,
        positives.column,
        weights,
        Candidates(nobodys, masked=positives.masked, shown=positives.shown, hardest=negatives.hardest),
        shown_items=shown_items,
        temperature=temperature,
    )


def _of_rows(negatives: _Negatives, times: Tensor, scores: Callable[[], Tensor], own: Tensor) -> tuple[Tensor, Tensor]:
    given = scores()
    times = functional.pad(times, (0, given.shape[1] - len(times)), value=negatives.shown_weight)
    counts = torch.where(given != -torch.inf, times, 0).scatter_(1, own, 0.0)  # [T, C] how often each is a negative
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=torch.finfo(counts.dtype).tiny)
    own_scores = given.gather(1, own)
    apart = torch.where(counts > 0, given, own_scores) - (own_scores if negatives.against_own else 0)
    of_each, slopes = negatives.of_each(apart)
    losses, gradient = (shares * of_each).sum(dim=1), shares * slopes
    if negatives.against_own:
        return losses, gradient.scatter_(1, own, -gradient.sum(dim=1, keepdim=True))
    return losses + 1 - own_scores.squeeze(1), gradient.scatter_(1, own, -1.0)

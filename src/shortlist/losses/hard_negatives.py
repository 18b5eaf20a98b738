"""Of each row's candidates only the hardest: those that the model, as it is now, scores highest."""

import torch
from torch import Tensor

__all__ = ["keep_hardest"]


def keep_hardest(scores: Tensor, own: Tensor, num_negatives: int) -> Tensor:
    """The scores [T, U] with -inf in the place of all but each row's own and its highest others; written in place.

    `own` [T, 1] int64 is the column of each row's own item, which stays whatever it scores; -inf marks what is no
    candidate. Candidates that tie with the last that stays stay too, so that the order of the columns decides nothing.
    A row with no more others than `num_negatives` keeps them all.

    Use it late in a training, or with many candidates of which most are easy: their gradients are small, but there are
    many of them. Few hard negatives of a model that knows little are often positives that nobody touched yet. Source:
    `HardNegativeMining` of TensorFlow Recommenders (tensorflow_recommenders/layers/loss.py) and of keras-rs.

    >>> scores = torch.tensor([[3.0, 1.0, 2.0, 2.0, -1.0]])
    >>> keep_hardest(scores, torch.tensor([[1]]), 2).tolist()
    [[3.0, 1.0, 2.0, 2.0, -inf]]
    """
    own_scores = scores.gather(1, own)
    scores.scatter_(1, own, -torch.inf)
    highest = scores.topk(min(num_negatives, scores.shape[1]), dim=1, sorted=False).values
    scores.masked_fill_(scores < highest.amin(dim=1, keepdim=True), -torch.inf)
    return scores.scatter_(1, own, own_scores)

"""Losses and negatives, as functions of arrays."""

from shortlist.losses.full_softmax import full_softmax
from shortlist.losses.in_batch_softmax import in_batch_softmax
from shortlist.losses.pairwise import bpr, cosine_contrastive, pairwise_hinge
from shortlist.losses.positives import Pairs, Positives, Reduction

__all__ = [
    "Pairs",
    "Positives",
    "Reduction",
    "bpr",
    "cosine_contrastive",
    "full_softmax",
    "in_batch_softmax",
    "pairwise_hinge",
]

"""Losses and negatives, as functions of arrays."""

from shortlist.losses.full_softmax import full_softmax
from shortlist.losses.in_batch_softmax import in_batch_softmax
from shortlist.losses.positives import Positives, Reduction

__all__ = ["Positives", "Reduction", "full_softmax", "in_batch_softmax"]

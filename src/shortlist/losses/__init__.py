"""Losses and negatives, as functions of arrays."""

from shortlist.losses.in_batch_softmax import InBatch, in_batch_softmax

__all__ = ["InBatch", "in_batch_softmax"]

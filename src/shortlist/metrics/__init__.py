"""Metrics on ranks: where the true item stands among all candidates, and what that is worth."""

from shortlist.metrics.ranking import Gains, reciprocal_rank, top_k_discounted, top_k_hits
from shortlist.metrics.ranks import Ranks, count_rivals

__all__ = ["Gains", "Ranks", "count_rivals", "reciprocal_rank", "top_k_discounted", "top_k_hits"]

"""Metrics on ranks: where the true item stands among all candidates, and what that is worth."""

from shortlist.metrics.lists import RankedLists
from shortlist.metrics.ranking import Gains, top_k_discounted, top_k_hits
from shortlist.metrics.ranks import Ranks, Scratch, count_rivals
from shortlist.metrics.shown import ShownItems

__all__ = ["Gains", "RankedLists", "Ranks", "Scratch", "ShownItems", "count_rivals", "top_k_discounted", "top_k_hits"]

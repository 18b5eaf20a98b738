"""Answers from a bundle: shortlists for queries, neighbours of items, and the bundle's evaluation, without torch."""

from shortlist.recommender.answers import Item, Shortlist
from shortlist.recommender.bulk import recommend_file
from shortlist.recommender.evaluation import evaluate_bundle
from shortlist.recommender.health import bundle_health
from shortlist.recommender.indexes import with_exact_index, with_tuned_index
from shortlist.recommender.recommender import Recommender
from shortlist.recommender.retirement import retire_items
from shortlist.recommender.rules import Rules

__all__ = [
    "Item",
    "Recommender",
    "Rules",
    "Shortlist",
    "bundle_health",
    "evaluate_bundle",
    "recommend_file",
    "retire_items",
    "with_exact_index",
    "with_tuned_index",
]

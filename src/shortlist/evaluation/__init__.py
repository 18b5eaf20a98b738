"""Ranks over the whole catalogue, metrics with their protocol in their names, and what they say of a model."""

from shortlist.evaluation.assess import Assessment, assess, evaluate_baselines
from shortlist.evaluation.evaluate import Evaluation, Targets, evaluate, popularity_vectors
from shortlist.evaluation.ranking import rank_targets
from shortlist.evaluation.verdict import MIN_USERS, Verdict, bootstrap_interval, compare_to, mean_samples, verdict_of

__all__ = [
    "MIN_USERS",
    "Assessment",
    "Evaluation",
    "Targets",
    "Verdict",
    "assess",
    "bootstrap_interval",
    "compare_to",
    "evaluate",
    "evaluate_baselines",
    "mean_samples",
    "popularity_vectors",
    "rank_targets",
    "verdict_of",
]

"""Ranks over the whole catalogue, metrics with their protocol in their names, and what they say of a model."""

from shortlist.evaluation.assess import Assessment, Beside, SliceResult, slice_result
from shortlist.evaluation.beside import assess, evaluate_baselines, popularity_scores
from shortlist.evaluation.evaluate import Evaluation, Targets, evaluate
from shortlist.evaluation.ranking import rank_targets
from shortlist.evaluation.scoring import UserScores, VectorScores
from shortlist.evaluation.shortfall import Shortfall, find_shortfall
from shortlist.evaluation.slices import Slice, column_slices, default_slices
from shortlist.evaluation.verdict import MIN_USERS, Verdict, bootstrap_interval, compare_to, mean_samples, verdict_of

__all__ = [
    "MIN_USERS",
    "Assessment",
    "Beside",
    "Evaluation",
    "Shortfall",
    "Slice",
    "SliceResult",
    "Targets",
    "UserScores",
    "VectorScores",
    "Verdict",
    "assess",
    "bootstrap_interval",
    "column_slices",
    "compare_to",
    "default_slices",
    "evaluate",
    "evaluate_baselines",
    "find_shortfall",
    "mean_samples",
    "popularity_scores",
    "rank_targets",
    "slice_result",
    "verdict_of",
]

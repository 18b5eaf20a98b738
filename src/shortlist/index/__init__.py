"""Search for the items with the highest scores, and the rules on what may come back."""

from shortlist.index.exact import ExactIndex, check_k, exact_top_k
from shortlist.index.index import Found, Index
from shortlist.index.ivf import IvfIndex
from shortlist.index.kinds import make_index
from shortlist.index.recall import recall_at_k
from shortlist.index.speed import Speed
from shortlist.index.tune import Measured, Tuned, measure_beside_exact, tune_ivf

__all__ = [
    "ExactIndex",
    "Found",
    "Index",
    "IvfIndex",
    "Measured",
    "Speed",
    "Tuned",
    "check_k",
    "exact_top_k",
    "make_index",
    "measure_beside_exact",
    "recall_at_k",
    "tune_ivf",
]

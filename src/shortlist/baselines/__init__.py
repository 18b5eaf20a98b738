"""What any model must beat, computed from the same training events."""

from shortlist.baselines.content_knn import fit_content_knn
from shortlist.baselines.ease import fit_ease
from shortlist.baselines.ials import fit_ials
from shortlist.baselines.item_knn import fit_item_knn
from shortlist.baselines.popularity import fit_popularity, popularity
from shortlist.baselines.recent_popularity import fit_recent_popularity
from shortlist.baselines.scorer import Scorer
from shortlist.baselines.table import BASELINES, Baseline

__all__ = [
    "BASELINES",
    "Baseline",
    "Scorer",
    "fit_content_knn",
    "fit_ease",
    "fit_ials",
    "fit_item_knn",
    "fit_popularity",
    "fit_recent_popularity",
    "popularity",
]

"""Depths and seeds side by side: what differs, and which differences are real."""

from shortlist.comparison.compare import ComparedRun, Comparison, compare, decisive_metric
from shortlist.comparison.differences import Difference, differences
from shortlist.comparison.memory import peak_memory

__all__ = ["ComparedRun", "Comparison", "Difference", "compare", "decisive_metric", "differences", "peak_memory"]

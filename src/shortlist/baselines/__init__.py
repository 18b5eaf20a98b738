"""What any model must beat, computed from the same training events."""

from shortlist.baselines.popularity import popularity

__all__ = ["popularity"]

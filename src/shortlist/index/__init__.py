"""Search for the items with the highest scores, and the rules on what may come back."""

from shortlist.index.exact import exact_top_k

__all__ = ["exact_top_k"]

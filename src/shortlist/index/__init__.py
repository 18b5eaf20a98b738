"""Search for the items with the highest scores, and the rules on what may come back."""

from shortlist.index.exact import check_k, exact_top_k

__all__ = ["check_k", "exact_top_k"]

"""Searching an experiment's settings on validation events, with Optuna (the extra `tune`)."""

from shortlist.errors import require_extra

# First, because the imports below would otherwise fail without a word on how to install what they need.
require_extra("tune", ["optuna"])

from shortlist.tuning.tune import Tuned, tune  # noqa: E402

__all__ = ["Tuned", "tune"]

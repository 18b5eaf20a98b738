"""Pictures of a run: charts as PNG, SVG and stand-alone pages. It needs the extra `report`."""

from shortlist.errors import require_extra

# First, because the imports below would otherwise fail without a word on how to install what they need.
require_extra("report", ["altair", "vl_convert"])

from shortlist.report.charts import MAX_CURVES, Baseline, Curve, accuracy_chart, save_chart  # noqa: E402

__all__ = ["MAX_CURVES", "Baseline", "Curve", "accuracy_chart", "save_chart"]

"""Pictures and reports of runs: charts as PNG, SVG and pages, and one page that says it all.

It needs the extra `report`.
"""

from shortlist.errors import require_extra

# First, because the imports below would otherwise fail without a word on how to install what they need.
require_extra("report", ["altair", "vl_convert"])

from shortlist.report.background import findings_summary  # noqa: E402
from shortlist.report.charts import MAX_CURVES, Baseline, Curve, accuracy_chart, save_chart  # noqa: E402
from shortlist.report.curves import common_curves  # noqa: E402
from shortlist.report.document import report_page  # noqa: E402
from shortlist.report.runs import Checks, ReportedRun, compared_run, setting, trained_run  # noqa: E402
from shortlist.report.verdicts import about_depths, across_runs, headline  # noqa: E402

__all__ = [
    "MAX_CURVES",
    "Baseline",
    "Checks",
    "Curve",
    "ReportedRun",
    "about_depths",
    "accuracy_chart",
    "across_runs",
    "common_curves",
    "compared_run",
    "findings_summary",
    "headline",
    "report_page",
    "save_chart",
    "setting",
    "trained_run",
]

"""The report as one page: verdict first, then what it rests on. One file, no network, no text that becomes markup."""

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shortlist.report.background import (
    findings_part,
    findings_summary,
    health_part,
    notes_part,
    repeat_part,
    settings_part,
    time_part,
)
from shortlist.report.blocks import columns, paragraph, part
from shortlist.report.charts import FONT, VEGALITE
from shortlist.report.curves import curves_part
from shortlist.report.figures import metrics_part, models_part, overview, slices_part
from shortlist.report.html import living_script, policy
from shortlist.report.markup import Child, Markup, element
from shortlist.report.runs import ReportedRun
from shortlist.report.verdicts import about_depths, across_runs, headline, standing
from shortlist.report.words import count, explained, metric_name, protocol

__all__ = ["report_page"]

# What is folded on the screen is not on paper.
UNFOLD = """
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ --font: {font}; }}
{style}</style>
</head>
<body>
<a class="skip" href="#verdict">To the verdict</a>
<main>
{body}
</main>
<script>{unfold}</script>
<script type="module">{script}</script>
</body>
</html>
"""

# A part of the page: its id, its heading, and what it holds of one run.
Part = tuple[str, str, Callable[[ReportedRun], Sequence[Child]]]


def report_page(runs: Sequence[ReportedRun], meanings: Mapping[str, str]) -> str:
    """A complete HTML document about one run, or about several with a column each.

    `meanings` says what the figures of the vectors' health are, by their names.
    """
    parts: list[Part] = [
        ("models", "Models and baselines", models_part),
        ("curves", "Curves", lambda run: curves_part(run, 100 * runs.index(run))),
        ("metrics", "Metrics", metrics_part),
        ("slices", "Slices: for which users and items", slices_part),
        ("findings", "Findings about the data", findings_part),
        ("health", "Health of the vectors", lambda run: health_part(run, meanings)),
        ("settings", "Settings", settings_part),
        ("time", "Time and memory", time_part),
        ("notes", "Notes", notes_part),
        ("repeat", "How to repeat it", repeat_part),
    ]
    first = [part("runs", "Side by side", overview(runs))] if len(runs) > 1 else []
    drawn = [
        part(identifier, title, columns([(run.name, make(run)) for run in runs])) for identifier, title, make in parts
    ]
    links = [("runs", "Side by side")] if first else []
    links += [(identifier, title) for identifier, title, _ in parts]
    script = living_script(VEGALITE)
    return PAGE.format(
        policy=html.escape(policy(UNFOLD, script)),
        title=html.escape(f"{', '.join(run.name for run in runs)} – shortlist report"),
        font=FONT,
        style=_style(),
        body="\n".join([_verdict(runs), _contents(links), *first, *drawn]),
        unfold=UNFOLD,
        script=script,
    )


def _verdict(runs: Sequence[ReportedRun]) -> Markup:
    if len(runs) == 1:
        says, figures = headline(runs[0])
        heading = element(
            "h1", element("span", says, class_="says-it"), " ", element("span", figures, class_="figures")
        )
        return element(
            "header",
            heading,
            *_behind(runs[0]),
            id="verdict",
            class_=f"verdict {standing(runs[0].verdict)}",
            tabindex="-1",
        )
    blocks = []
    for run in runs:
        says, figures = headline(run)
        name = element("h2", run.name)
        words = element("p", element("strong", says), " ", figures)
        blocks.append(element("div", name, words, *_behind(run), class_=f"column verdict {standing(run.verdict)}"))
    return element(
        "header",
        element("h1", element("span", across_runs(runs), class_="says-it")),
        element("div", *blocks, class_="columns"),
        id="verdict",
        tabindex="-1",
    )


def _behind(run: ReportedRun) -> list[Child]:
    """What stands under a verdict: why a model stays behind, depths, what was measured, and what may spoil it."""
    about = about_depths(run)
    users, items = run.counts.users, run.counts.items
    meaning = explained(run.decisive)
    measured = (
        f"{metric_name(run.decisive).capitalize()}{f' is {meaning}' if meaning else ''}. Measured on "
        f"{count(run.counts.targets, 'test event')} of {count(users, 'user')}; "
        f"{protocol(run.decisive, items)}."
    )
    said: list[Child] = [
        paragraph(run.best.shortfall) if run.best.shortfall else None,
        paragraph(about, "depths") if about else None,
        paragraph(measured, "quiet"),
    ]
    if run.failed:
        seeds = count(len(run.failed), "training")
        said.append(paragraph(f"{seeds} failed and {'is' if len(run.failed) == 1 else 'are'} in no figure.", "warning"))
    found = run.checks.findings
    if found is not None and not isinstance(found, str):
        grave = [finding for finding in found if finding.severity != "note"]
        if grave:
            link = element("a", findings_summary(grave), href="#findings")
            said.append(element("p", "Before you trust it: the doctor found ", link, " in the data.", class_="warning"))
    return said


def _contents(links: Sequence[tuple[str, str]]) -> Markup:
    entries = [element("li", element("a", title, href=f"#{identifier}")) for identifier, title in links]
    return element("nav", element("ul", *entries), aria_label="Parts of this report")


@functools.cache
def _style() -> str:
    return Path(__file__).with_name("page.css").read_text("utf-8")

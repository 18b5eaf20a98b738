"""The curves of a reported run, alive in the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.errors import DataError
from shortlist.report.blocks import paragraph
from shortlist.report.charts import MAX_CURVES, Baseline, Curve, accuracy_chart, drawn
from shortlist.report.html import data_block
from shortlist.report.markup import Child, Markup, element
from shortlist.report.runs import ReportedRun, setting
from shortlist.report.words import baseline_name, metric_name

__all__ = ["common_curves", "curves_part"]

Series = Mapping[int, float]


def common_curves(curves: Mapping[str, Sequence[Series]]) -> list[Curve]:
    """A curve of each name over the epochs that all its seeds have: one that stopped early ends it for all."""
    common = {name: sorted(set.intersection(*(set(run) for run in runs))) for name, runs in curves.items()}
    return [
        Curve(name, tuple(common[name]), tuple(tuple(run[epoch] for epoch in common[name]) for run in runs))
        for name, runs in curves.items()
        if common[name]
    ]


def curves_part(run: ReportedRun, start: int) -> list[Child]:
    """Charts of at most six curves each, or a sentence where no epoch was validated; their ids count from `start`."""
    curves = common_curves({model.name: model.curves for model in run.models})
    if not curves:
        return [paragraph("No epoch was validated in training, so there is no curve.")]
    watched = setting(run.experiment, "training.schedule.watch")
    events = f"{watched} events" if isinstance(watched, str) else "validated events"
    blocks: list[Child] = []
    for place in range(0, len(curves), MAX_CURVES):
        try:
            blocks.append(_chart(curves[place : place + MAX_CURVES], run, events, start + place))
        except DataError as error:  # the figures are worth more than the picture
            blocks.append(paragraph(f"No curves were drawn. {error}"))
    if not run.beside.on_curves:
        blocks.append(paragraph("What the baselines have on these events was not kept with the run.", "quiet"))
    return blocks


def _chart(curves: Sequence[Curve], run: ReportedRun, events: str, number: int) -> Markup:
    metric = metric_name(run.decisive)
    rules = run.decisive.partition("/")[2].replace("_", " ").replace("/", " · ")
    chart = accuracy_chart(
        curves,
        [Baseline(baseline_name(name), value) for name, value in run.beside.on_curves.items()],
        metric=metric,
        title=f"{metric[:1].upper()}{metric[1:]} against epoch",
        subtitle=f"{events} · {rules}",
    )
    spec: dict[str, Any]
    spec, svg = drawn(chart)
    source = f"spec-{number}"
    picture = element("div", Markup(svg), class_="chart", data_spec=source)
    data = Markup(data_block(spec, source))
    return element(
        "div", picture, data, class_="scroll picture", tabindex="0", role="region", aria_label="Accuracy against epoch"
    )

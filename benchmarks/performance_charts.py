"""The pictures of docs/performance.md, drawn as the report draws its own. Not a benchmark."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import altair as alt

from shortlist.report.charts import COLORS, LOOK, PADDING, drawn

__all__ = ["Growth", "Mark", "bars_chart", "growth_chart"]

WIDTH, HEIGHT, BAR_HEIGHT = 640, 320, 22
LIMIT = "limit"
OWN = "shortlist"  # the bar of another colour
# Under the plot, for the name of the vertical axis lies over it.
LEGEND = alt.Legend(
    title=None,
    orient="bottom",
    labelLimit=0,
    labelFontSize=12,
    symbolType="stroke",
    symbolOpacity=1,
    symbolStrokeWidth=3,
)


@dataclasses.dataclass(frozen=True)
class Mark:
    """One bar, or one point of a line: `group` is the panel of a bar or the line of a point, `limit` its least."""

    name: str
    value: float
    group: str = ""
    x: float = 0
    limit: float | None = None


@dataclasses.dataclass(frozen=True)
class Growth:
    """What a chart of growth calls its axes, and whether both are logarithmic; they start at zero otherwise."""

    x: str
    y: str
    logarithmic: bool = True


def growth_chart(marks: Sequence[Mark], growth: Growth, *, title: str, subtitle: str) -> str:
    """Milliseconds against x as SVG: a solid line for what was measured, a dashed one for its limit, a colour each."""
    rows = []
    for mark in marks:
        rows.append({"line": mark.group, "x": mark.x, "y": 1e3 * mark.value, "kind": "measured"})
        if mark.limit is not None:
            rows.append({"line": mark.group, "x": mark.x, "y": 1e3 * mark.limit, "kind": LIMIT})
    lines = list(dict.fromkeys(mark.group for mark in marks))
    places = sorted({mark.x for mark in marks})
    x_domain = places[:: len(places) - 1] if growth.logarithmic else [0, places[-1]]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "x:Q",
            scale=alt.Scale(type="log" if growth.logarithmic else "linear", nice=False, domain=x_domain),
            axis=alt.Axis(title=growth.x, values=places, format=",d", labelOverlap=False),
        ),
        y=alt.Y("y:Q", scale=_y_scale(rows, logarithmic=growth.logarithmic), axis=_y_axis(rows, growth)),
        color=alt.Color(
            "line:N",
            sort=lines,
            scale=alt.Scale(domain=lines, range=list(COLORS[: len(lines)])),
            legend=LEGEND if len(lines) > 1 else None,
        ),
        strokeDash=alt.StrokeDash(
            "kind:N", legend=None, scale=alt.Scale(domain=["measured", LIMIT], range=[[1, 0], [5, 3]])
        ),
    )
    measured = alt.datum.kind == "measured"
    layers = [
        base.mark_line(strokeWidth=2),
        base.transform_filter(measured).mark_point(filled=True, size=45),
    ]
    return _svg(alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT), title, f"{subtitle}. Dashed: the limit.")


def bars_chart(marks: Sequence[Mark], *, unit: str, title: str, subtitle: str) -> str:
    """Level bars from zero as SVG, a panel for each group, each bar with its value beside it."""
    longest = max(mark.value for mark in marks)
    names = list(dict.fromkeys(mark.name for mark in marks))
    panels = []
    for group, members in itertools.groupby(marks, key=lambda mark: mark.group):
        rows = [{"name": mark.name, "value": mark.value, "label": f"{mark.value:,.3g}"} for mark in members]
        base = alt.Chart(alt.InlineData(values=rows)).encode(
            y=alt.Y(
                "name:N", sort=names, axis=alt.Axis(title=None, labelLimit=0, domain=False, grid=False, ticks=False)
            ),
            x=alt.X(
                "value:Q",
                scale=alt.Scale(domain=[0, longest * 1.1], nice=False),
                axis=alt.Axis(title=unit, grid=False, tickCount=6),
            ),
        )
        color = alt.condition(f"datum.name == '{OWN}'", alt.value(COLORS[1]), alt.value(COLORS[0]))
        bar = base.mark_bar(height=BAR_HEIGHT - 6).encode(color=color)
        text = base.mark_text(align="left", dx=5, fontSize=12).encode(text="label:N")
        panel = alt.LayerChart(layer=[bar, text], width=WIDTH - 120, height=BAR_HEIGHT * len(rows))
        panels.append(panel.properties(title=alt.Title(group, fontSize=13)) if group else panel)
    return _svg(alt.vconcat(*panels, spacing=14), title, subtitle)


def _y_scale(rows: Sequence[dict[str, Any]], *, logarithmic: bool) -> alt.Scale:
    """The scale over all values, with some room above and below."""
    values = [row["y"] for row in rows]
    if logarithmic:
        return alt.Scale(type="log", nice=False, domain=[min(values) / 1.3, max(values) * 1.3])
    return alt.Scale(nice=True, domain=[0, max(values) * 1.05])


def _y_axis(rows: Sequence[dict[str, Any]], growth: Growth) -> alt.Axis:
    """Ticks at 1, 2 and 5 times powers of ten where the scale is logarithmic and short, else at the powers."""
    if not growth.logarithmic:
        return alt.Axis(title=growth.y)
    low, high = (limit(row["y"] for row in rows) for limit in (min, max))
    factors = (1, 2, 5) if high / low < 1e3 else (1,)
    ticks = [factor * 10.0**power for power in range(-6, 8) for factor in factors]
    inside = [tick for tick in ticks if low / 1.3 <= tick <= high * 1.3]
    return alt.Axis(title=growth.y, values=inside, format=",~r")


def _svg(chart: Any, title: str, subtitle: str) -> str:
    head = alt.Title(title, subtitle=subtitle)
    described = chart.properties(title=head, background="white", padding=PADDING, description=f"{title}. {subtitle}")
    _, svg = drawn(described.configure(**LOOK))
    return svg

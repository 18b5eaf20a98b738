"""Accuracy against epoch: the curves of a run, beside what they should be compared with."""

import itertools
import math
import secrets
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from shortlist.errors import DataError, shorten
from shortlist.report.html import page

__all__ = ["Baseline", "Curve", "accuracy_chart", "save_chart", "spread"]

# The first three are Okabe and Ito's (https://jfly.uni-koeln.de/color/). The others are darker than theirs, so that
# each has a contrast of 3.4 or more with white; under simulated protanopia, deuteranopia and tritanopia (Machado 2009)
# no two of the six come nearer than Okabe and Ito's own (CIE76 difference 16).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#C2609B", "#3B1E6D", "#6B4A00")
INK, QUIET, GRID = "#1f2328", "#57606a", "#e6e8eb"
FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

TOTAL_WIDTH = 800  # pixels, the width of a README
AXIS_WIDTH = 56
HEIGHT = 380
LABEL_GAP = 17  # from the middle of one label to the next
LABEL_START = 24  # from the end of the plot, the length of the stub that shows a label's colour and dash
LABEL_LIMIT = 240
FEW = 20  # up to so many epochs, each measurement gets a dot

Row = dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """Accuracy at each measured epoch, one series a seed.

    A `reference` is somebody else's curve, drawn dashed; `of` names the curve that it should be compared with,
    whose colour it takes. Raises `DataError` where there is nothing to draw, where a series is not as long as
    `epochs`, where epochs do not rise, and where a value is not finite.

    >>> Curve("[64, 32]", (5, 10), ((0.25, 0.5), (0.5, 0.5))).means
    (0.375, 0.5)
    """

    name: str
    epochs: tuple[int, ...]
    runs: tuple[tuple[float, ...], ...]
    reference: bool = False
    of: str | None = None

    def __post_init__(self) -> None:
        where = f"Curve {self.name!r}"
        if not self.epochs or not self.runs:
            empty = "runs" if self.epochs else "epochs"
            raise DataError(f"{where} has no {empty}: expected at least one. Validate once or more, or leave it out.")
        if any(later <= earlier for earlier, later in itertools.pairwise(self.epochs)):
            raise DataError(f"{where}: expected epochs that rise, got {shorten(self.epochs)}. Sort them, each once.")
        for number, run in enumerate(self.runs):
            if len(run) != len(self.epochs):
                raise DataError(
                    f"{where}: expected {len(self.epochs)} values, one an epoch, but run {number} has {len(run)}. "
                    "Give every run the same epochs, or make it a curve of its own."
                )
            for epoch, value in zip(self.epochs, run, strict=True):
                _require_finite(value, f"{where}, run {number}, epoch {epoch}")
        if self.of is not None and not self.reference:
            raise DataError(f"{where} is of {self.of!r} but no reference. Set reference=True, or leave `of` out.")

    @property
    def means(self) -> tuple[float, ...]:
        """The mean over seeds at each epoch."""
        return tuple(statistics.fmean(values) for values in zip(*self.runs, strict=True))


@dataclass(frozen=True)
class Baseline:
    """A value that no epoch changes, such as the accuracy of popularity: a level line with its name."""

    name: str
    value: float

    def __post_init__(self) -> None:
        _require_finite(self.value, f"Baseline {self.name!r}")


@dataclass(frozen=True)
class _Frame:
    """The size of the plot and what its axes span; `ticks` are the marks of the vertical axis, low to high."""

    width: int
    height: int
    first: int
    last: int
    ticks: tuple[float, ...]
    digits: int

    @property
    def x(self) -> alt.X:
        # A single epoch has no width of its own.
        margin = 1 if self.first == self.last else 0
        scale = alt.Scale(domain=[self.first - margin, self.last + margin], nice=False, zero=False)
        axis = alt.Axis(title="epoch", format="d", tickMinStep=1, tickCount=8, grid=False)
        return alt.X("epoch:Q", scale=scale, axis=axis)

    def y(self, field: str, metric: str) -> alt.Y:
        axis = alt.Axis(
            title=metric, titleAngle=0, titleAlign="left", titleAnchor="end", titleX=-AXIS_WIDTH + 12, titleY=-16,
            values=list(self.ticks), format=f".{self.digits}f", domain=False, ticks=False,
        )  # fmt: skip
        scale = alt.Scale(domain=[self.ticks[0], self.ticks[-1]], nice=False, zero=False)
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)


def accuracy_chart(
    curves: Sequence[Curve], baselines: Sequence[Baseline], *, metric: str, title: str, subtitle: str
) -> alt.LayerChart:
    """A chart of accuracy against epoch: means over seeds as lines, lowest to highest as bands.

    References are dashed, baselines are level lines. Labels stand at the right, each with the value at the last
    epoch, moved apart where they would overlap. A line under the subtitle tells how to read all this. It holds at
    most six colours; a reference with `of` takes none. Raises `DataError` for no curves, for more, for two of the
    same name, and for a reference to a curve that is not there.
    """
    colors = _colors(curves)
    frame = _frame(curves, baselines)
    rows = [row for curve in curves for row in _rows(curve, colors[curve.name])]
    y = frame.y("mean", metric)
    base = alt.Chart(alt.Data(values=rows)).encode(x=frame.x, color=alt.Color("color:N", scale=None), detail="curve:N")
    band = (
        base.transform_filter("datum.seeds > 1").mark_area(opacity=0.18).encode(y=frame.y("low", metric), y2="high:Q")
    )
    line = base.mark_line(strokeWidth=2.2, strokeJoin="round").encode(y=y, strokeDash=_dash())
    few = max(len(curve.epochs) for curve in curves) <= FEW
    hover = alt.selection_point(name="hover", fields=["epoch"], nearest=True, on="pointerover", empty=False)
    opacity = alt.when(hover).then(alt.value(1)).otherwise(alt.value(1 if few else 0))
    tooltip = [
        "curve:N",
        "epoch:Q",
        *(alt.Tooltip(f"{f}:Q", format=f".{frame.digits + 2}f") for f in ("mean", "low", "high")),
    ]
    dots = base.mark_point(filled=True, size=40).encode(y=y, opacity=opacity, tooltip=[*tooltip, "seeds:Q"])
    layers = [
        band,
        *_labels(frame, metric, curves, baselines, colors),
        line,
        dots.add_params(hover).properties(name="dots"),
    ]
    head = alt.Title(
        textwrap.wrap(title, 78) or "",
        subtitle=[*textwrap.wrap(subtitle, 112), *textwrap.wrap(_key(curves, frame), 118)],
    )
    chart = alt.layer(*layers).properties(
        title=head, description=f"{title}. {subtitle}", width=frame.width, height=frame.height
    )
    return _styled(chart)

"""Accuracy against epoch: the curves of a run, beside what they should be compared with."""

import itertools
import math
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from shortlist.atomic import write_file
from shortlist.errors import DataError, shorten
from shortlist.report.html import page

__all__ = ["FONT", "VEGALITE", "Baseline", "Curve", "accuracy_chart", "drawn", "save_chart", "spread"]

# The first three are Okabe and Ito's (https://jfly.uni-koeln.de/color/). The others are darker than theirs, so that
# each has a contrast of 3.4 or more with white; under simulated protanopia, deuteranopia and tritanopia (Machado 2009)
# no two of the six come nearer than Okabe and Ito's own (CIE76 difference 16).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#C2609B", "#3B1E6D", "#6B4A00")
MAX_CURVES = len(COLORS)
INK, QUIET, GRID = "#1f2328", "#57606a", "#e6e8eb"
FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

VEGALITE = "v" + ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])  # the version that Altair writes for
WIDTH = 800  # pixels of the whole picture, as wide as a README
HEIGHT = 380  # of the plot, more where the labels need it
PADDING = {"left": 12, "top": 14, "right": 20, "bottom": 12}
TICK_WIDTH = 42  # room for the numbers of the vertical axis
BEND, STUB = 14, 42  # from the plot's edge, a thin line leads to a label's height; then a sample of its line
LABEL_GAP = 17  # from the middle of one label to that of the next
LABEL_LENGTH = 34  # letters of a name; the middle of a longer one is cut
FEW = 20  # up to so many epochs, each measurement gets a dot

COLOR = alt.Color("color:N", scale=None)
DASH = alt.when("datum.reference").then(alt.value([5, 3])).otherwise(alt.value([1, 0]))
WEIGHT = alt.when("datum.reference").then(alt.value(1.6)).otherwise(alt.value(2.2))

LOOK: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "title": {
        **{"anchor": "start", "frame": "bounds", "fontSize": 18, "color": INK, "offset": 16},
        **{"subtitleFontSize": 13, "subtitleColor": QUIET, "subtitleLineHeight": 18, "subtitlePadding": 6},
    },
    "axis": {
        "labelFontSize": 12,
        "labelColor": QUIET,
        "titleFontSize": 13,
        "titleColor": INK,
        "titleFontWeight": "normal",
    },
    "axisX": {"grid": False, "domainColor": QUIET, "tickColor": QUIET, "titlePadding": 8, "labelFlush": False},
    "axisY": {
        **{"gridColor": GRID, "domain": False, "ticks": False, "labelPadding": 8},
        # The name of the metric lies over the axis, where nobody has to turn the head to read it.
        **{"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleBaseline": "bottom"},
        **{"titleX": -TICK_WIDTH, "titleY": -14},
    },
}

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
    """The size of the plot in pixels, and what its axes span; `ticks` are the marks of the vertical one, rising."""

    metric: str
    width: int
    height: int
    epochs: tuple[int, int]
    ticks: tuple[float, ...]
    digits: int

    def x(self) -> alt.X:
        first, last = self.epochs
        margin = 1 if first == last else 0  # one epoch has no width of its own
        scale = alt.Scale(domain=[first - margin, last + margin], nice=False, zero=False)
        step = max(1, round(_step((last - first) / 8))) if first < last else 1
        marks = list(range(-(-first // step) * step, last + 1, step))
        return alt.X("epoch:Q", scale=scale, axis=alt.Axis(title="epoch", values=marks, format="d"))

    def y(self, field: str) -> alt.Y:
        scale = alt.Scale(domain=[self.ticks[0], self.ticks[-1]], nice=False, zero=False)
        axis = alt.Axis(title=self.metric, values=list(self.ticks), format=f".{self.digits}f")
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)


def accuracy_chart(
    curves: Sequence[Curve], baselines: Sequence[Baseline], *, metric: str, title: str, subtitle: str
) -> alt.LayerChart:
    """A chart of accuracy against epoch: means over seeds as lines, lowest to highest as bands.

    References are dashed, baselines are level lines. Labels stand at the right, each with the value at its last
    epoch, moved apart where they would overlap. A line under the subtitle tells how to read all this. It holds at
    most six colours; a reference with `of` takes none. Raises `DataError` for no curves, for more, for two of the
    same name, and for a reference to a curve that is not there.
    """
    colors = _colors(curves)
    frame = _frame(curves, baselines, metric)
    layers = [*_label_layers(frame, _labels(frame, curves, baselines, colors)), *_curve_layers(frame, curves, colors)]
    head = alt.Title(
        textwrap.wrap(title, 78) or "",
        subtitle=[*textwrap.wrap(subtitle, 112), *textwrap.wrap(_key(curves, frame), 124)],
    )
    return alt.LayerChart(
        layer=layers,
        title=head,
        description=f"{title}. {subtitle}",
        width=frame.width,
        height=frame.height,
        background="white",  # opaque, so that ink stays readable where the page around it is dark
        padding=PADDING,
        config=LOOK,
    )


def save_chart(chart: alt.LayerChart, folder: Path, stem: str) -> list[Path]:
    """Write `stem.png` at twice the size, `stem.svg` and `stem.html`, and give their paths in this order.

    The folder is made where it is missing; files of the same name are replaced, each in one step. The page needs
    no network. Raises `DataError` where `stem` is not a bare file name.
    """
    if not stem or Path(stem).name != stem:
        raise DataError(f"Expected a bare file name for the picture, got {stem!r}. Name its folder with `folder`.")
    spec, svg = drawn(chart)
    png: bytes = vl_convert.vegalite_to_png(spec, vl_version=VEGALITE, scale=2)
    html = page(spec, svg=svg, title=_title(spec) or stem, font=FONT, vegalite=VEGALITE)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"png": png, "svg": svg.encode(), "html": html.encode()}
    return [write_file(folder / f"{stem}.{kind}", content) for kind, content in contents.items()]


def drawn(chart: alt.LayerChart) -> tuple[dict[str, Any], str]:
    """The chart's specification, and its picture as SVG."""
    spec: dict[str, Any] = chart.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=VEGALITE)
    return spec, svg


def spread(targets: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Places from `low` to `high`, at least `gap` apart and together as near to the rising targets as can be.

    Least squares: neighbours that are too near form a block around their mean (pool adjacent violators). Where
    the places do not all fit, they run over `high`.

    >>> spread([10.0, 11.0, 50.0], gap=4, low=0, high=60)
    [8.5, 12.5, 50.0]
    """
    blocks: list[tuple[float, int]] = []
    for number, target in enumerate(targets):
        mean, size = target - number * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    pulled = [mean for mean, size in blocks for _ in range(size)]
    last = max(low, high - (len(pulled) - 1) * gap)
    return [min(max(place, low), last) + number * gap for number, place in enumerate(pulled)]


def _require_finite(value: float, where: str) -> None:
    if not math.isfinite(value):
        raise DataError(f"{where}: expected a finite number, got {value}. Draw up to the last finite epoch.")


def _colors(curves: Sequence[Curve]) -> dict[str, str]:
    """The colour of each curve by name, after the checks on the curves together."""
    if not curves:
        raise DataError("There are no curves to draw: expected at least one. Train with `validate_every` set.")
    names = [curve.name for curve in curves]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"Expected curves of different names, got more than one {shorten(twice)}. Rename them.")
    owners = [curve.name for curve in curves if curve.of is None]
    if len(owners) > MAX_CURVES:
        raise DataError(
            f"Expected at most {MAX_CURVES} curves of their own colour, got {len(owners)}: {shorten(owners)}. "
            "Draw them in two charts."
        )
    colors = dict(zip(owners, COLORS, strict=False))
    for curve in curves:
        if curve.of is not None and curve.of not in colors:
            raise DataError(
                f"Curve {curve.name!r} is a reference for {curve.of!r}, which is not drawn; "
                f"expected one of {shorten(owners)}. Add that curve, or leave `of` out."
            )
    return {curve.name: colors[curve.of or curve.name] for curve in curves}


def _frame(curves: Sequence[Curve], baselines: Sequence[Baseline], metric: str) -> _Frame:
    values = [value for curve in curves for run in curve.runs for value in run]
    ticks, digits = _ticks([*values, *(baseline.value for baseline in baselines)])
    names = [*(curve.name for curve in curves), *(baseline.name for baseline in baselines)]
    # 6.2 pixels is a generous mean width of a letter at 12 pixels; a number has two or three letters beside digits.
    text = round(6.2 * (min(LABEL_LENGTH, max(map(len, names))) + digits + 4))
    return _Frame(
        metric=metric,
        width=WIDTH - PADDING["left"] - TICK_WIDTH - STUB - text - PADDING["right"],
        height=max(HEIGHT, LABEL_GAP * len(names)),
        epochs=(int(min(curve.epochs[0] for curve in curves)), int(max(curve.epochs[-1] for curve in curves))),
        ticks=ticks,
        digits=digits,
    )


def _ticks(values: Sequence[float]) -> tuple[tuple[float, ...], int]:
    """Round numbers around the values, a dozen at most, and the digits after the point that they need.

    They start at zero where it is near, else a little under every value, so that no level line lies on the axis.
    """
    low, high = min(values), max(values)
    low = 0.0 if 0 <= low <= (high - low) / 2 else low
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)):  # all the same, but for rounding: put them in the middle
        span = abs(high) / 5 or 1.0
        low, high = max(low - span / 2, 0.0) if low >= 0 else low - span / 2, high + span / 2
    step = _step(span / 10)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.floor((low - span / 50) / step), math.ceil(round(high / step, 6))
    first = max(first, 0) if low >= 0 else first
    return tuple(round(number * step, digits) for number in range(first, max(last, first + 1) + 1)), digits


def _step(least: float) -> float:
    """The smallest round number (1, 2 or 5 times a power of ten) that is not under `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def _key(curves: Sequence[Curve], frame: _Frame) -> str:
    """How to read the picture, in two sentences."""
    seeds = sorted({len(curve.runs) for curve in curves if not curve.reference})
    parts = []
    if seeds == [1]:
        parts.append("one seed a line, so the spread between seeds is unknown")
    elif seeds:
        parts.append(f"lines: mean of {'–'.join(map(str, sorted({seeds[0], seeds[-1]})))} seeds")
        parts.append("bands: lowest to highest")
    if any(curve.reference for curve in curves):
        parts.append("dashed: reference")
    text = "; ".join([*parts, "numbers: last epoch"])
    start = f" Vertical axis from {frame.ticks[0]:.{frame.digits}f}." if frame.ticks[0] else ""
    return f"{text[0].upper()}{text[1:]}.{start}"


def _curve_layers(frame: _Frame, curves: Sequence[Curve], colors: Mapping[str, str]) -> list[alt.Chart]:
    """Bands, lines, and dots: always where there are few epochs, else only at the epoch under the pointer."""
    rows = [row for curve in curves for row in _rows(curve, colors[curve.name])]
    base = alt.Chart().encode(x=frame.x(), color=COLOR, detail="curve:N")
    band = base.transform_filter("datum.seeds > 1").encode(y=frame.y("low"), y2="high:Q")
    mean = base.encode(y=frame.y("mean"))
    hover = alt.selection_point(name="hover", fields=["epoch"], nearest=True, on="pointerover", empty=False)
    few = max(len(curve.epochs) for curve in curves) <= FEW
    values = [alt.Tooltip(f"{field}:Q", format=f".{frame.digits + 2}f") for field in ("mean", "low", "high")]
    # Without a format, Vega-Lite 6.4 looks for the name where `nearest` does not put it, and shows "undefined".
    name = alt.Tooltip("curve:N", format="")
    dots = mean.mark_point(filled=True, size=40).encode(
        opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(int(few))),
        tooltip=[name, alt.Tooltip("epoch:Q", format="d"), *values, "seeds:Q"],
    )
    line = mean.mark_line(strokeJoin="round").encode(strokeDash=DASH, strokeWidth=WEIGHT)
    return _over(rows, [band.mark_area(opacity=0.18), line, dots.add_params(hover).properties(name="dots")])


def _rows(curve: Curve, color: str) -> list[Row]:
    shared: Row = {"curve": curve.name, "color": color, "reference": curve.reference, "seeds": len(curve.runs)}
    return [
        {**shared, "epoch": int(epoch), "mean": mean, "low": float(min(values)), "high": float(max(values))}
        for epoch, mean, *values in zip(curve.epochs, curve.means, *curve.runs, strict=True)
    ]


def _label_layers(frame: _Frame, rows: list[Row]) -> list[alt.Chart]:
    """Level lines of the baselines, and at the right of the plot a sample of each line beside its label."""
    base = alt.Chart().encode(y=frame.y("value"), color=COLOR)
    edge, bend, end, start = (alt.value(frame.width + pixels) for pixels in (0, BEND, STUB - 6, STUB))
    level = base.transform_filter("datum.level").mark_rule(strokeWidth=1.4).encode(x=alt.value(0), x2=edge)
    # A curve that stopped before the others is led to its label by dots, which nobody takes for measurements.
    thread = base.transform_filter("!datum.level").mark_rule(strokeDash=[1, 4]).encode(x=frame.x(), x2=edge)
    lead = base.mark_rule(opacity=0.6).encode(x=edge, x2=bend, y2="place:Q")
    beside = base.encode(y=frame.y("place"))
    sample = beside.mark_rule().encode(x=bend, x2=end, strokeDash=DASH, strokeWidth=WEIGHT)
    text = beside.mark_text(align="left", fontSize=12).encode(x=start, color=alt.value(INK), text="label:N")
    return _over(rows, [level, thread, lead, sample, text])


def _over(rows: list[Row], layers: list[alt.Chart]) -> list[alt.Chart]:
    """The layers with their data, given last because Altair copies the data of a chart at each change to it."""
    data = alt.InlineData(values=rows)
    return [layer.properties(data=data) for layer in layers]


def _labels(
    frame: _Frame, curves: Sequence[Curve], baselines: Sequence[Baseline], colors: Mapping[str, str]
) -> list[Row]:
    """One row a label, from the lowest to the highest: where its value is, and where there is `place` for it."""
    rows: list[Row] = []
    for curve in curves:
        end = {"name": curve.name, "value": curve.means[-1], "epoch": int(curve.epochs[-1])}
        rows.append({**end, "color": colors[curve.name], "reference": curve.reference, "level": False})
    for baseline in baselines:
        end = {"name": baseline.name, "value": float(baseline.value), "epoch": frame.epochs[1]}
        rows.append({**end, "color": QUIET, "reference": False, "level": True})
    rows.sort(key=lambda row: float(row["value"]))
    low, high = frame.ticks[0], frame.ticks[-1]
    gap = LABEL_GAP * (high - low) / frame.height
    places = spread([row["value"] for row in rows], gap=gap, low=low, high=high)
    for row, place in zip(rows, places, strict=True):
        # An en space, for SVG makes two plain ones one.
        row |= {"place": place, "label": f"{_fit(row['name'])}\u2002{row['value']:.{frame.digits + 1}f}"}
    return rows


def _fit(name: str) -> str:
    """A name no longer than a label may be: the middle goes, for names often differ at their ends."""
    half = LABEL_LENGTH // 2
    return name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - half - 1]}…{name[-half:]}"


def _title(spec: Mapping[str, Any]) -> str:
    """The title of a specification as one line of text; empty where it has none."""
    title = spec.get("title") or ""
    text = title.get("text", "") if isinstance(title, Mapping) else title
    return text if isinstance(text, str) else " ".join(text)

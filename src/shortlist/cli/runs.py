"""The folder that a training command fills, and the pictures in it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from shortlist.errors import BundleError, MissingExtraError

__all__ = ["new_folder", "save_curves"]

Series = Mapping[int, float]


def new_folder(out: Path | None) -> Path:
    """The folder to write into, made now so that hours of training do not end at a wrong path.

    Raises `BundleError` where it holds something already: results are never written over.
    """
    folder = out or Path("runs") / dt.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"{folder} is there already and not empty. Name a new folder with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{folder} cannot be made: {error}. Name another folder with --out.") from error
    return folder


def save_curves(
    folder: Path,
    curves: Mapping[str, Sequence[Series]],
    baselines: Mapping[str, float],
    metric: str,
    references: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Path]:
    """The curves of each depth, a series a seed, as PNG, SVG and a page; their paths come back.

    `references` are others' curves by the name to show: tables with `layers`, `validate_every` and a list under
    the metric's short name. Without the extra `report` nothing is drawn, and stderr says how to get it.
    """
    try:
        from shortlist.report import Baseline, Curve, accuracy_chart, save_chart
    except MissingExtraError as error:
        typer.echo(f"No curves were drawn. {error}", err=True)
        return []
    short, _, protocol = metric.partition("/")
    drawn = [
        Curve(name, tuple(runs[0]), tuple(tuple(run[epoch] for epoch in runs[0]) for run in runs))
        for name, runs in curves.items()
    ]
    for label, reference in (references or {}).items():
        name, values = str(reference["layers"]), reference[short]
        last = max(epoch for runs in curves.values() for epoch in runs[0])
        points = [((place + 1) * reference["validate_every"], value) for place, value in enumerate(values)]
        kept = [(epoch, value) for epoch, value in points if epoch <= last]
        epochs, series = zip(*kept, strict=True)
        drawn.append(Curve(label, epochs, (series,), reference=True, of=name if name in curves else None))
    words = short.replace("_", " ")
    chart = accuracy_chart(
        drawn,
        [Baseline(name, value) for name, value in baselines.items()],
        metric=words,
        title=f"{words[0].upper()}{words[1:]} against epoch",
        subtitle=protocol.replace("_", " ").replace("/", " · "),
    )
    return save_chart(chart, folder, "curves")

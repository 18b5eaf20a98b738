"""What a training command writes into its folder: the history and the pictures."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shortlist.atomic import naming
from shortlist.errors import DataError, MissingExtraError, SettingsError

if TYPE_CHECKING:
    from shortlist.training import Epoch

__all__ = ["HistoryFile", "draw_curves", "read_references"]

Series = Mapping[int, float]


class HistoryFile:
    """The history of a run as JSON lines, one an epoch, written as the epochs end.

    A resumed training tells of its earlier epochs again, so the file starts anew with the first of them and holds
    none twice; where the training cannot be resumed, it stays as it was.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mode = "w"

    def write(self, epoch: "Epoch") -> None:
        """One epoch more."""
        with naming(self._path), self._path.open(self._mode, encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(epoch)) + "\n")
        self._mode = "a"


def read_references(paths: Sequence[Path], metric: str) -> dict[str, dict[str, Any]]:
    """Others' curves by their files' names, each a table with `layers`, `validate_every` and the metric's values.

    Raises `SettingsError` for a file that cannot be read or is no such table.
    """
    references = {path.stem: _read_reference(path, metric) for path in paths}
    if len(references) < len(paths):
        raise SettingsError(f"--reference names two files that are called the same: {', '.join(map(str, paths))}.")
    return references


def _read_reference(path: Path, metric: str) -> dict[str, Any]:
    wanted = f'--reference wants a JSON file with "layers", "validate_every" and "{metric}" (a list of numbers)'
    try:
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{wanted}, but {path} cannot be read: {error}.") from error
    if not isinstance(table, dict) or not {"layers", "validate_every", metric} <= table.keys():
        raise SettingsError(f"{wanted}, but {path} has not all of them.")
    values, every = table[metric], table["validate_every"]
    numbers = values if isinstance(values, list) else []
    if not numbers or not all(type(value) in (int, float) and math.isfinite(value) for value in numbers):
        raise SettingsError(f"{wanted}, but {path} has other values under it.")
    if type(every) is not int or every < 1:
        raise SettingsError(f'{wanted}, but in {path} "validate_every" is {every!r}.')
    return table


def draw_curves(
    folder: Path,
    curves: Mapping[str, Sequence[Series]],
    baselines: Mapping[str, float],
    metric: str,
    watched: str,
    references: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Path]:
    """The curves of each depth, a series a seed, as PNG, SVG and a page; their paths come back.

    `watched` names the events that were ranked, and `baselines` are on the same ones. Seeds that stopped early end
    the curve of their depth: it holds the epochs that all of them have. `references` come from `read_references`.
    Where no epoch was validated, there are more depths than colours, or the extra `report` is missing, nothing is
    drawn, and stderr says so.
    """
    try:
        from shortlist.report import Baseline, Curve, accuracy_chart, common_curves, save_chart
    except MissingExtraError as error:
        typer.echo(f"No curves were drawn. {error}", err=True)
        return []
    drawn = common_curves(curves)
    if not drawn:
        typer.echo("No curves were drawn: no epoch was validated.", err=True)
        return []
    short, _, protocol = metric.partition("/")
    last = max(curve.epochs[-1] for curve in drawn)
    for label, reference in (references or {}).items():
        name, every = str(reference["layers"]), reference["validate_every"]
        points = [((place + 1) * every, value) for place, value in enumerate(reference[short])]
        points = [(epoch, value) for epoch, value in points if epoch <= last]
        if points:
            epochs, series = zip(*points, strict=True)
            of = name if any(curve.name == name for curve in drawn) else None
            drawn.append(Curve(label, epochs, (series,), reference=True, of=of))
    words = short.replace("_", " ")
    try:
        chart = accuracy_chart(
            drawn,
            [Baseline(name, value) for name, value in baselines.items()],
            metric=words,
            title=f"{words[0].upper()}{words[1:]} against epoch",
            subtitle=f"{watched} events · {protocol.replace('_', ' ').replace('/', ' · ')}",
        )
    except DataError as error:  # the figures are worth more than the picture
        typer.echo(f"No curves were drawn. {error}", err=True)
        return []
    return save_chart(chart, folder, "curves")

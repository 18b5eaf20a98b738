"""The command that makes a page of runs."""

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shortlist as sl
from shortlist.atomic import made_folder, write_file
from shortlist.cli.output import AsJson, show, table
from shortlist.errors import DataError, SettingsError, ShortlistError

if TYPE_CHECKING:
    from shortlist.bundle import Bundle
    from shortlist.report import Checks, ReportedRun

__all__ = ["commands"]

commands = typer.Typer()
COMPARISON, PAGE = "comparison.json", "report.html"


@commands.command(epilog="Example: shortlist report films --out films.html")
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders that train or compare wrote.", metavar="RUN...")],
    out: Annotated[Path | None, typer.Option(help=f"The page; {PAGE} in the first RUN where left out.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    without_doctor: Annotated[
        bool, typer.Option("--without-doctor", help="Do not load the data to examine it, nor look at vectors.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make one stand-alone page of runs: the verdict first, then what it rests on.

    It shows models beside baselines, curves, metrics, slices, findings about the data, the health
    of the vectors, settings and cost. Several runs get a column each.
    """
    from shortlist.report import about_depths, across_runs, headline, report_page

    page = out or runs[0] / PAGE
    _refuse_page(page, force)
    names = _names(runs)
    reported = [_read_run(path, name, examined=not without_doctor) for path, name in zip(runs, names, strict=True)]
    text = report_page(reported, sl.doctor.FIGURES)
    with made_folder(page.parent):
        write_file(page, text.encode())
    told = [" ".join(filter(None, (*headline(run), about_depths(run)))) for run in reported]
    across = across_runs(reported) if len(reported) > 1 else None
    result = {
        "across": across,
        "runs": [
            {"run": str(path), "verdict": verdict, **_facts(run)}
            for path, verdict, run in zip(runs, told, reported, strict=True)
        ],
        "file": str(page),
    }
    show(result, as_json, lambda: _show(result, reported))


def _refuse_page(page: Path, force: bool) -> None:
    if page.is_dir():
        raise SettingsError(f"{page} is a folder, and the report is a file. Name one with --out, such as {PAGE}.")
    if page.exists() and not force:
        raise SettingsError(f"{page} is there already. Name another file with --out, or write over it with --force.")


def _names(runs: list[Path]) -> list[str]:
    """What the page calls the runs: their folders' names, or the whole paths where these are not enough."""
    names = [path.resolve().name for path in runs]
    if len(set(names)) == len(names):
        return names
    paths = [str(path) for path in runs]
    if len(set(paths)) < len(paths):
        raise SettingsError(f"report wants each RUN once, but got {', '.join(paths)}.")
    return paths


def _read_run(path: Path, name: str, *, examined: bool) -> "ReportedRun":
    """The run in a folder; raises `DataError` where it holds none."""
    from shortlist.report import compared_run, trained_run

    bundle: Bundle | None = None
    if (path / COMPARISON).is_file():
        run = compared_run(name, _read_json(path / COMPARISON))
    elif any((folder / "manifest.json").is_file() for folder in (path, path / "bundle")):
        bundle = sl.load_bundle(path)
        if bundle.evaluation is None:
            raise DataError(f"{path} was saved without its evaluation, so there is nothing to report. Save it anew.")
        run = trained_run(
            name,
            bundle.experiment,
            bundle.evaluation,
            bundle.history,
            parameters=_num_weights(bundle),
            refit_seconds=bundle.data.get("refit_seconds", 0.0),
            notes=bundle.data.get("notes", ()),
        )
    else:
        raise DataError(f"{path} is no run: {_what_is_there(path)}. Name a folder that train or compare wrote.")
    return dataclasses.replace(run, checks=_examine(run, bundle)) if examined else run


def _what_is_there(path: Path) -> str:
    if not path.exists():
        return "there is no such folder"
    if not path.is_dir():
        return "it is a file"
    if (path / "experiment.toml").is_file():
        return "its training is not finished, for there is no bundle in it"
    return f"it holds neither a bundle nor {COMPARISON}"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. Compare anew.") from error


def _num_weights(bundle: "Bundle") -> int | None:
    """How many numbers the towers' weights are, from the head of their safetensors file."""
    if isinstance(bundle.weights, bytes):
        return None
    with bundle.weights.open("rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes: list[list[int]] = [entry["shape"] for name, entry in head.items() if name != "__metadata__"]
    return sum(math.prod(shape) for shape in shapes)


def _examine(run: "ReportedRun", bundle: "Bundle | None") -> "Checks":
    """What the doctor says about a run's data and vectors, or why it could not look."""
    from shortlist.report import Checks

    findings: list[dict[str, str]] | str
    try:
        if run.from_python:
            raise DataError("it came from Python, and no file names it.")
        experiment = sl.Experiment.read(dict(run.experiment), f"the settings of {run.name}")
        findings = [finding.to_json() for finding in sl.doctor.examine_experiment(experiment)]
    except (ShortlistError, OSError) as error:
        findings = f"The data could not be examined: {error}"
    health: Any = "A comparison saves no vectors; train one depth to look at its vectors' health."
    if bundle is not None:
        try:
            health = sl.bundle_health(bundle).to_json()
        except ShortlistError as error:
            health = f"The vectors could not be looked at: {error}"
    return Checks.of(findings, health)


def _facts(run: "ReportedRun") -> dict[str, Any]:
    metric = run.decisive
    return {
        "metric": metric,
        "models": {model.name: model.mean(metric) for model in run.models},
        "baselines": {name: values[metric] for name, values in run.beside.metrics.items()},
        "not_computed": dict(run.beside.not_computed),
    }


def _show(result: dict[str, Any], runs: "list[ReportedRun]") -> None:
    from shortlist.report import findings_summary

    if result["across"]:
        typer.echo(result["across"])
    for line, run in zip(result["runs"], runs, strict=True):
        typer.echo(line["verdict"] if len(runs) == 1 else f"{run.name}: {line['verdict']}")
        rows = [[name, f"{value:.4f}"] for name, value in line["models"].items()]
        rows += [[f"{name} (baseline)", f"{value:.4f}"] for name, value in line["baselines"].items()]
        rows += [[f"{name} (baseline)", f"not computed: {why}"] for name, why in line["not_computed"].items()]
        table(f"{run.name} · {run.decisive}", ["", "mean"], rows)
        findings = run.checks.findings
        if findings is not None and not isinstance(findings, str):
            typer.echo(f"The doctor found {findings_summary(findings)} in the data.")
    typer.echo(f"wrote {result['file']}")

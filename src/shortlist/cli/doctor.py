"""Commands that look for what is wrong: in data, and in a bundle's vectors."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.cli.answers import BundlePath
from shortlist.cli.choices import Data, Preset, choose_experiment
from shortlist.cli.data import announce
from shortlist.cli.output import AsJson, show
from shortlist.cli.tables import Tables, table_flags

__all__ = ["commands"]

commands = typer.Typer()
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 where a problem is found.")]


@commands.command(epilog="Example: shortlist doctor movielens-100k --preset tutorial")
@table_flags
def doctor(
    data: Data,
    tables: Tables,
    preset: Preset = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Look for what makes results wrong or misleading: in data, in its split, and in the columns that a model reads."""
    experiment = choose_experiment(data, preset, tables, {})
    if experiment.data.source is not None:
        sl.datasets.fetch(experiment.data.source, announce=announce)
    findings = sl.doctor.examine_experiment(experiment)
    show([finding.to_json() for finding in findings], as_json, lambda: _show_findings(findings))
    _end(findings, strict)


@commands.command(epilog="Example: shortlist health films")
def health(bundle: BundlePath, strict: Strict = False, as_json: AsJson = False) -> None:
    """Show whether a bundle's vectors can tell items and users apart, in figures and in sentences."""
    found = sl.bundle_health(sl.load_bundle(bundle))
    show(found.to_json(), as_json, lambda: _show_health(found))
    _end(found.findings, strict)


def _show_health(health: "sl.doctor.Health") -> None:
    for name, value in health.figures.items():
        typer.echo(f"{name:17} {_number(value):>9}  {sl.doctor.FIGURES[name]}")
    _show_findings(health.findings)


def _show_findings(findings: "Sequence[sl.doctor.Finding]") -> None:
    for finding in findings:
        typer.echo(f"{finding.severity}: {finding.name}\n  {finding.says}\n  What to do: {finding.remedy}")
    counts = [(word, sum(finding.severity == word for finding in findings)) for word in ("problem", "warning", "note")]
    typer.echo(", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts) + ".")


def _number(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def _end(findings: "Sequence[sl.doctor.Finding]", strict: bool) -> None:
    if strict and any(finding.severity == "problem" for finding in findings):
        raise typer.Exit(1)

"""How results are printed: a table for people, JSON for programs."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import shortlist as sl

__all__ = ["AsJson", "counter", "show", "show_metrics", "show_not_computed", "table"]

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def show(result: Any, as_json: bool, for_people: Callable[[], None]) -> None:
    """Print the result to stdout: as JSON, or as `for_people` prints it."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, allow_nan=False))
    else:
        for_people()


@contextmanager
def counter(what: str, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A count on stderr that grows while work of unknown length is done; what it gives is told how much more."""
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as progress:
        task = progress.add_task(what, total=None)
        yield lambda more: progress.advance(task, more)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout under its title: the first column to the left, the others to the right."""
    typer.echo(title)
    drawn = Table()
    for place, column in enumerate(columns):
        drawn.add_column(column, justify="right" if place else "left", no_wrap=place == 0)
    for row in rows:
        drawn.add_row(*row)
    # Without a terminal Rich takes 80 columns; a file or a pipe has no edge.
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, emoji=False, highlight=False, width=160)
    console.print(drawn)


def show_not_computed(result: dict[str, Any]) -> None:
    """Which baselines are missing and why, and with which settings the others stand there."""
    for name, reason in result["not_computed"].items():
        typer.echo(f"{name}: not computed: {reason}.")
    for name, reason in result["not_searched"].items():
        typer.echo(f"{name}: with its default settings, for none could be searched: {reason}.")
    chosen = [
        f"{name} ({', '.join(f'{k} {v:g}' for k, v in of.items())})" for name, of in result["baseline_settings"].items()
    ]
    if chosen:
        typer.echo(f"Settings chosen on validation events: {', '.join(chosen)}.")


def _is_shown(name: str, decisive: str) -> bool:
    """Whether people see the metric at once: those at the K of the decisive one, and top-K accuracy at every K."""
    metric, decisive = name.partition("/")[0], decisive.partition("/")[0]
    kind, k = sl.settings.parse_metric(metric)
    return kind == "accuracy" or k in (0, sl.settings.parse_metric(decisive)[1])


def _show_slices(assessment: dict[str, Any]) -> None:
    """The decisive metric on each slice, with its interval, beside the best baseline there."""
    rows = [
        [
            part["name"],
            f"{part['targets']:,}",
            f"{part['users']:,}",
            f"{part['value']:.3f}",
            "" if part["low"] is None else f"{part['low']:.3f}–{part['high']:.3f}",
            f"{part['baseline']} {part['baseline_value']:.3f}",
            f"{part['difference']:+.3f}",
        ]
        for part in assessment["slices"]
    ]
    if rows:
        metric = assessment["decisive"].partition("/")[0]
        columns = [metric, "targets", "users", "model", "95 % interval", "best baseline", "difference"]
        table("Slices", columns, rows)


def show_metrics(assessment: dict[str, Any]) -> None:
    """An assessment for people: the protocol once, the model and each baseline in a column, the verdict."""
    metrics: dict[str, float] = assessment["metrics"]
    protocol = next(iter(metrics)).partition("/")[2].replace("_", " ").replace("/", " · ")
    counts = assessment["counts"]
    title = f"{counts['targets']:,} targets of {counts['users']:,} users among {counts['items']:,} items · {protocol}"
    baselines = assessment["baselines"]
    shown = [name for name in metrics if _is_shown(name, assessment["decisive"])]
    rows = [
        [name.partition("/")[0], f"{metrics[name]:.4f}", *(f"{baseline[name]:.4f}" for baseline in baselines.values())]
        for name in shown
    ]
    table(title, ["metric", "model", *baselines], rows)
    if len(shown) < len(metrics):
        typer.echo(f"{len(metrics) - len(shown)} more metrics: --json.")
    show_not_computed(assessment)
    _show_slices(assessment)
    for count, says in (
        ("absent_targets", "targets name items that the catalogue does not hold and were not ranked"),
        ("repeated_targets", "targets repeat a user and item and were counted once"),
        ("seen_targets", "targets were touched by their user before; they were ranked all the same"),
    ):
        if counts[count]:
            typer.echo(f"{counts[count]:,} {says}.")
    typer.echo(assessment["verdict"])
    if assessment["shortfall"]:
        typer.echo(assessment["shortfall"])
    beside_popularity = assessment["verdicts"].get("popularity", {}).get("says")
    if beside_popularity not in (None, assessment["verdict"]):
        typer.echo(beside_popularity)
    for note in assessment["notes"]:
        typer.echo(note)

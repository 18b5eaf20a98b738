"""Commands that search settings."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import shortlist as sl
from shortlist.cli.choices import Data, Epochs, Preset, Set, changes, choose_experiment
from shortlist.cli.data import load
from shortlist.cli.output import AsJson, show, table
from shortlist.cli.run_folder import folder_of_now
from shortlist.cli.tables import Tables, table_flags

__all__ = ["commands"]

commands = typer.Typer()
# So many of the best trials, and of the errors, are printed.
SHOWN, ERRORS = 10, 3


@commands.command(epilog="Example: shortlist space movielens-100k > space.toml")
@table_flags
def space(data: Data, tables: Tables, preset: Preset = None, settings: Set = None, as_json: AsJson = False) -> None:
    """Print the search space that tune takes for an experiment where none is given, as a file to edit."""
    found = sl.default_space(choose_experiment(data, preset, tables, changes(None, settings)))
    show(found.tables(), as_json, lambda: typer.echo(found.to_toml(), nl=False))


@commands.command(epilog="Example: shortlist tune movielens-100k --epochs 5 --trials 20 --out tuned")
@table_flags
def tune(
    data: Data,
    tables: Tables,
    preset: Preset = None,
    space: Annotated[
        Path | None, typer.Option(help="A file with the settings that vary; shortlist space prints the default.")
    ] = None,
    trials: Annotated[
        int, typer.Option(help="How many trials the search has in all, those of earlier calls too.")
    ] = 50,
    workers: Annotated[int, typer.Option(help="How many processes train at a time; they share the threads.")] = 1,
    pruning: Annotated[
        Literal["median", "halving", "none"], typer.Option(help="Which trials end early: see docs/tuning.md.")
    ] = "median",
    epochs: Epochs = None,
    settings: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The search's folder; one that was cut off there goes on. runs/<time> where left out."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Draw no progress bar on stderr.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search depth, width, rates and other settings on validation events; the test is not asked.

    The folder holds the study, a table of its trials, and the best one as experiment.toml, which train takes. The same
    command with the same folder goes on with a search that was cut off.
    """
    search = sl.tune  # an extra that is missing is told of before the data is read
    experiment = choose_experiment(data, preset, tables, changes(epochs, settings))
    searched = sl.default_space(experiment) if space is None else sl.load_space(space)
    folder = out or folder_of_now()
    try:
        tuned = search(
            experiment,
            searched,
            trials=trials,
            folder=folder,
            workers=workers,
            pruning=pruning,
            data=load(experiment),
            progress=not quiet,
        )
    except KeyboardInterrupt:
        if folder.exists():
            typer.echo(f"Cut off. Go on with the same command and --out {folder}", err=True)
        raise
    result = {**tuned.to_json(), "folder": str(folder)}
    show(result, as_json, lambda: _show_search(result, searched))


def _show_search(result: dict[str, Any], searched: "sl.Space") -> None:
    rows = result["trials"]
    finished = sorted((row for row in rows if row["state"] == "finished"), key=lambda row: -row["value"])
    shown = finished[:SHOWN] + [row for row in finished[SHOWN:] if row["trial"] == 0]  # where it started
    names = searched.names
    metric, _, protocol = result["metric"].partition("/")
    counts = {state: sum(row["state"] == state for row in rows) for state in ("finished", "pruned", "failed")}
    counted = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    table(
        f"{len(rows)} trials: {counted} · {metric} on validation events · {protocol.replace('/', ' · ')}",
        ["trial", metric, "epoch", "seconds", *_short(names)],
        [
            [
                str(row["trial"]),
                f"{row['value']:.4f}",
                str(row["epoch"]),
                f"{row['seconds']:.0f}",
                *(_word(row[name]) for name in names),
            ]
            for row in shown
        ],
    )
    if result["importance"]:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in zip(
            _short(list(result["importance"])), result["importance"].values(), strict=True))  # fmt: skip
        typer.echo(f"What the best trials have in common, as shares of importance: {shares}.")
    failed = [row for row in rows if row["state"] == "failed"]
    for row in failed[:ERRORS]:
        typer.echo(f"trial {row['trial']} failed: {row['error']}")
    if len(failed) > ERRORS:
        typer.echo(f"{len(failed) - ERRORS} more failed: trials.csv.")
    for name in ("study.journal", "trials.csv", "experiment.toml"):
        typer.echo(f"wrote {Path(result['folder']) / name}")
    typer.echo(
        "The value of the best of many is too high by what chance gave it. Train it and ask the test, once: shortlist "
        f"train {Path(result['folder']) / 'experiment.toml'}"
    )


def _short(names: list[str]) -> list[str]:
    """The ends of dotted names, as short as they can be told apart.

    >>> _short(["training.optimizer.adamw.learning_rate", "training.optimizer.adagrad.learning_rate", "training.loss"])
    ['adamw.learning_rate', 'adagrad.learning_rate', 'loss']
    """
    ends = []
    for name in names:
        parts = name.split(".")
        tails = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        ends.append(next(t for t in tails if sum(f".{other}".endswith(f".{t}") for other in names) == 1))
    return ends


def _word(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

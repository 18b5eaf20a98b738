"""Commands that train."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

import shortlist as sl
from shortlist.atomic import write_file
from shortlist.cli.choices import Epochs, Preset, Set, changes, choose_experiment, parse_layers
from shortlist.cli.data import Source, load
from shortlist.cli.output import AsJson, show, show_metrics, table
from shortlist.cli.runs import draw_curves, output_folder, read_references

__all__ = ["commands"]

commands = typer.Typer()
Out = Annotated[Path | None, typer.Option(help="A new folder for what comes out; runs/<time> where left out.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Draw no progress bar on stderr.")]


@commands.command(epilog="Example: shortlist train movielens-100k --layers 64,32 --seed 1 --out films")
def train(
    source: Source,
    preset: Preset = None,
    layers: Annotated[str | None, typer.Option(help="Widths of the dense layers, such as 64,32.")] = None,
    epochs: Epochs = None,
    seed: Annotated[int | None, typer.Option(help="Fixes weights, order and dropout.")] = None,
    settings: Set = None,
    out: Out = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a two-tower model, evaluate it beside popularity, and save it as a bundle."""
    changed = changes(epochs, settings)
    if layers is not None:
        changed = sl.settings.merge(changed, {"model": {"two_tower": {"layers": parse_layers(layers)}}})
    if seed is not None:
        changed = sl.settings.merge(changed, {"training": {"schedule": {"seed": seed}}})
    experiment = choose_experiment(source, preset, changed)
    data = load(source)
    with output_folder(out) as folder:
        run = sl.run_experiment(experiment, data=data, progress=not quiet)
        assessment = run.evaluate()
        bundle = run.save(folder / "bundle", assessment)
        write_file(folder / "experiment.toml", experiment.to_toml().encode())
        name = run.protocol.name(assessment.model.decisive)
        curves = {str(list(run.model.settings.layers)): [run.history.curve(name)]}
        pictures = draw_curves(folder, curves, run.curve_baselines(assessment), name, run.training.watch)
    result = {
        "bundle": str(bundle),
        **assessment.to_json(),
        "history": {"epochs": len(run.history.epochs), "best_epoch": run.history.best_epoch,
                    "seconds": run.history.seconds},
        "notes": run.notes,
        "files": [str(path) for path in pictures],
    }  # fmt: skip
    show(result, as_json, lambda: _show_run(result))


@commands.command(epilog="Example: shortlist compare movielens-100k --preset tutorial --epochs 20")
def compare(
    source: Source,
    preset: Preset = None,
    layers: Annotated[list[str] | None, typer.Option(help="Widths of one depth, such as 64,32. Repeat it.")] = None,
    epochs: Epochs = None,
    seed: Annotated[list[int] | None, typer.Option(help="One seed; repeat it. Three or more tell noise.")] = None,
    settings: Set = None,
    reference: Annotated[
        list[Path] | None, typer.Option(help="A JSON file with somebody else's curve, drawn dashed. Repeat it.")
    ] = None,
    out: Out = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train several depths with several seeds: the table, the curves, and which differences are real."""
    depths = [parse_layers(depth) for depth in layers or ["32", "64,32", "128,64,32"]]
    experiment = choose_experiment(source, preset, changes(epochs, settings))
    data = load(source)
    protocol = experiment.evaluation.protocol
    metric = protocol.decisive(data.num_items)
    references = read_references(reference or [], metric)
    with output_folder(out) as folder:
        comparison = sl.compare(experiment, depths, seed or [1, 2, 3], data=data, progress=not quiet)
        result = comparison.to_json()
        written = write_file(
            folder / "comparison.json", json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False).encode()
        )
        curves = {name: [run.curve for run in runs] for name, runs in comparison.by_depth.items()}
        baselines = comparison.runs[0].curve_baselines
        watched = experiment.training.schedule.watch
        pictures = draw_curves(folder, curves, baselines, protocol.name(metric), watched, references)
    result["files"] = [str(path) for path in (written, *pictures)]
    lines = [*comparison.verdicts, *comparison.differences, *comparison.failed, *comparison.notes]
    show(result, as_json, lambda: _show_comparison(result, [str(line) for line in lines]))


def _show_run(result: dict[str, Any]) -> None:
    show_metrics(result)
    history = result["history"]
    typer.echo(
        f"{history['epochs']} epochs in {history['seconds']:.0f} s; the weights are epoch {history['best_epoch']}'s."
    )
    _show_files([result["bundle"], *result["files"]])


def _show_comparison(result: dict[str, Any], lines: list[str]) -> None:
    summary = result["summary"]
    metric = summary[0]["metric"]
    rows = [
        [
            str(line["layers"]),
            f"{line['mean']:.4f}",
            "one seed" if line["deviation"] is None else f"±{line['deviation']:.4f}",
            f"{line['lowest']:.4f}–{line['highest']:.4f}",
            f"{line['parameters']:,}",
            f"{line['seconds']:.0f}",
            "not measured" if line["peak_memory_mib"] is None else f"{line['peak_memory_mib']:.0f}",
        ]
        for line in summary
    ]
    rows += [[name, f"{values[metric]:.4f}", "", "", "", "", ""] for name, values in result["baselines"].items()]
    seeds = ", ".join(str(seed) for seed in summary[0]["seeds"])
    columns = ["layers", "mean", "deviation", "range", "parameters", "seconds", "peak MiB"]
    table(f"{metric} · seeds {seeds}", columns, rows)
    for line in lines:
        typer.echo(line)
    _show_files(result["files"])


def _show_files(files: list[str]) -> None:
    for path in files:
        typer.echo(f"wrote {path}")

"""Commands that train."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shortlist as sl
from shortlist.atomic import write_file
from shortlist.cli.choices import DATA_HELP, Data, Epochs, Preset, Set, changes, choose_experiment, parse_layers
from shortlist.cli.data import load
from shortlist.cli.output import AsJson, show, show_metrics, show_not_computed, table
from shortlist.cli.run_folder import (
    BUNDLE,
    HISTORY,
    checkpointing_in,
    output_folder,
    remove_checkpoints,
    start_run,
    take_up_run,
)
from shortlist.cli.runs import HistoryFile, draw_curves, read_references
from shortlist.cli.tables import Tables, table_flags
from shortlist.cli.tracking import Track, trackers_by_name
from shortlist.errors import SettingsError

if TYPE_CHECKING:
    from shortlist.training import Epoch

__all__ = ["commands"]

commands = typer.Typer()
Out = Annotated[Path | None, typer.Option(help="A new folder for what comes out; runs/<time> where left out.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Draw no progress bar on stderr.")]


@commands.command(epilog="Example: shortlist train movielens-100k --layers 64,32 --seed 1 --out films")
@table_flags
def train(
    tables: Tables,
    data: Annotated[str | None, typer.Argument(help=DATA_HELP, metavar="DATA")] = None,
    preset: Preset = None,
    layers: Annotated[str | None, typer.Option(help="Widths of the dense layers, such as 64,32.")] = None,
    epochs: Epochs = None,
    seed: Annotated[int | None, typer.Option(help="Fixes weights, order and dropout.")] = None,
    settings: Set = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option(help="The folder of a run that was cut off: it goes on from its last checkpoint.")
    ] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="Write a checkpoint once so many minutes have gone by since the last.")
    ] = 5.0,
    checkpoint_steps: Annotated[
        int | None, typer.Option(help="Write a checkpoint after every so many steps, too.")
    ] = None,
    without_history: Annotated[
        bool,
        typer.Option(
            "--without-history",
            help="Save no list of what each user had touched: it is personal data.",
        ),
    ] = False,
    track: Track = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a two-tower model, evaluate it beside baselines, and save it as a bundle.

    The run's folder holds the settings as used, the history, the curves and the bundle. A run that was killed goes on
    with --resume, to the same weights.
    """
    changed = changes(epochs, settings)
    if layers is not None:
        changed = sl.settings.merge(changed, {"model": {"two_tower": {"layers": parse_layers(layers)}}})
    if seed is not None:
        changed = sl.settings.merge(changed, {"training": {"schedule": {"seed": seed}}})
    if (data is None) == (resume is None):
        raise SettingsError("train wants either DATA or --resume with the folder of a run that was cut off.")
    with ExitStack() as stack:
        if resume is not None:
            if changed or tables or preset or out or track or without_history:
                raise SettingsError("A run resumes with its own data and choices; leave all but --resume out.")
            experiment, choices = stack.enter_context(take_up_run(resume))
            folder, track, without_history = resume, choices["track"], choices["without_history"]
            make_trackers, dataset = trackers_by_name(track), load(experiment)
        else:
            experiment = choose_experiment(data or "", preset, tables, changed)
            make_trackers, dataset = trackers_by_name(track or []), load(experiment)
            choices = {"without_history": without_history, "track": track or []}
            folder = stack.enter_context(start_run(out, experiment, **choices))
        checkpointing = dataclasses.replace(
            checkpointing_in(folder),
            every_steps=checkpoint_steps,
            every_minutes=checkpoint_minutes,
            resume=resume is not None,
        )
        trackers = [stack.enter_context(make(experiment, folder)) for make in make_trackers]
        try:
            run = sl.run_experiment(
                experiment,
                data=dataset,
                progress=not quiet,
                on_epoch=_tell([HistoryFile(folder / HISTORY).write, *(tracker.epoch for tracker in trackers)]),
                checkpointing=checkpointing,
            )
        except KeyboardInterrupt:
            if checkpointing.path.exists():
                typer.echo(f"Cut off. Go on with: shortlist train --resume {folder}", err=True)
            raise
        assessment = run.evaluate()
        bundle = run.save(folder / BUNDLE, assessment, with_history=not without_history)
        remove_checkpoints(checkpointing)
        name = run.protocol.name(assessment.model.decisive)
        curves = {str(list(run.model.settings.layers)): [run.history.curve(name)]}
        pictures = draw_curves(folder, curves, run.curve_baselines(assessment), name, run.training.watch)
        for tracker in trackers:
            tracker.result(assessment)
    result = {
        "bundle": str(bundle),
        **assessment.to_json(),
        "history": {"epochs": len(run.history.epochs), "best_epoch": run.history.best_epoch, "seconds": run.seconds,
                    "accidental_hits": run.history.epochs[-1].accidental_hits,
                    "known_positives": run.history.epochs[-1].known_positives},
        "notes": run.notes,
        "files": [str(path) for path in pictures],
    }  # fmt: skip
    show(result, as_json, lambda: _show_run(result))


@commands.command(epilog="Example: shortlist compare movielens-100k --preset tutorial --epochs 20")
@table_flags
def compare(
    data: Data,
    tables: Tables,
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
    experiment = choose_experiment(data, preset, tables, changes(epochs, settings))
    dataset = load(experiment)
    protocol = experiment.evaluation.protocol
    metric = sl.decisive_metric(experiment, dataset)
    references = read_references(reference or [], metric)
    with output_folder(out) as folder:
        comparison = sl.compare(experiment, depths, seed or [1, 2, 3], data=dataset, progress=not quiet)
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


def _tell(listeners: "Sequence[Callable[[Epoch], None]]") -> "Callable[[Epoch], None]":
    """One listener that tells all of these."""

    def tell(epoch: "Epoch") -> None:
        for listen in listeners:
            listen(epoch)

    return tell


def _show_run(result: dict[str, Any]) -> None:
    show_metrics(result)
    history = result["history"]
    typer.echo(
        f"{history['epochs']} epochs in {history['seconds']:.0f} s; the weights are epoch {history['best_epoch']}'s."
    )
    kinds = {"accidental hits": history["accidental_hits"], "known positives": history["known_positives"]}
    shares = " and ".join(f"{100 * share:.3g} % {kind}" for kind, share in kinds.items() if share is not None)
    if shares:
        typer.echo(f"Among the negatives of an event, before any is taken out: {shares}.")
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
    show_not_computed(result)
    for line in lines:
        typer.echo(line)
    _show_files(result["files"])


def _show_files(files: list[str]) -> None:
    for path in files:
        typer.echo(f"wrote {path}")

"""One experiment at several depths and seeds, in one process."""

import dataclasses
import gc
import statistics
from collections.abc import Sequence
from typing import Any

from shortlist.comparison.differences import Difference, differences
from shortlist.comparison.memory import peak_memory, reset_peak_memory
from shortlist.data import Dataset
from shortlist.data.splits import split as cut
from shortlist.errors import CollapsedError, DivergedError, SettingsError
from shortlist.evaluation import Assessment, Evaluation, SliceResult, Verdict, slice_result, verdict_of
from shortlist.experiment import run_experiment
from shortlist.settings import Experiment, Protocol
from shortlist.training import ProgressBar

__all__ = ["ComparedRun", "Comparison", "FailedRun", "compare", "decisive_metric", "depth_name"]

Layers = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """One depth with one seed. `peak_memory_mib` covers training and validation, and is None where unmeasurable.

    `curve` is the decisive metric at each validated epoch, and `curve_baselines` what the baselines have in it on
    the same events. `seconds` are training and validations together.
    """

    layers: Layers
    seed: int
    assessment: Assessment
    curve: dict[int, float]
    curve_baselines: dict[str, float]
    parameters: int
    seconds: float
    peak_memory_mib: float | None
    notes: tuple[str, ...]

    @property
    def evaluation(self) -> Evaluation:
        return self.assessment.model

    @property
    def baselines(self) -> dict[str, Evaluation]:
        return self.assessment.baselines

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON values, its metrics by their full names."""
        return {
            "layers": list(self.layers),
            "seed": self.seed,
            "metrics": self.evaluation.metrics,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "peak_memory_mib": self.peak_memory_mib,
            "curve": {str(epoch): value for epoch, value in self.curve.items()},
        }


@dataclasses.dataclass(frozen=True)
class FailedRun:
    """One depth with one seed whose numbers diverged or collapsed, with the error's text; it has no metrics."""

    layers: Layers
    seed: int
    error: str

    def __str__(self) -> str:
        return f"{depth_name(self.layers)} seed {self.seed} failed and is in no figure: {self.error}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All runs of a comparison with the baselines on the same targets, and the runs that failed."""

    experiment: Experiment
    runs: tuple[ComparedRun, ...]
    failed: tuple[FailedRun, ...] = ()

    @property
    def protocol(self) -> Protocol:
        return self.experiment.evaluation.protocol

    @property
    def metric(self) -> str:
        """The short name of the metric that decides."""
        return self.runs[0].evaluation.decisive

    @property
    def baselines(self) -> dict[str, Evaluation]:
        """The baselines, the same for every run."""
        return self.runs[0].baselines

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of these results should know, in sentences."""
        return self.runs[0].notes

    @property
    def by_depth(self) -> dict[str, list[ComparedRun]]:
        """The runs of each depth, by the depth's name, in the order given."""
        depths: dict[str, list[ComparedRun]] = {}
        for run in self.runs:
            depths.setdefault(depth_name(run.layers), []).append(run)
        return depths

    @property
    def summary(self) -> list[dict[str, Any]]:
        """A line for each depth: mean, spread and range of the decisive metric over seeds, and what it cost.

        `deviation` is the sample standard deviation over seeds, None for one seed.
        """
        metric = self.metric
        lines = []
        for runs in self.by_depth.values():
            values = [run.evaluation.value(metric) for run in runs]
            memory = [run.peak_memory_mib for run in runs if run.peak_memory_mib is not None]
            lines.append(
                {
                    "layers": list(runs[0].layers),
                    "seeds": [run.seed for run in runs],
                    "metric": self.protocol.name(metric),
                    "mean": statistics.fmean(values),
                    "deviation": statistics.stdev(values) if len(values) > 1 else None,
                    "lowest": min(values),
                    "highest": max(values),
                    "parameters": runs[0].parameters,
                    "seconds": statistics.fmean(run.seconds for run in runs),
                    "peak_memory_mib": max(memory) if memory else None,
                }
            )
        return lines

    @property
    def differences(self) -> list[Difference]:
        """Every pair of depths, and whether its difference is real."""
        evaluations = {name: [run.evaluation for run in runs] for name, runs in self.by_depth.items()}
        return differences(evaluations, self.metric)

    @property
    def slices(self) -> dict[str, list[SliceResult]]:
        """The decisive metric of each depth, averaged over its seeds, on each part of the targets."""
        return {
            name: [
                slice_result(part, [run.evaluation for run in runs], self.baselines, name)
                for part in self.runs[0].assessment.parts
            ]
            for name, runs in self.by_depth.items()
        }

    @property
    def verdicts(self) -> list[Verdict]:
        """Each depth, averaged over its seeds, against each baseline, with the interval over users."""
        return [
            verdict_of([run.evaluation for run in runs], baseline, name)
            for name, runs in self.by_depth.items()
            for baseline in self.baselines.values()
        ]

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {
            "experiment": self.experiment.tables(),
            "rows": [run.to_json() for run in self.runs],
            "failed": [dataclasses.asdict(failure) for failure in self.failed],
            "summary": self.summary,
            "decisive": self.protocol.name(self.metric),
            "counts": self.runs[0].evaluation.counts,
            **self.runs[0].assessment.beside.to_json(),
            "curve_baselines": self.runs[0].curve_baselines,
            "slices": {name: [part.to_json() for part in parts] for name, parts in self.slices.items()},
            "verdicts": [str(verdict) for verdict in self.verdicts],
            "differences": [difference.to_json() for difference in self.differences],
            "notes": list(self.notes),
        }


def compare(
    experiment: Experiment,
    layers: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    data: Dataset | None = None,
    progress: bool = True,
) -> Comparison:
    """Run the experiment once for each depth and each seed.

    The split stays the same, so that differences are the models'; a seed changes the weights' start, the order
    of events and dropout. A run that diverges or collapses is recorded as failed, and the others go on; where
    all fail, the last one's error is raised. Raises `SettingsError` for no depth, no seed, or one given twice.
    """
    depths = [tuple(depth) for depth in layers]
    _refuse_repeats("layers", depths)
    _refuse_repeats("seed", list(seeds))
    plans = [
        (depth, seed, experiment.override({"model": {"two_tower": {"layers": list(depth)}},
                                           "training": {"schedule": {"seed": seed}}}))
        for depth in depths
        for seed in seeds
    ]  # fmt: skip
    data = experiment.data.load() if data is None else data
    metric = decisive_metric(experiment, data)
    runs: list[ComparedRun] = []
    failed: list[FailedRun] = []
    with ProgressBar(metric, shown=progress) as bar:
        bar.expect(len(plans) * experiment.training.schedule.epochs)
        for depth, seed, plan in plans:
            bar.start(f"{depth_name(depth)} seed {seed}")
            try:
                runs.append(_run_one(plan, data, metric, bar, runs[0] if runs else None))
            except (DivergedError, CollapsedError) as error:
                failed.append(FailedRun(depth, seed, str(error)))
                if len(failed) == len(plans):
                    raise
    return Comparison(experiment, tuple(runs), tuple(failed))


def _run_one(plan: Experiment, data: Dataset, metric: str, bar: ProgressBar, first: ComparedRun | None) -> ComparedRun:
    """One run; only its figures outlive it, so that the next one's memory is its own.

    The baselines of the `first` run are everyone's.
    """
    gc.collect()
    measured = reset_peak_memory()
    run = run_experiment(plan, data=data, progress=False, on_epoch=bar.advance)
    peak = peak_memory() if measured else None
    assessment = run.evaluate(beside=None if first is None else first.assessment.beside)
    return ComparedRun(
        layers=run.model.settings.layers,
        seed=run.training.seed,
        assessment=assessment,
        curve=run.history.curve(run.protocol.name(metric)),
        curve_baselines=run.curve_baselines(assessment) if first is None else first.curve_baselines,
        parameters=run.model.num_parameters,
        seconds=run.seconds,
        peak_memory_mib=peak,
        notes=tuple(run.notes),
    )


def decisive_metric(experiment: Experiment, data: Dataset) -> str:
    """The short name of the metric that decides, by the catalogue that the split leaves to training."""
    train = cut(data, experiment.split.chosen).train
    return experiment.evaluation.protocol.decisive(train.num_items)


def depth_name(layers: Sequence[int]) -> str:
    """What a depth is called in tables and pictures.

    >>> depth_name((64, 32))
    '[64, 32]'
    """
    return str(list(layers))


def _refuse_repeats(name: str, values: Sequence[object]) -> None:
    if not values or len(set(values)) < len(values):
        raise SettingsError(f"compare wants at least one {name} and each once, but got {list(values)}.")

"""A run as the report shows it: a training and a comparison in the same form."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.errors import DataError
from shortlist.report.tables import (
    Bounds,
    ComparisonTable,
    CountsTable,
    DifferenceTable,
    EpochTable,
    EvaluationTable,
    FailedTable,
    FindingTable,
    HealthTable,
    RowTable,
    SliceTable,
    read_table,
)

__all__ = ["Beside", "Checks", "Cost", "Model", "ReportedRun", "compared_run", "setting", "trained_run"]


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one seed of a model took; None where it was not measured. `validation_seconds` are part of `seconds`."""

    parameters: int | None
    seconds: float
    epochs: int | None = None
    validation_seconds: float | None = None
    peak_memory_mib: float | None = None


@dataclasses.dataclass(frozen=True)
class Model:
    """A model with all its seeds.

    `metrics` and `costs` have one entry a seed, in the order of `seeds`; so do `curves`, the decisive metric at each
    validated epoch. `intervals` bound a metric over users (95 %), where the run's file says so. `verdicts` are
    sentences on the model beside each baseline, by its name; `shortfall` is one on why it stays behind the best.
    """

    name: str
    seeds: tuple[int, ...]
    metrics: tuple[Mapping[str, float], ...]
    costs: tuple[Cost, ...]
    curves: tuple[Mapping[int, float], ...]
    intervals: Mapping[str, Bounds]
    slices: tuple[SliceTable, ...]
    verdicts: Mapping[str, str]
    shortfall: str | None = None

    def values(self, metric: str) -> list[float]:
        """A metric of each seed that has it."""
        return [seed[metric] for seed in self.metrics if metric in seed]

    def mean(self, metric: str) -> float | None:
        """A metric averaged over seeds, None where it was not measured."""
        values = self.values(metric)
        return statistics.fmean(values) if values else None


@dataclasses.dataclass(frozen=True)
class Beside:
    """The baselines: their metrics by name, why others are not there, and their values on the curves' events."""

    metrics: Mapping[str, Mapping[str, float]]
    not_computed: Mapping[str, str]
    on_curves: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Checks:
    """What the doctor found: each None where it was not asked, and a sentence where it could not look."""

    findings: Sequence[FindingTable] | str | None = None
    health: HealthTable | str | None = None

    @classmethod
    def of(cls, findings: Sequence[Any] | str | None, health: Any) -> "Checks":
        """From plain tables: findings with severity, name, says and remedy; health with figures and findings."""
        if findings is not None and not isinstance(findings, str):
            findings = [read_table(FindingTable, table, "A finding") for table in findings]
        if health is not None and not isinstance(health, str):
            health = read_table(HealthTable, health, "The health of vectors")
        return cls(findings, health)


@dataclasses.dataclass(frozen=True)
class ReportedRun:
    """One column of the report. `kind` is the command that made the run, `failed` says which seeds gave no figures,
    `last_epoch` is that of a training.
    """

    name: str
    kind: str
    experiment: Mapping[str, Any]
    decisive: str
    counts: CountsTable
    models: tuple[Model, ...]
    beside: Beside
    differences: tuple[DifferenceTable, ...] = ()
    failed: tuple[FailedTable, ...] = ()
    notes: tuple[str, ...] = ()
    checks: Checks = Checks()
    last_epoch: EpochTable | None = None

    @property
    def from_python(self) -> bool:
        """Whether the data has no name by which a command could read it again, neither a data set's nor tables."""
        return all(setting(self.experiment, f"data.{key}") is None for key in ("source", "interactions"))

    @property
    def best(self) -> Model:
        """The model with the highest mean of the decisive metric."""
        return max(self.models, key=lambda model: model.mean(self.decisive) or 0.0)

    @property
    def best_baseline(self) -> str:
        """The name of the baseline that is highest in the decisive metric."""
        return max(self.beside.metrics, key=lambda name: self.beside.metrics[name][self.decisive])

    @property
    def verdict(self) -> str:
        """The sentence on the best model beside the best baseline."""
        return self.best.verdicts[self.best_baseline]


def trained_run(
    name: str,
    experiment: Mapping[str, Any],
    evaluation: Any,
    history: Sequence[Any],
    *,
    parameters: int | None = None,
    refit_seconds: float = 0.0,
    notes: Sequence[str] = (),
) -> ReportedRun:
    """A run of `shortlist train` from its bundle's tables; `name` says in errors which one it is.

    `refit_seconds` is what a second training took, which the history does not know.

    Raises `DataError` where a table lacks something or holds something else.
    """
    found = read_table(EvaluationTable, evaluation, f"{name}, evaluation.json")
    epochs = [
        read_table(EpochTable, line, f"{name}, history.jsonl, line {place}") for place, line in enumerate(history, 1)
    ]
    _require_decisive(found.decisive, {"metrics": found.metrics, **_named_baselines(found.baselines)}, name)
    best = max(found.baselines, key=lambda key: found.baselines[key][found.decisive])
    training, validation = sum(epoch.seconds for epoch in epochs), sum(epoch.validation_seconds for epoch in epochs)
    layers, seed = setting(experiment, "model.two_tower.layers"), setting(experiment, "training.schedule.seed")
    curve = {epoch.number: epoch.metrics[found.decisive] for epoch in epochs if found.decisive in epoch.metrics}
    model = Model(
        name="the model" if layers is None else f"the model {layers}",
        seeds=(seed if isinstance(seed, int) else 0,),
        metrics=(found.metrics,),
        costs=(Cost(parameters, training + validation + refit_seconds, len(epochs), validation),),
        curves=(curve,),
        intervals=found.intervals,
        slices=tuple(found.slices),
        verdicts={key: verdict.says for key, verdict in found.verdicts.items()} | {best: found.verdict},
        shortfall=found.shortfall,
    )
    # A run keeps what its baselines have on the test events only.
    on_test = setting(experiment, "training.schedule.watch") == "test"
    on_curves = {key: metrics[found.decisive] for key, metrics in found.baselines.items()} if on_test else {}
    beside = Beside(found.baselines, found.not_computed, on_curves)
    return ReportedRun(
        name, "train", experiment, found.decisive, found.counts, (model,), beside, notes=tuple(notes),
        last_epoch=epochs[-1] if epochs else None,
    )  # fmt: skip


def compared_run(name: str, comparison: Any) -> ReportedRun:
    """A run of `shortlist compare` from its table; `name` says in errors which one it is.

    Raises `DataError` where the table lacks something, holds something else, or does not go together.
    """
    where = f"{name}, comparison.json"
    found = read_table(ComparisonTable, comparison, where)
    metrics = {f"rows.{place}.metrics": row.metrics for place, row in enumerate(found.rows)}
    _require_decisive(found.decisive, {**metrics, **_named_baselines(found.baselines)}, where)
    depths: dict[str, list[RowTable]] = {}
    for row in found.rows:
        depths.setdefault(str(row.layers), []).append(row)
    wanted = len(depths) * len(found.baselines)
    if len(found.verdicts) != wanted:
        raise DataError(
            f"{where}: expected {wanted} verdicts, one for each of {len(depths)} depths and {len(found.baselines)} "
            f"baselines, got {len(found.verdicts)}. Compare anew."
        )
    verdicts = iter(found.verdicts)
    models = tuple(
        Model(
            name=depth,
            seeds=tuple(row.seed for row in rows),
            metrics=tuple(row.metrics for row in rows),
            costs=tuple(Cost(row.parameters, row.seconds, peak_memory_mib=row.peak_memory_mib) for row in rows),
            curves=tuple(row.curve for row in rows),
            intervals={},
            slices=tuple(found.slices.get(depth, ())),
            verdicts={baseline: next(verdicts) for baseline in found.baselines},
        )
        for depth, rows in depths.items()
    )
    beside = Beside(found.baselines, found.not_computed, found.curve_baselines)
    return ReportedRun(
        name, "compare", found.experiment, found.decisive, found.counts, models, beside, tuple(found.differences),
        tuple(found.failed), tuple(found.notes),
    )  # fmt: skip


def setting(experiment: Mapping[str, Any], name: str) -> Any:
    """A setting by its name, None where the experiment has none of it.

    >>> setting({"training": {"schedule": {"seed": 3}}}, "training.schedule.seed")
    3
    """
    found: Any = experiment
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _named_baselines(baselines: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    return {f"baselines.{name}": metrics for name, metrics in baselines.items()}


def _require_decisive(decisive: str, tables: Mapping[str, Mapping[str, float]], where: str) -> None:
    for key, metrics in tables.items():
        if decisive not in metrics:
            raise DataError(f"{where}: {key} holds no {decisive!r}, the metric that decides. Make the run anew.")

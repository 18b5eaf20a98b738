"""The tables that runs leave in files, as the report reads them: each key named, each number checked."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from shortlist.choice import explain
from shortlist.errors import DataError

__all__ = [
    "ComparisonTable",
    "CountsTable",
    "DifferenceTable",
    "EpochTable",
    "EvaluationTable",
    "FindingTable",
    "HealthTable",
    "SliceTable",
    "read_table",
]

Metrics = dict[str, FiniteFloat]
Bounds = tuple[FiniteFloat, FiniteFloat] | None
Layers = Annotated[list[int], Field(min_length=1)]
Kind = TypeVar("Kind", bound="_Table")


class _Table(BaseModel):
    """A table whose other keys are left alone, so that a newer version may write more of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SliceTable(_Table):
    """The decisive metric on a part of the targets, beside the baseline that is best there."""

    group: str
    name: str
    targets: int
    users: int
    value: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None
    baseline: str
    baseline_value: FiniteFloat
    difference: FiniteFloat
    difference_low: FiniteFloat | None
    difference_high: FiniteFloat | None


class CountsTable(_Table):
    """How much was measured, and what was odd about it."""

    targets: int
    users: int
    items: int
    absent_targets: int = 0
    repeated_targets: int = 0
    seen_targets: int = 0


class _Beside(_Table):
    """What the files of both commands hold."""

    decisive: str
    counts: CountsTable
    baselines: Annotated[dict[str, Metrics], Field(min_length=1)]
    not_computed: dict[str, str]


class VerdictTable(_Table):
    """The sentence on a model beside one baseline."""

    says: str


class EvaluationTable(_Beside):
    """A bundle's evaluation.json."""

    metrics: Metrics
    intervals: dict[str, Bounds]
    slices: list[SliceTable]
    verdict: str
    verdicts: dict[str, VerdictTable]
    shortfall: str | None = None


class EpochTable(_Table):
    """One line of history.jsonl."""

    number: int
    loss: FiniteFloat
    seconds: FiniteFloat
    validation_seconds: FiniteFloat = 0.0
    metrics: Metrics = {}
    accidental_hits: FiniteFloat | None = None
    known_positives: FiniteFloat | None = None


class RowTable(_Table):
    """One depth with one seed."""

    layers: Layers
    seed: int
    metrics: Metrics
    parameters: int
    seconds: FiniteFloat
    peak_memory_mib: FiniteFloat | None
    curve: dict[int, FiniteFloat]


class FailedTable(_Table):
    """One depth with one seed that gave no figures."""

    layers: Layers
    seed: int
    error: str


class DifferenceTable(_Table):
    """Two depths, and whether their difference is real (None: unknown)."""

    first: str
    second: str
    difference: FiniteFloat
    users_low: FiniteFloat | None
    users_high: FiniteFloat | None
    p_seeds: FiniteFloat | None
    real: bool | None


class ComparisonTable(_Beside):
    """A comparison.json. Its verdicts stand in the order of depths, and within a depth in that of the baselines."""

    experiment: dict[str, Any]
    rows: Annotated[list[RowTable], Field(min_length=1)]
    failed: list[FailedTable]
    curve_baselines: Metrics
    slices: dict[str, list[SliceTable]]
    verdicts: list[str]
    differences: list[DifferenceTable]
    notes: list[str]


class FindingTable(_Table):
    """Something that the doctor found."""

    severity: Literal["problem", "warning", "note"]
    name: str
    says: str
    remedy: str


class HealthTable(_Table):
    """Figures of a bundle's vectors (None: cannot be told), and what stands out in them."""

    figures: dict[str, FiniteFloat | None]
    findings: list[FindingTable]


def read_table(kind: type[Kind], table: Any, where: str) -> Kind:
    """The table, checked; raises `DataError` naming `where` and the key that is missing or holds something else.

    >>> read_table(EpochTable, {"number": 1, "loss": 0.5}, "history.jsonl, line 1")
    Traceback (most recent call last):
    ...
    shortlist.errors.DataError: history.jsonl, line 1: seconds is missing. It was changed, or another \
version wrote it: make the run anew, or report it with the version that made it.
    """
    try:
        if not isinstance(table, Mapping):
            raise DataError(f"{where}: expected a table of keys and values, got {type(table).__name__}. {REMEDY}")
        return kind.model_validate(table)
    except ValidationError as error:
        problems = error.errors()[:3]
        raise DataError(f"{where}: {explain(problems)} {REMEDY}") from None


REMEDY = "It was changed, or another version wrote it: make the run anew, or report it with the version that made it."

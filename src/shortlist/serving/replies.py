"""What answers look like, for the OpenAPI document; nothing is made from these models while a server runs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shortlist.recommender.answers import Filter, QueryKind

__all__ = [
    "BatchReply",
    "BundlesReply",
    "CardsReply",
    "HealthReply",
    "ItemCardReply",
    "ModelReply",
    "ProblemReply",
    "ReadyReply",
    "ShortlistReply",
    "UserCardReply",
]


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NearReply(_Exact):
    """An item of the history that is like an answer."""

    id: str | int
    label: str
    similarity: float


class WhyReply(_Exact):
    """Why an item stands in a list: what it is like, and how much of its score each feature of the query made."""

    near: list[NearReply]
    features: dict[str, float]


class ItemReply(BaseModel):
    """One answer; `why` is there where reasons were asked for."""

    # "why" is left out rather than null, which no default of pydantic says.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"required": ["id", "label", "score"]})

    id: str | int
    label: str
    score: float
    why: WhyReply


class SourceReply(_Exact):
    """What made an answer."""

    model: str | None
    index: str
    index_version: str | None
    exact: bool


class ShortlistReply(_Exact):
    """The best items for one query, best first."""

    items: list[ItemReply]
    query: QueryKind
    source: SourceReply
    filled: list[str]
    unknown: list[str]
    excluded: int
    filters: list[Filter]


class BatchReply(_Exact):
    """An answer for each request, in their order."""

    answers: list[ShortlistReply]


class ItemCardReply(_Exact):
    """An item as it is shown."""

    id: str | int
    label: str
    popularity: float
    retired: bool
    columns: dict[str, Any]


class UserCardReply(_Exact):
    """A user as it is shown: whether training knows it, and what the bundle keeps of it."""

    id: str | int
    known: bool
    columns: dict[str, Any]


class CardsReply(_Exact):
    """Several items."""

    items: list[ItemCardReply]


class BundleReply(_Exact):
    """A bundle that is loaded."""

    name: str
    version: str | None
    loaded_at: str


class HealthReply(_Exact):
    """The process lives."""

    status: Literal["alive"]


class ReadyReply(_Exact):
    """A bundle is there to answer from."""

    status: Literal["ready"]
    model: BundleReply


class TimesReply(_Exact):
    """Percentiles of milliseconds."""

    p50: float
    p99: float


class ShadowReply(_Exact):
    """How the staged bundle's answers differ from the live ones; milliseconds are of the processor."""

    share: float
    compared: int
    failed: int
    passed_over: int
    mean_overlap: float | None
    live_milliseconds: TimesReply | None
    staged_milliseconds: TimesReply | None


class BundlesReply(_Exact):
    """The bundles of this server, and the names of those that could be staged."""

    active: BundleReply | None
    staged: BundleReply | None
    previous: BundleReply | None
    loading: str | None
    available: list[str]
    shadow: ShadowReply


class IndexReply(_Exact):
    """The index that searches, and what was measured of it."""

    settings: dict[str, Any]
    measured: dict[str, Any] | None


class ColumnReply(_Exact):
    """A column of queries, for forms."""

    name: str
    form: str
    values: list[Any]
    range: list[float] | None


class ModelReply(BundleReply):
    """The active model."""

    index: IndexReply
    query_id: str
    query_columns: list[ColumnReply]
    item_columns: dict[str, str]
    counts: dict[str, int]
    notes: list[str]
    experiment: dict[str, Any]
    evaluation: dict[str, Any] | None
    limits: dict[str, float]


class ProblemReply(_Exact):
    """Why a request was refused: what was expected, what came and what to do; its place, and what could stand there."""

    error: str
    where: list[str | int] | None
    known: list[str] | None

"""A bundle's evaluation, from the data that its manifest names."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import TypeAdapter, ValidationError

from shortlist.bundle import Bundle, OnnxTower
from shortlist.data import Dataset, DataSource, Roles, Split
from shortlist.data.events import EventTable
from shortlist.data.histories import Histories
from shortlist.data.seen import Seen
from shortlist.data.splits import split as cut
from shortlist.data.tables import check_columns, to_frame
from shortlist.data.text_columns import typed
from shortlist.errors import BundleError, DataError, SettingsError
from shortlist.evaluation import (
    Assessment,
    Beside,
    Targets,
    VectorScores,
    assess,
    default_slices,
    evaluate,
    popularity_scores,
)
from shortlist.features import encode, event_table
from shortlist.recommender.catalogue import Catalogue
from shortlist.recommender.histories import HistoryEncoder
from shortlist.recommender.rules import RuleBook, Rules
from shortlist.settings import Protocol
from shortlist.settings.experiment import EvaluationSettings, SplitSettings

__all__ = ["AskedEvents", "QueryVectors", "evaluate_bundle", "own_test_events"]

Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class AskedEvents:
    """What an evaluation asks of a bundle: the targets among `data`, and what was known before them.

    `asked` are the events as event features read them. `split` is the training's own, None for later events.
    """

    data: Dataset
    targets: Targets
    asked: EventTable
    seen: Seen
    histories: Histories | None
    split: Split | None = None


def evaluate_bundle(
    bundle: Bundle,
    *,
    data: Dataset | None = None,
    events: Any = None,
    protocol: Protocol | None = None,
    where: Any = None,
) -> Assessment:
    """Rank test events by the saved towers, beside popularity, under the training's protocol or another.

    Without more, the data is read again from the source that the manifest names (or taken from `data`, the same data
    in Python), cut as then, and must have the same fingerprint: `BundleError` otherwise, and where the data had no
    name. With `events`, a table (of any library that `Dataset` takes) with the columns of the training's interactions,
    each of its rows is a test event: next week's clicks, say. Items that the catalogue does not hold are counted as
    absent, and rows of weight zero are none. What the bundle knows of users and what they had seen is used as it is; a
    bundle without that can leave no seen items out, and the metrics' names say "seen_included".

    The items ranked are those that a `Recommender` could return: none that is retired, and with `where` none that does
    not meet that condition. Events of others count as absent. Among them popularity alone stands beside the model.
    """
    if protocol is None:
        protocol = EvaluationSettings.model_validate(bundle.experiment["evaluation"]).protocol
    allowed = RuleBook(bundle, Catalogue(bundle)).for_queries(np.empty(0, np.int64), Rules(where=where)).allowed
    if events is not None:
        if bundle.seen is None:
            protocol = dataclasses.replace(protocol, seen="included")
        return _beside_popularity(bundle, _later_events(bundle, to_frame(events, "events")), protocol, allowed)
    test = own_test_events(bundle, data)
    if allowed is not None or test.split is None:
        return _beside_popularity(bundle, test, protocol, allowed)
    return assess(
        VectorScores(QueryVectors(bundle, test), bundle.item_vectors),
        data=test.data,
        split=test.split,
        targets=test.targets,
        seen=test.seen,
        protocol=protocol,
    )


def own_test_events(bundle: Bundle, data: Dataset | None = None) -> AskedEvents:
    """The test events that the bundle's own split set aside; see `evaluate_bundle` for `data` and the errors."""
    data = _load(bundle) if data is None else data
    split = cut(data, SplitSettings.model_validate(bundle.experiment["split"]).chosen)
    if bundle.data["validation_joined"]:
        split = split.joined()
    if split.fingerprint != bundle.data["fingerprint"]:
        raise BundleError(
            f"The data is not what this bundle was trained on (fingerprint {split.fingerprint[:12]}…, "
            f"expected {bundle.data['fingerprint'][:12]}…), so its test events could be training events. Train anew, "
            "or give later events with --data."
        )
    return AskedEvents(
        data=split.test,
        targets=Targets.of(split.test, one_query=not bundle.features.event),
        asked=event_table(bundle.features.event, split.test, split),
        seen=split.seen_before(split.test),
        histories=split.histories_before(split.test),
        split=split,
    )


def _load(bundle: Bundle) -> Dataset:
    tables = bundle.experiment["data"]
    if tables.get("source") is None and "interactions" not in tables:
        raise BundleError("This bundle's data came from Python and has no name to read it by; pass data=<the Dataset>.")
    try:
        source = TypeAdapter(DataSource).validate_python(tables)
        return source.load()
    except (ValidationError, SettingsError, DataError) as error:
        raise BundleError(
            f"The data that this bundle names cannot be read: {error} Pass data=<the Dataset>, or give later events "
            "with --data."
        ) from error


def _later_events(bundle: Bundle, events: pl.DataFrame) -> AskedEvents:
    """Every row of the table as a test event over the bundle's own catalogue and users."""
    roles = Roles(**bundle.data["roles"])
    check_columns(events, [roles.query_id, roles.item_id], "events", "Name the columns as the training's were.")
    events = events.with_columns(
        _ids_like(events[roles.query_id], bundle.users[roles.query_id].dtype),
        _ids_like(events[roles.item_id], bundle.items["id"].dtype),
    )
    catalogue = Dataset(
        bundle.items.select(pl.col("id").alias(roles.item_id), pl.lit("nobody").alias(roles.query_id)),
        items=bundle.items.select(pl.col("id").alias(roles.item_id)),
        query_id=roles.query_id,
        item_id=roles.item_id,
    )
    data = Dataset(
        events,
        users=bundle.users,
        query_id=roles.query_id,
        item_id=roles.item_id,
        time=roles.time if roles.time in events.columns else None,
        time_unit=roles.time_unit if roles.time in events.columns else None,
        weight=roles.weight if roles.weight in events.columns else None,
    ).with_items_of(catalogue)
    seen = (bundle.seen or Seen(np.zeros(1, np.int64), np.zeros(0, np.int64))).for_users(data.num_users)
    return AskedEvents(
        data=data,
        targets=Targets.of(data, one_query=not bundle.features.event),
        asked=event_table(bundle.features.event, data),
        seen=seen,
        histories=bundle.histories,
    )


def _beside_popularity(bundle: Bundle, test: AskedEvents, protocol: Protocol, allowed: Mask | None) -> Assessment:
    """The model and popularity, among all items or those that are `allowed` [N]."""
    counts, vectors = bundle.items["popularity"].to_numpy(), bundle.item_vectors
    targets, seen = test.targets, test.seen
    if allowed is not None:
        targets, seen = targets.among(allowed), seen.among(allowed)
        counts, vectors = counts[allowed], vectors[allowed]
    common: dict[str, Any] = {"protocol": protocol, "seen": seen, "popularity": counts}
    asking = dataclasses.replace(test, targets=targets)
    model = evaluate(VectorScores(QueryVectors(bundle, asking), vectors), targets, name="the model", **common)
    beside = evaluate(popularity_scores(counts, targets), targets, name="popularity", alarm=False, **common)
    user_events = np.pad(bundle.user_events, (0, test.data.num_users - len(bundle.user_events)))
    why = "needs the training events, and a bundle keeps only how often each item was touched"
    absent: dict[str, str] = {name: why for name in protocol.baselines if name != "popularity"}
    parts = default_slices(targets, user_events, counts, seen)
    return Assessment(model, Beside({"popularity": beside}, absent), parts)


def _ids_like(ids: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Ids in the bundle's type where they are written the same way: 42 and "42" are one id, "042" is another."""
    if dtype == pl.String and ids.dtype.is_integer():
        return ids.cast(pl.String)
    if dtype == pl.Int64 and ids.dtype == pl.String:
        return typed(ids)
    return ids


class QueryVectors:
    """The query vectors of test events, by the saved tower."""

    def __init__(self, bundle: Bundle, test: AskedEvents) -> None:
        self._features = bundle.features
        self._tower = OnnxTower(bundle.query_tower, bundle.weights, threads=0)
        self._histories = HistoryEncoder(bundle, test.histories)
        self._user_rows = test.targets.user_rows
        self._users = test.data.users[test.targets.user_rows]
        self._events = test.asked.take(test.targets.event_rows)

    def __call__(self, targets: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        users = encode(self._features.user, self._users[targets])
        events = encode(self._features.event, self._events.take(targets))
        histories = self._histories(self._user_rows[targets])
        return self._tower({**users, **events, **histories})[:, None]  # [B, D] -> [B, 1, D]

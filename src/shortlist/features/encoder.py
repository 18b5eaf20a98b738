"""Both towers' features, fitted, saved, restored; and the one encoder for tables and for served queries."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from shortlist.data import Dataset
from shortlist.data.events import EventTable
from shortlist.errors import DataError, SettingsError, shorten
from shortlist.features.categories import Categories
from shortlist.features.clock import Hour, Weekday
from shortlist.features.encoded import Encoded
from shortlist.features.feature import FeatureChoice, FittedFeature
from shortlist.features.history import FittedHistory, History
from shortlist.features.lookup import Hash, Lookup
from shortlist.features.numeric import Bucketize, Normalize
from shortlist.features.text import Text

__all__ = ["FEATURE_KINDS", "AnyFeature", "Features", "encode", "fit_features"]

AnyFeature = Lookup | Hash | Bucketize | Normalize | Hour | Weekday | Text | Categories | History
# The one table of feature types: an experiment file and a bundle name them by these words.
FEATURE_KINDS: dict[str, type[AnyFeature]] = {
    made.kind: made for made in (Lookup, Hash, Bucketize, Normalize, Hour, Weekday, Text, Categories, History)
}


@dataclasses.dataclass(frozen=True)
class Features:
    """The fitted features of both towers, by the table that each is encoded from.

    A query feature belongs to the user (`user`: a column of the users table, or the id itself), to the event
    (`event`: known only when someone asks, such as the time), or to what the user had touched (`history`). Each table
    is encoded once, whatever the number of events that point into it.
    """

    user: tuple[FittedFeature, ...]
    event: tuple[FittedFeature, ...]
    item: tuple[FittedFeature, ...]
    history: tuple[FittedHistory, ...] = ()

    @property
    def query(self) -> tuple[FittedFeature, ...]:
        """All features of the query tower: the user's, the event's, the histories."""
        return self.user + self.event + self.history

    def to_json(self) -> dict[str, Any]:
        """Choices and what they learnt, as plain JSON values."""
        return {
            field.name: [_describe(feature) for feature in getattr(self, field.name)]
            for field in dataclasses.fields(self)
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Features":
        """The features that `to_json` described."""
        fitted: dict[str, Any] = {
            field.name: tuple(
                FEATURE_KINDS[entry["kind"]](**entry["choice"]).restore(entry["state"]) for entry in saved[field.name]
            )
            for field in dataclasses.fields(cls)
        }
        return cls(**fitted)


def fit_features(query: Sequence[AnyFeature], item: Sequence[AnyFeature], *, on: Dataset) -> Features:
    """Fit both towers' features on the events of `on` and on the users and items that these events touch.

    Give it `split.train`, so that nothing of the test rows leaks into vocabularies, boundaries and means. A
    user or an item counts once, however many events touch it. Raises `SettingsError` for a tower without
    features and for the same feature given twice, and `DataError` for a column that its tables do not hold.

    >>> data = Dataset({"user": ["ann", "bob"], "sku": ["tea", "jam"]}, query_id="user", item_id="sku")
    >>> features = fit_features([Lookup("user")], [Lookup("sku")], on=data)
    >>> [feature.name for feature in features.query], features.item[0].num_rows
    (['lookup_user'], 3)
    """
    histories = [feature for feature in query if isinstance(feature, History)]
    of_query = [feature for feature in query if not isinstance(feature, History)]
    if any(feature.column == on.roles.item_id for feature in of_query):
        raise SettingsError(
            f"A query feature reads {on.roles.item_id!r}, the item that the query asks for; the model would be told "
            "the answer. Give it to the item tower only."
        )
    _check_names("query", query)
    _check_names("item", item)
    _check_histories(histories, item, on)
    users = on.users[_touched(on.user_rows)]
    items = on.items[_touched(on.item_rows)]
    of_user, of_event = [], []
    _check_finite(on, of_query, item)
    for feature in of_query:
        if feature.column in users.columns:
            of_user.append(feature.fit(users[feature.column]))
        else:
            of_event.append(feature.fit(_column(on.events, feature.column, "query", [users])))
    of_item = [feature.fit(_column(items, feature.column, "item", [])) for feature in item]
    return Features(tuple(of_user), tuple(of_event), tuple(of_item), _fit_histories(histories, of_item, on, items))


def encode(features: Sequence[FittedFeature], table: pl.DataFrame | EventTable) -> dict[str, Encoded]:
    """Each feature's array over the table, by the feature's name.

    >>> data = Dataset({"user": ["ann", "bob"], "sku": ["tea", "jam"]}, query_id="user", item_id="sku")
    >>> features = fit_features([Lookup("user")], [Lookup("sku")], on=data)
    >>> encode(features.user, pl.DataFrame({"user": ["bob", "eve"]}))["lookup_user"].rows.tolist()
    [2, 0]
    """
    absent = [feature.column for feature in features if feature.column not in table.columns]
    if absent:
        raise DataError(
            f"The features read column {absent[0]!r}, which the table does not hold; it has "
            f"{shorten(table.columns, 12)}. Fit the features on this data."
        )
    return {feature.name: feature.encode(table[feature.column]) for feature in features}


def _fit_histories(
    histories: Sequence[History], of_item: Sequence[FittedFeature], on: Dataset, touched: pl.DataFrame
) -> tuple[FittedHistory, ...]:
    """A shared history knows the whole catalogue, by its features; another one the items that were touched."""
    width, item_id = sum(feature.width for feature in of_item), on.roles.item_id
    return tuple(
        feature.fit(on.items[item_id], width) if feature.shared else feature.fit(touched[item_id])
        for feature in histories
    )


def _touched(rows: Any) -> Any:
    distinct = pl.Series(rows).unique().sort()
    return distinct.filter(distinct >= 0).to_numpy()


def _check_names(side: str, features: Sequence[FeatureChoice]) -> None:
    if not features:
        raise SettingsError(f"The {side} tower has no features; give it at least one, such as a Lookup of its id.")
    names = [f"{feature.kind} of {feature.column!r}" for feature in features]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SettingsError(f"The {side} tower has the same feature twice: {', '.join(doubled)}. Keep one of them.")


def _check_histories(histories: Sequence[History], item: Sequence[FeatureChoice], on: Dataset) -> None:
    if any(isinstance(feature, History) for feature in item):
        raise SettingsError("The item tower has a History, which is what a user touched; give it to the query tower.")
    for feature in histories:
        if feature.column != on.roles.item_id:
            raise SettingsError(
                f"A History reads the items that a user touched, whose ids stand in {on.roles.item_id!r}, but it names "
                f"{feature.column!r}. Write History({on.roles.item_id!r})."
            )


def _check_finite(on: Dataset, query: Sequence[FeatureChoice], item: Sequence[FeatureChoice]) -> None:
    """Refuse infinity in the whole tables, for what training does not touch is encoded too."""
    places: list[tuple[str, pl.DataFrame | EventTable, str]] = []
    for feature in query:
        if isinstance(feature, Bucketize | Normalize):
            of_user = feature.column in on.users.columns
            places.append(
                ("users", on.users, feature.column) if of_user else ("interactions", on.events, feature.column)
            )
    places += [("items", on.items, f.column) for f in item if isinstance(f, Bucketize | Normalize)]
    for table, frame, column in places:
        if column not in frame.columns or not frame[column].dtype.is_float():
            continue
        values = frame[column]
        beyond = ((values.abs() > float(np.finfo(np.float32).max)) & ~values.is_nan()).fill_null(False)
        if beyond.any():
            row = int(beyond.arg_max() or 0)
            part = " of the training part" if table == "interactions" else ""
            file = getattr(on.source, table, None)
            raise DataError(
                f"{table}.{column} holds {values[row]} in row {row}{part}, which is infinite in float32; correct it or "
                f"leave it missing.{f' ({table}: {file})' if file else ''}"
            )


def _column(table: pl.DataFrame | EventTable, column: str, side: str, others: list[pl.DataFrame]) -> pl.Series:
    if column in table.columns:
        return table[column]
    known = dict.fromkeys(name for frame in (*others, table) for name in frame.columns)
    raise DataError(
        f"The {side} tower wants column {column!r}, which its tables do not hold; they have {shorten(known, 12)}. "
        "Name one of these, or leave the feature out."
    )


def _describe(feature: FittedFeature) -> dict[str, Any]:
    choice: Any = feature.choice
    return {"kind": feature.kind, "choice": dataclasses.asdict(choice), "state": feature.state()}

"""What a query may give, described for whoever fills in a form."""

import dataclasses
from typing import Any, Literal

import polars as pl

from shortlist.bundle import Bundle
from shortlist.data import Roles
from shortlist.features import FittedFeature, last_column
from shortlist.recommender.query import columns_read

__all__ = ["QueryColumn", "query_columns"]

Form = Literal["id", "number", "time", "category", "list", "text", "vector"]
# Known values that are named, at most.
NAMED_VALUES = 100
# What the values of a column are, by the kind of feature that reads it; what comes first decides where several do.
FORMS: dict[str, Form] = {
    "hour": "time",
    "weekday": "time",
    "since": "time",
    "bucketize": "number",
    "normalize": "number",
    "vectors": "vector",
    "categories": "list",
    "text": "text",
    "sentence_encoder": "text",
    "lookup": "category",
    "hash": "category",
    "cross": "category",
}


@dataclasses.dataclass(frozen=True)
class QueryColumn:
    """A column of queries: its form, some of the values that training knew (of ids, some users'), and for numbers the
    smallest and the largest boundary of their buckets.
    """

    name: str
    form: Form
    values: tuple[Any, ...] = ()
    range: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """The column as plain JSON values."""
        return dataclasses.asdict(self)


def query_columns(bundle: Bundle) -> tuple[QueryColumn, ...]:
    """The columns that the model of a bundle reads from a query, the user's id first."""
    features = bundle.features.user + bundle.features.event
    roles = Roles(**bundle.data["roles"])
    times = {roles.time, last_column(roles.time)} if roles.time else set()
    columns = []
    for name in columns_read(features, roles.query_id):
        reading = [feature for feature in features if name in feature.columns]
        if name == roles.query_id:
            known = bundle.users[name].filter(pl.Series(bundle.user_events > 0))
            columns.append(QueryColumn(name, "id", tuple(known.head(NAMED_VALUES).to_list())))
            continue
        kinds = {feature.kind for feature in reading}
        form = "time" if name in times else next(form for kind, form in FORMS.items() if kind in kinds)
        columns.append(QueryColumn(name, form, _values(reading), _range(reading)))
    return tuple(columns)


def _values(reading: list[FittedFeature]) -> tuple[Any, ...]:
    """The first of the values that a feature of this column alone has in its vocabulary."""
    for feature in reading:
        known = getattr(feature, "vocabulary", None)
        if known is not None and len(feature.columns) == 1:
            return tuple(known.texts[:NAMED_VALUES])
    return ()


def _range(reading: list[FittedFeature]) -> tuple[float, float] | None:
    for feature in reading:
        boundaries = getattr(feature, "boundaries", None)
        if boundaries is not None and feature.kind == "bucketize":
            return float(boundaries[0]), float(boundaries[-1])
    return None

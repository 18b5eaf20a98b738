"""A first experiment for tables never seen before: roles, features and a split, with every doubt said."""

import copy
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from shortlist.data.dataset import Roles
from shortlist.data.tables import KEYS, with_key
from shortlist.errors import DataError, shorten
from shortlist.features.vectors import read_vectors
from shortlist.settings.experiment import RECIPE, preset_tables
from shortlist.settings.inline import inline, key_of
from shortlist.settings.proposed_time import PER_SECOND, find_time, is_time_name, unit_of

__all__ = ["Proposal", "propose"]

# Names that people give such columns, the surest first, without signs and in lower case.
QUERY_NAMES = ("userid", "user", "customerid", "customer", "visitorid", "visitor", "memberid", "member", "clientid",
               "client", "accountid", "account", "personid", "person", "shopperid", "shopper", "uid", "sessionid",
               "session")  # fmt: skip
ITEM_NAMES = ("itemid", "item", "productid", "product", "sku", "articleid", "article", "movieid", "movie", "filmid",
              "film", "trackid", "track", "songid", "song", "bookid", "book", "isbn", "asin", "videoid", "video",
              "newsid", "contentid", "content", "iid")  # fmt: skip
LABEL_NAMES = ("title", "name", "label", "itemname", "productname", "headline", "description")
WEIGHT_NAMES = ("weight", "quantity", "qty", "count", "clicks", "views", "plays", "rating", "score")
SHOWN_NAMES = ("shown", "impressions", "impression", "displayed", "slate")

# Ids have a row each up to here.
MOST_IDS = 10_000_000
# A lookup has a row a value up to here; more values share the rows of a hash.
MOST_VALUES = 100_000
# Up to so many distinct whole numbers are looked up one by one; more are put in buckets.
FEW_NUMBERS = 20
# Values of more words than this on average are read as text.
WORDS_OF_TEXT = 2.0
# Up to so many items every step can score them all; more are sampled.
MOST_ITEMS_WHOLE = 50_000
FOR_MANY_ITEMS = {"in_batch_softmax": {"uniform_negatives": 8_192, "log_q": True, "remove_accidental_hits": True}}
# Up to so many rows of embeddings an optimiser may pass over all of them in each step.
MOST_ROWS_DENSE = 200_000
OF_HISTORIES = {"width": 128, "pooling": "sqrt", "dropout": 0.5, "forget": 0.3}
HOUR, DAY = 3_600.0, 86_400.0  # seconds
# From this share of events on that come back to an item, it matters whether seen items may be found again.
MANY_REPEATS = 0.05
# Shares of the events, of which the latest are the test.
TEST, VALIDATION = 0.2, 0.1
# The least share of the training events that should have a history.
WITH_HISTORY = 0.1
HIGHEST = float(np.finfo(np.float32).max)
Feature = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Proposal:
    """An experiment as nested tables, and the doubts about it by the section they belong to."""

    tables: dict[str, Any]
    doubts: dict[str, list[str]]

    def to_toml(self) -> str:
        """The experiment file, each doubt as a comment above what it is about."""
        parts = []
        for name, section in self.tables.items():
            comments = "".join(f"# {doubt}\n" for doubt in self.doubts.get(name, []))
            parts.append(f"[{name}]\n{comments}{_lines(section)}")
        return "\n".join(parts)


def propose(
    frames: Mapping[str, pl.DataFrame], sources: Mapping[str, Any], roles: Mapping[str, str | None]
) -> Proposal:
    """An experiment on these tables (`interactions`, perhaps `items` and `users`).

    `sources` says where each table comes from, as the experiment file will; `roles` are those that are known (and the
    time's unit), None or absent where they should be found. Raises `DataError` where no column can be the query's or
    the item's id.
    """
    doubts: dict[str, list[str]] = {"data": [], "split": [], "features": [], "evaluation": []}
    found = _roles(frames, roles, doubts["data"])
    keys = {"items": found.item_id, "users": found.query_id}
    frames = {name: with_key(frame, keys[name]) if name in keys else frame for name, frame in frames.items()}
    split = {"time": {"test": TEST, "validation": VALIDATION}}
    if found.time is None:
        split = {"random": {"test": TEST, "validation": VALIDATION}}
        doubts["split"].append("No column of times was found. A random split lets the future explain the past.")
    sizes = {name: frames["interactions"][column].n_unique() for name, column in keys.items()}
    features = {
        "query": [
            *([] if found.time else [{**_of_id(found.query_id, sizes["users"], 32), "dropout": 0.5}]),
            {"history": found.item_id, **OF_HISTORIES, **_gap(frames["interactions"], found, doubts["features"])},
            *_of_users(frames, found, doubts["features"]),
        ],
        "item": [
            {**_of_id(found.item_id, sizes["items"], 128), "dropout": 0.1},
            *_of_items(frames, found, doubts["features"]),
        ],
    }
    recipe = preset_tables(RECIPE)
    num_items = max(sizes["items"], frames["items"].height if "items" in frames else 0)
    if num_items > MOST_ITEMS_WHOLE:
        recipe["training"]["loss"] = copy.deepcopy(FOR_MANY_ITEMS)
    if num_items + sizes["users"] > MOST_ROWS_DENSE:
        recipe["training"]["optimizer"] = {"lazy_adam": recipe["training"]["optimizer"]["adamw"]}
    doubts["evaluation"] += _about_repeats(frames["interactions"], found)
    named = {role: column for role, column in dataclasses.asdict(found).items() if column is not None}
    return Proposal(
        {
            "data": {**sources, "roles": named},
            "split": split,
            "features": features,
            **recipe,
        },
        doubts,
    )


def _roles(frames: Mapping[str, pl.DataFrame], given: Mapping[str, str | None], doubts: list[str]) -> Roles:
    events = frames["interactions"]
    taken = [column for role, column in given.items() if column and role not in ("time_unit", "shown_separator")]
    notes: list[str] = []
    time = find_time(events, taken, given, notes)  # before the ids: whole numbers of seconds look like ids too
    taken += [time] if time else []
    item = given.get("item_id") or _id(events, frames.get("items"), ITEM_NAMES, taken, "item_id", doubts)
    query = given.get("query_id") or _id(events, frames.get("users"), QUERY_NAMES, [*taken, item], "query_id", doubts)
    doubts.extend(notes)
    items = frames.get("items")
    label = given.get("label") or _label(None if items is None else with_key(items, item), item, doubts)
    doubts.extend(
        f"{column!r} may be a weight: add weight = {column!r} to roles if more of it means more interest."
        for column in events.columns
        if _may_be_weight(events[column]) and column != given.get("weight")
    )
    doubts.extend(
        f"{column!r} may hold what was shown: add shown = {column!r} to roles if these are ids that were not touched."
        for column in events.columns
        if _plain(column) in SHOWN_NAMES and column != given.get("shown")
    )
    unit: Any = given.get("time_unit")
    others = {role: given.get(role) for role in ("weight", "shown", "shown_separator")}
    return Roles(query_id=query, item_id=item, label=label, time=time, time_unit=unit, **others)


def _id(
    events: pl.DataFrame,
    catalogue: pl.DataFrame | None,
    names: Sequence[str],
    taken: Sequence[str],
    role: str,
    doubts: list[str],
) -> str:
    """The column that names users or items: the key of their table where there is one, else the best name."""
    possible = [c for c in events.columns if c not in taken and _may_be_id(events[c])]
    if catalogue is not None:
        keys = [c for c in possible if c in catalogue.columns and not catalogue[c].is_duplicated().any()]
        if any(_place(c, names) < len(names) for c in possible):
            keys = [c for c in keys if c not in KEYS]  # each table's `id` is its own
        if keys:
            return min(keys, key=lambda column: _place(column, names))
    best = min(possible, key=lambda column: _place(column, names), default=None)
    if best is None or _place(best, names) == len(names):
        best = _most_distinct(events, possible) if role == "query_id" else None
        if best is None:
            raise DataError(
                f"No column of the interactions table looks like the {role}; its columns are "
                f"{shorten(events.columns, 12)}. Name it with --{role.replace('_', '-')}."
            )
        doubts.append(
            f"query_id is a guess: of the columns that may hold ids, {best!r} repeats and is the most varied."
        )
        return best
    close = [c for c in possible if c != best and _place(c, names) < len(names)]
    if close:
        doubts.append(f"{role} might also be {', '.join(map(repr, close))}.")
    return best


def _most_distinct(events: pl.DataFrame, possible: Sequence[str]) -> str | None:
    """The column with the most values of those that repeat some: a key of the event itself never does."""
    distinct = {column: events[column].n_unique() for column in possible if unit_of(events[column]) is None}
    repeating = [column for column in distinct if 1 < distinct[column] < events.height]
    return max(repeating, key=lambda column: distinct[column], default=None)


def _label(items: pl.DataFrame | None, item: str, doubts: list[str]) -> str | None:
    if items is None:
        return None
    texts = [column for column in items.columns if column != item and items[column].dtype == pl.String]
    best = min(texts, key=lambda column: _place(column, LABEL_NAMES), default=None)
    if best is None:
        doubts.append("No column of the items table is text that could be a label; ids will be shown.")
        return None
    if _place(best, LABEL_NAMES) == len(LABEL_NAMES):
        best = max(texts, key=lambda column: items[column].n_unique())
        doubts.append(f"label is a guess: of the items' texts {best!r} is the most varied.")
    return best


def _of_users(frames: Mapping[str, pl.DataFrame], roles: Roles, doubts: list[str]) -> list[Feature]:
    doubts.extend(
        f"{column!r} of the interactions is left out: add it to query only if it is known before the item is."
        for column in frames["interactions"].columns
        if column not in (roles.query_id, roles.item_id, roles.time, roles.weight, roles.shown)
        and not _may_be_weight(frames["interactions"][column])
    )
    users = frames.get("users")
    if users is None:
        return []
    return list(_features(users, [roles.query_id], "users", doubts))


def _of_items(frames: Mapping[str, pl.DataFrame], roles: Roles, doubts: list[str]) -> list[Feature]:
    items = frames.get("items")
    return [] if items is None else list(_features(items, [roles.item_id], "items", doubts))


def _about_repeats(events: pl.DataFrame, roles: Roles) -> list[str]:
    """What to say where many events come back to an item at another time, and the lists would leave these out."""
    pair = [roles.query_id, roles.item_id]
    apart = events.select([*pair, roles.time]).n_unique() if roles.time in events.columns else events.height
    repeats = apart - events.select(pair).n_unique()
    if repeats < MANY_REPEATS * events.height or not repeats:
        return []
    return [
        f'{100 * repeats / events.height:.0f} % of the events come back to an item of their user. seen = "excluded" '
        "keeps such items off the lists, so that those of the test, which are ranked all the same, have fewer rivals; "
        'where people should find again what they had, as in a shop, write seen = "included".'
    ]


def _gap(events: pl.DataFrame, roles: Roles, doubts: list[str]) -> dict[str, float]:
    """How long before an event its history ends: a day, or an hour where so few users come back after a day that hardly
    a training event would have a history; nothing where the unit of the times is not known.
    """
    if roles.time not in events.columns:
        return {}
    times = events[roles.time]
    unit = times.dtype.time_unit if isinstance(times.dtype, pl.Datetime) else roles.time_unit or unit_of(times)
    per_second = 1 / DAY if times.dtype == pl.Date else PER_SECOND.get(unit or "", 0)
    if not per_second:
        doubts.append(
            f"The unit of {roles.time!r} is not known, so that a history ends right before its event and teaches the "
            "order within a sitting. Add time_unit to roles, and gap = 86400.0 to the history if users come back later."
        )
        return {}
    # Numbers without a unit stay numbers in the data, and the gap counts as they do.
    counts_as = per_second if times.dtype.is_integer() and roles.time_unit is None else 1
    ticks = pl.col(roles.time).cast(pl.Int64)
    training = events.sort(roles.time).head(math.floor((1 - TEST - VALIDATION) * events.height))
    since_first = training.select(ticks - ticks.min().over(roles.query_id)).to_series()
    for seconds in (DAY, HOUR):
        long_enough = int((since_first >= seconds * per_second).fill_null(False).sum())
        if long_enough and long_enough >= WITH_HISTORY * len(training):
            return {"gap": seconds * counts_as}
    return {}


def _of_id(column: str, count: int, width: int) -> Feature:
    """A lookup of so many ids, or a hash where their vectors would be most of the model."""
    if count > MOST_IDS:
        return {"hash": column, "num_rows": MOST_IDS, "width": width}
    return {"lookup": column, "width": width}


def _features(frame: pl.DataFrame, taken: Sequence[str], table: str, doubts: list[str]) -> Iterator[Feature]:
    for column in frame.columns:
        if column in taken:
            continue
        values = frame[column].drop_nulls()
        if len(values) == 0 or values.dtype == pl.Object:
            doubts.append(f"{column!r} of the {table} is left out: it holds no value that a feature can read.")
            continue
        if values.dtype.is_float() and (beyond := (values.abs() > HIGHEST) & ~values.is_nan()).any():
            doubts.append(
                f"{column!r} of the {table} is left out: it holds {values.filter(beyond)[0]}, which no feature reads. "
                "Correct it or leave it missing, and add the column to the features."
            )
            continue
        if isinstance(values.dtype, pl.Array) or (isinstance(values.dtype, pl.List) and values.dtype.inner.is_float()):
            try:
                read_vectors(frame[column], column)
            except DataError as error:
                doubts.append(f"{column!r} of the {table} is left out: {error}")
            else:
                yield {"vectors": column, "scaling": "unit"}
            continue
        distinct = None if values.dtype.is_nested() else values.n_unique()
        if distinct == 1:
            doubts.append(f"{column!r} of the {table} is left out: it holds one value only.")
            continue
        feature = _feature(column, values, distinct)
        if feature is None:
            doubts.append(f"{column!r} of the {table} is left out: no feature reads the type {values.dtype}.")
        else:
            yield feature


def _feature(column: str, values: pl.Series, distinct: int | None) -> Feature | None:
    """The feature that suits a column's type and number of distinct values, None where there is none."""
    dtype = values.dtype
    if dtype == pl.List(pl.String) or (isinstance(dtype, pl.List) and dtype.inner.is_integer()):
        return {"categories": column, "width": 16}
    if distinct is None:
        return None
    if dtype == pl.String and _words(values) > WORDS_OF_TEXT:
        return {"text": column, "width": 16}
    if (
        dtype in (pl.String, pl.Boolean)
        or isinstance(dtype, pl.Categorical | pl.Enum)
        or (dtype.is_integer() and distinct <= FEW_NUMBERS)
    ):
        if distinct > MOST_VALUES:
            return {"hash": column, "num_rows": MOST_VALUES, "width": 16}
        return {"lookup": column, "width": 8 if distinct <= FEW_NUMBERS else 16}
    if dtype.is_numeric() or dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return {"bucketize": column, "boundaries": 20, "method": "quantiles", "width": 8}
    return None


def _words(texts: pl.Series) -> float:
    """How many words a text has on average."""
    return float(np.mean(texts.str.split(" ").list.len().to_numpy()))


def _may_be_id(column: pl.Series) -> bool:
    if is_time_name(column.name) or _plain(column.name) in WEIGHT_NAMES:
        return False
    return column.dtype == pl.String or column.dtype.is_integer()


def _may_be_weight(column: pl.Series) -> bool:
    return _plain(column.name) in WEIGHT_NAMES and column.dtype.is_numeric()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _place(column: str, names: Sequence[str]) -> int:
    """How sure a name is: 0 is the surest, the number of names where it is none of them."""
    plain = _plain(column)
    return names.index(plain) if plain in names else len(names)


def _lines(section: Mapping[str, Any]) -> str:
    """Keys with inline values, a feature a line, as people write such a file."""
    lines = []
    for key, value in section.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            entries = "".join(f"    {inline(entry)},\n" for entry in value)
            lines.append(f"{key_of(key)} = [\n{entries}]\n")
        else:
            lines.append(f"{key_of(key)} = {inline(value)}\n")
    return "".join(lines)

"""A query is encoded as its training row was: for every feature type, every type of column and every way to ask."""

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tables import table_of

from shortlist.data import Roles
from shortlist.data.tables import read_times
from shortlist.features import (
    FEATURE_KINDS,
    AnyFeature,
    Bucketize,
    Categories,
    Cross,
    Encoded,
    Features,
    FittedFeature,
    Hash,
    Hour,
    Lookup,
    Normalize,
    Text,
    Vectors,
    Weekday,
)
from shortlist.features.feature import values_of
from shortlist.features.numeric import as_numbers
from shortlist.recommender.query import read_queries

ROLES = Roles("user", "item")
CHECKS = settings(deadline=None, max_examples=50)
WIDTH = {"column": st.just("x"), "width": st.just(4)}
WORDS = (
    st.text("a|, ", max_size=4)
    | st.text(max_size=5)
    | st.sampled_from(["", "0", "7", "07", "true", "null", "Tea", "tea!", "È è", "a|b"])
)
FLOATS = st.floats(-3e38, 3e38) | st.floats(-9, 9) | st.sampled_from([0.0, -0.0, 1e-7, 1e22, float("nan")])
START = dt.datetime(1970, 1, 1)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1)) | st.floats(-9e8, 9e8).map(lambda s: START + dt.timedelta(seconds=s))
NUMBER_POLICIES = st.sampled_from(["mean", "error"]) | st.floats(-10, 10)


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table, and the JSON values by which a query may give a value of it."""

    values: pl.Series
    spelt: Callable[[Any], list[Any]]


def column_of(
    values: st.SearchStrategy[Any], dtypes: Sequence[Any], spelt: Callable[[Any], list[Any]]
) -> st.SearchStrategy[Column]:
    """Columns of one of these types, often with a value more than once."""

    def column(drawn: list[Any], dtype: Any) -> Column:
        series = pl.Series("x", drawn, dtype=_enum(drawn) if dtype == "enum" else dtype)
        return Column(series, lambda value: [None] if value is None else spelt(value))

    lists = st.lists(values, min_size=1, max_size=3).flatmap(
        lambda few: st.lists(st.none() | st.sampled_from(few), min_size=1, max_size=8)
    )
    return st.builds(column, lists, st.sampled_from(dtypes))


def _enum(drawn: list[Any]) -> pl.Enum:
    return pl.Enum(sorted({text for text in drawn if text is not None}))


def number_spelt(value: Any) -> list[Any]:
    return [value, str(value)]


def time_spelt(moment: dt.datetime) -> list[Any]:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    seconds = (zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1) / 1_000_000
    universal = zoned.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return [moment.isoformat(), moment.isoformat(sep=" "), universal, seconds, str(seconds)]


def whole_numbers(dtype: Any, low: int, high: int) -> st.SearchStrategy[Column]:
    return column_of(st.integers(low, high) | st.integers(0, 5), [dtype], number_spelt)


INTEGERS = (
    whole_numbers(pl.Int64, -(2**63), 2**63 - 1)
    | whole_numbers(pl.UInt64, 0, 2**64 - 1)
    | whole_numbers(pl.Int8, -128, 127)
)
TRUTHS = column_of(st.booleans(), [pl.Boolean], lambda value: [value, str(value).lower()])
LABELS = column_of(WORDS, [pl.String, pl.Categorical, "enum"], lambda text: [text]) | INTEGERS | TRUTHS
SENTENCES = column_of(st.lists(WORDS, max_size=5).map(" ".join), [pl.String], lambda text: [text])
AMOUNTS = (
    INTEGERS
    | TRUTHS
    | column_of(FLOATS, [pl.Float64], number_spelt)
    | column_of(st.floats(-(2.0**127), 2.0**127, width=32), [pl.Float32], number_spelt)
    | column_of(MOMENTS, [pl.Datetime(unit, zone) for unit in ("ms", "us") for zone in (None, "UTC")], time_spelt)
    | column_of(MOMENTS, [pl.Datetime("us", "Asia/Tokyo"), pl.Datetime("ms", "America/New_York")], time_spelt)
    | column_of(
        MOMENTS.filter(lambda moment: moment.year < 2200),
        [pl.Datetime("ns"), pl.Datetime("ns", "Europe/Paris")],
        time_spelt,
    )
    | column_of(st.dates(), [pl.Date], lambda day: [day.isoformat()])
)


def lists_of_labels(separator: str) -> st.SearchStrategy[Column]:
    def spelt(parts: list[Any]) -> list[Any]:
        # A list can hold a text with the separator in it or none at all; one joined text cannot.
        plain = all(isinstance(part, str) and separator not in part for part in parts)
        return [parts, separator.join(parts)] if plain else [parts]

    def several(one: st.SearchStrategy[Any], *dtypes: Any) -> st.SearchStrategy[Column]:
        lists = st.lists(one, max_size=3) | st.lists(st.none() | one, max_size=3)
        return column_of(lists, [pl.List(dtype) for dtype in dtypes], spelt)

    joined = column_of(WORDS, [pl.String, pl.Categorical, "enum"], lambda text: [text, text.split(separator)])
    words = several(WORDS, pl.String, pl.Categorical)
    return joined | words | several(st.integers(-9, 9), pl.Int64, pl.Int8) | several(st.booleans(), pl.Boolean)


def pairs_of_numbers(separator: str) -> st.SearchStrategy[Column]:
    def spelt(pair: Any) -> list[Any]:
        numbers = [float(part) for part in pair.strip("[]").split(separator)] if isinstance(pair, str) else list(pair)
        text = separator.join(map(str, numbers))
        return [numbers, text, f"[{text}]"]

    pairs = st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=2, max_size=2)
    nested = [pl.List(pl.Float64), pl.List(pl.Float32), pl.Array(pl.Float64, 2), pl.Array(pl.Float32, 2)]
    texts = column_of(pairs.map(lambda pair: separator.join(map(str, pair))), [pl.String], spelt)
    whole = st.lists(st.integers(-9, 9), min_size=2, max_size=2)
    return column_of(pairs, nested, spelt) | column_of(whole, [pl.List(pl.Int64), pl.Array(pl.Int8, 2)], spelt) | texts


LABEL_POLICIES, TEXT_POLICIES = st.sampled_from(["unknown", "error"]), st.sampled_from(["empty", "error"])
EDGES = st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=4, unique=True).map(
    lambda edges: tuple(sorted(edges))
)
# A new kind of feature fails until its parameters and its columns stand here.
CHOICES: dict[str, st.SearchStrategy[AnyFeature]] = {
    "lookup": st.builds(Lookup, **WIDTH, min_count=st.integers(1, 2), missing=LABEL_POLICIES),
    "hash": st.builds(Hash, **WIDTH, num_rows=st.integers(2, 99), seed=st.integers(0, 9), missing=LABEL_POLICIES),
    "bucketize": st.builds(
        Bucketize,
        **WIDTH,
        boundaries=st.integers(2, 9) | EDGES,
        method=st.sampled_from(["equal_width", "quantiles"]),
        precision=st.sampled_from(["float64", "float32"]),
        missing=NUMBER_POLICIES,
    ),
    "normalize": st.builds(Normalize, column=st.just("x"), missing=NUMBER_POLICIES),
    "vectors": st.builds(
        Vectors,
        column=st.just("x"),
        scaling=st.sampled_from(["none", "unit", "standardize"]),
        separator=st.sampled_from([",", "; "]),
        missing=st.sampled_from(["zeros", "error"]),
    ),
    "hour": st.builds(Hour, **WIDTH, missing=LABEL_POLICIES),
    "weekday": st.builds(Weekday, **WIDTH, missing=LABEL_POLICIES),
    "text": st.builds(
        Text,
        **WIDTH,
        max_tokens=st.integers(3, 9),
        lowercase=st.sampled_from(["unicode", "ascii"]),
        missing=TEXT_POLICIES,
    ),
    "categories": st.builds(
        Categories,
        **WIDTH,
        separator=st.sampled_from(["|", ", ", "a"]),
        min_count=st.integers(1, 2),
        missing=TEXT_POLICIES,
    ),
}
COLUMNS: dict[str, Callable[[Any], st.SearchStrategy[Column]]] = {
    "lookup": lambda _: LABELS,
    "hash": lambda _: LABELS,
    "bucketize": lambda _: AMOUNTS,
    "normalize": lambda _: AMOUNTS,
    "vectors": lambda choice: pairs_of_numbers(choice.separator),
    "hour": lambda _: AMOUNTS,
    "weekday": lambda _: AMOUNTS,
    "text": lambda _: LABELS | SENTENCES,
    "categories": lambda choice: lists_of_labels(choice.separator) | INTEGERS | TRUTHS,
}
NUMERIC = ("bucketize", "normalize", "hour", "weekday")
# A history is no column of a query and a Since has two, of which a bundle knows one; see test_served_histories.py and
# test_served_moments.py. Sentences want a model; see test_sentence_encoder.py. A cross stands below.
OF_COLUMNS = [kind for kind in FEATURE_KINDS if kind not in ("history", "since", "sentence_encoder", "cross")]


def draw_column(data: st.DataObject, choice: AnyFeature) -> Column:
    """A column that the choice may be fitted on: with a value in it, and with nothing but values where it says so."""
    column = data.draw(COLUMNS[choice.kind](choice).filter(lambda column: present(column.values, choice.kind).any()))
    if choice.missing == "error":
        return dataclasses.replace(column, values=column.values.filter(present(column.values, choice.kind)))
    return column


def present(values: pl.Series, kind: str) -> pl.Series:
    return pl.Series(~np.isnan(as_numbers(values, "x"))) if kind in NUMERIC else values.is_not_null()


def fit(data: st.DataObject, choice: AnyFeature, values: pl.Series) -> list[FittedFeature]:
    """The choice fitted on some of the rows, as it is and through the text of a bundle."""
    there = np.flatnonzero(present(values, choice.kind)).tolist()
    part = data.draw(st.sets(st.integers(0, len(values) - 1))) | {data.draw(st.sampled_from(there))}
    fitted = choice.fit(values[sorted(part)])
    text = json.dumps(Features((fitted,), (), ()).to_json(), allow_nan=False)
    return [fitted, Features.from_json(json.loads(text)).user[0]]


def served(
    feature: FittedFeature,
    queries: pl.DataFrame,
    users: pl.DataFrame | None = None,
    user_rows: Sequence[int] = (),
    roles: Roles = ROLES,
) -> Encoded:
    """What the recommender makes of queries."""
    rows = np.array(user_rows or [-1] * queries.height)
    users = pl.DataFrame({"user": []}) if users is None else users
    read = read_queries(queries, [feature], roles=roles, users=users, user_rows=rows, trained=rows >= 0)
    return read.encoded[feature.name]


def assert_same(one: Encoded, other: Encoded) -> None:
    assert type(one) is type(other)
    for field in dataclasses.fields(one):
        array, wanted = getattr(one, field.name), getattr(other, field.name)
        assert array.dtype == wanted.dtype
        np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize("kind", OF_COLUMNS)
@CHECKS
@given(data=st.data())
def test_a_query_is_encoded_as_its_training_row_was(kind: str, data: st.DataObject) -> None:
    choice = data.draw(CHOICES[kind])
    column = draw_column(data, choice)
    features = fit(data, choice, column.values)
    table = features[0].encode(column.values)
    for row, value in enumerate(column.values.to_list()):
        asked = [value, *json.loads(json.dumps(column.spelt(value)))]
        for feature in features:
            for spelling in asked:
                assert_same(served(feature, table_of({"x": spelling})), table.take(np.array([row])))


@pytest.mark.parametrize("kind", OF_COLUMNS)
@CHECKS
@given(data=st.data(), as_texts=st.booleans())
def test_a_table_of_queries_is_encoded_as_each_is_alone(kind: str, data: st.DataObject, as_texts: bool) -> None:
    """What a query leaves out is its user's, whatever the types of the queries' column and the users'."""
    choice = data.draw(CHOICES[kind])
    column = draw_column(data, choice)
    own, asked = column.values, data.draw(st.sampled_from([column, draw_column(data, choice)]))
    feature = fit(data, choice, own)[1]
    given: list[Any] = [data.draw(st.none() | st.just(row)) for row in range(len(asked.values))]
    values = spelt_as_texts(data, asked).gather(given) if as_texts else asked.values.gather(given)
    assume(values.dtype.is_nested() == own.dtype.is_nested())  # a mixture is refused
    nobody = 0 if choice.missing == "error" else -1
    user_rows = [data.draw(st.integers(nobody, len(own) - 1)) for _ in given]
    users = own.to_frame().with_row_index("user")
    found = served(feature, values.to_frame(), users, user_rows)
    for row, user_row in enumerate(user_rows):
        left_out = values[row] is None and user_row >= 0
        alone = feature.encode(own[[user_row]]) if left_out else served(feature, values[[row]].to_frame())
        assert_same(found.take(np.array([row])), alone)


def spelt_as_texts(data: st.DataObject, column: Column) -> pl.Series:
    """The column as a command line or a file without types would give it."""
    spelt = [[way for way in column.spelt(value) if isinstance(way, str)] for value in column.values.to_list()]
    return pl.Series("x", [data.draw(st.sampled_from(ways)) if ways else None for ways in spelt], dtype=pl.String)


@CHECKS
@given(
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    counts=st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=8),
    as_texts=st.booleans(),
)
def test_whole_numbers_are_times_in_the_unit_of_the_training(
    unit: Literal["s", "ms", "us", "ns"], counts: list[int | None], as_texts: bool
) -> None:
    numbers = pl.Series("x", counts, dtype=pl.Int64)
    times = read_times(numbers.drop_nulls(), "x", unit)
    assume(len(times))
    feature = Normalize("x").fit(times)
    asked = numbers.cast(pl.String) if as_texts else numbers
    found = served(feature, asked.to_frame(), roles=Roles("user", "item", time="x", time_unit=unit))
    assert_same(found.take(np.flatnonzero(numbers.is_not_null())), feature.encode(times))


@CHECKS
@given(data=st.data(), hashed=st.booleans())
def test_a_query_brings_a_combination_whole_or_in_part(data: st.DataObject, hashed: bool) -> None:
    """What a query leaves out of a combination is its user's, and it is encoded as the training row was."""
    columns = [data.draw(LABELS).values.rename(name) for name in ("x", "y")]
    length = min(map(len, columns))
    users = pl.DataFrame([column.head(length) for column in columns])
    choice = Cross(("x", "y"), width=4, num_rows=99 if hashed else None)
    feature = Features.from_json(
        json.loads(json.dumps(Features((choice.fit(values_of(users, ["x", "y"])),), (), ()).to_json()))
    ).user[0]
    wanted = feature.encode(values_of(users, ["x", "y"]))
    with_ids = users.with_row_index("user")
    for row in range(length):
        given = {name: value for name, value in users.row(row, named=True).items() if data.draw(st.booleans())}
        found = served(feature, table_of(json.loads(json.dumps(given))), with_ids, [row])
        assert_same(found, wanted.take(np.array([row])))

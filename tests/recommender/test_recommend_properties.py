"""A shortlist is a plain sort of what may come back, under every mixture of rules and for every kind of query."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.bundle import Bundle, OnnxTower
from shortlist.data.seen import Seen
from shortlist.features import encode

CHECKS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
USERS, WIDTH = 60, 9
# Queries by id (as a number and as text), by features alone, by both, of strangers, and of nobody at all.
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.integers(0, USERS + 9) | st.integers(0, USERS + 9).map(str),
        "age": st.integers(0, 99),
        "city": st.sampled_from(["city1", "nowhere"]),
        "time": st.integers(0, 9),
    },
) | st.sampled_from([{}, {"user_id": "nobody"}, {"user_id": 3}])


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> Bundle:
    return sl.load_bundle(shop_bundle)


# Conditions on the columns that `catalogues` draws, and what each says of one item.
CONDITIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "cheap": ({"column": "price", "below": 3}, lambda item: item["price"] is not None and item["price"] < 3),
    "not cheap": (
        {"not": {"column": "price", "below": 3}},
        lambda item: item["price"] is None or not item["price"] < 3,
    ),
    "red, or without a price": (
        {"any": [{"column": "tags", "has": "red"}, {"column": "price", "missing": True}]},
        lambda item: "red" in (item["tags"] or []) or item["price"] is None,
    ),
    "nothing": ({"column": "kind", "equals": "none such"}, lambda _: False),
    "all": ({"column": "kind", "one_of": ["a", "b"]}, lambda _: True),
}


@dataclasses.dataclass(frozen=True)
class Rules:
    """The arguments of `recommend`, with rows of items in place of their ids."""

    k: int
    history: list[int]
    exclude: list[int]
    allow: list[int] | None
    exclude_seen: bool
    where: str | None = None

    def arguments(self, ids: list[Any], as_text: bool) -> dict[str, Any]:
        named = [str(identifier) for identifier in ids] if as_text else ids
        return {
            "k": self.k,
            "history": [named[row] for row in self.history],
            "exclude": [named[row] for row in self.exclude],
            "allow": None if self.allow is None else [named[row] for row in self.allow],
            "exclude_seen": self.exclude_seen,
            "where": None if self.where is None else CONDITIONS[self.where][0],
        }


@st.composite
def catalogues(draw: st.DrawFn, shop: Bundle) -> Bundle:
    """The shop with other items. Each item's vector has one number, so that scores are exact and many tie."""
    count = draw(st.integers(1, 12) | st.integers(128, 200))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = np.zeros((count, WIDTH), np.float32)
    vectors[np.arange(count), generator.integers(WIDTH, size=count)] = generator.choice([-1, 0, 0.5, 1, 2], count)
    whole = draw(st.booleans())
    ids = generator.permutation(np.arange(count) * 3).tolist()
    touched = generator.random((USERS, count)) < draw(st.sampled_from([0, 0.2, 0.9, 1]))
    seen = Seen(np.append(0, np.cumsum(touched.sum(axis=1))), np.nonzero(touched)[1])
    return dataclasses.replace(
        shop,
        items=pl.DataFrame(
            {
                "id": ids if whole else [f"0{identifier}" for identifier in ids],
                "label": [f"Thing {identifier % 5}" for identifier in ids],
                "popularity": generator.integers(4, size=count).astype(np.float32),
                "retired": generator.random(count) < draw(st.sampled_from([0, 0, 0.3, 1])),
            }
        ),
        item_columns=pl.DataFrame(
            {
                "kind": generator.choice(["a", "b"], count),
                "price": [None if price == 5 else price for price in generator.integers(6, size=count).tolist()],
                "tags": [[["red"], ["red", "big"], [], None][way] for way in generator.integers(4, size=count)],
            },
            schema={"kind": pl.String, "price": pl.Int16, "tags": pl.List(pl.String)},
        ),
        item_vectors=vectors,
        seen=draw(st.sampled_from([seen, None])),
        user_events=generator.integers(2, size=USERS),
    )


@st.composite
def rules(draw: st.DrawFn, count: int) -> Rules:
    rows = st.lists(st.integers(0, count - 1), max_size=2 * count if count < 13 else 9)
    return Rules(
        k=draw(st.integers(1, 12) | st.integers(1, count + 5)),
        history=draw(rows),
        exclude=draw(rows),
        allow=draw(st.none() | rows),
        exclude_seen=draw(st.booleans()),
        where=draw(st.none() | st.sampled_from(sorted(CONDITIONS))),
    )


def user_row(query: dict[str, Any]) -> int | None:
    user = str(query.get("user_id"))
    return int(user) if user.isdecimal() and int(user) < USERS else None


def values_of(shop: Bundle, query: dict[str, Any]) -> dict[str, Any]:
    """What the query tower reads: what the query gives, and what it does not from the user's row."""
    row = user_row(query)
    own = {} if row is None else shop.users.row(row, named=True)
    return {"user_id": None, "age": None, "city": None, "time": None} | own | query


def kind_of(shop: Bundle, query: dict[str, Any], history: list[int]) -> str:
    row = user_row(query)
    if row is not None and shop.user_events[row] > 0:
        return "known"
    values = values_of(shop, query)
    if any(values[column] is not None for column in ("age", "city", "time")):
        return "features_only"
    return "history" if history else "fallback"


def scores_of(shop: Bundle, query: dict[str, Any], history: list[int]) -> list[float]:
    """Every item's score, worked out in turn."""
    kind = kind_of(shop, query, history)
    if kind == "fallback":
        return shop.items["popularity"].to_list()
    if kind == "history":
        touched = [direction(shop.item_vectors[row]) for row in history]
        mean = np.sum(touched, axis=0) / np.float32(len(touched))
        return [float(mean @ direction(vector)) for vector in shop.item_vectors]
    table = pl.DataFrame({column: [value] for column, value in values_of(shop, query).items()})
    vector = OnnxTower(shop.query_tower, shop.weights)(encode(shop.features.query, table))[0]
    return [float(vector @ item) for item in shop.item_vectors]


def direction(vector: Any) -> Any:
    """The vector at length 1, without the item's bias, its last number."""
    return np.sign(vector[:-1])


def allowed_rows(shop: Bundle, query: dict[str, Any], given: Rules) -> list[int]:
    banned = set(given.exclude)
    row = user_row(query)
    if given.exclude_seen:
        banned |= set(given.history)
        if shop.seen is not None and row is not None:
            banned |= set(shop.seen.by_user(row).tolist())
    banned |= set(np.flatnonzero(shop.items["retired"].to_numpy()).tolist())
    meets = (lambda _: True) if given.where is None else CONDITIONS[given.where][1]
    return [
        row
        for row, item in enumerate(shop.item_columns.to_dicts())
        if row not in banned and (given.allow is None or row in given.allow) and meets(item)
    ]


def best(scores: list[float], rows: list[int], k: int) -> list[int]:
    """The k rows with the highest scores, equal ones in the catalogue's order."""
    return sorted(rows, key=lambda row: (-scores[row], row))[:k]


@CHECKS
@given(data=st.data(), query=QUERIES, as_text=st.booleans())
def test_a_shortlist_is_a_plain_sort_of_what_is_allowed(
    shop: Bundle, data: st.DataObject, query: dict[str, Any], as_text: bool
) -> None:
    bundle = data.draw(catalogues(shop))
    ids, labels = bundle.items["id"].to_list(), bundle.items["label"].to_list()
    given = data.draw(rules(len(ids)))
    found = sl.Recommender(bundle).recommend(query, **given.arguments(ids, as_text))
    rows, scores = allowed_rows(bundle, query, given), scores_of(bundle, query, given.history)
    wanted = best(scores, rows, given.k)
    assert [(item.id, item.label, item.score) for item in found.items] == [
        (ids[row], labels[row], scores[row]) for row in wanted
    ]
    assert len(found.items) == min(given.k, len(rows))
    assert found.query == kind_of(bundle, query, given.history)
    assert found.excluded == len(ids) - len(rows)
    assert found.source.exact
    own = values_of(bundle, {"user_id": query.get("user_id")})
    assert set(found.filled) == {column for column in own if column != "user_id" and column not in query}


@CHECKS
@given(data=st.data(), queries=st.lists(QUERIES, min_size=1, max_size=6))
def test_a_table_of_queries_gets_the_same_lists(
    shop: Bundle, data: st.DataObject, queries: list[dict[str, Any]]
) -> None:
    bundle = data.draw(catalogues(shop))
    ids = bundle.items["id"].to_list()
    given = dataclasses.replace(data.draw(rules(len(ids))), history=[])
    # A column of ids has one type.
    queries = [{**query, "user_id": str(query["user_id"])} if "user_id" in query else query for query in queries]
    table = pl.DataFrame(queries, infer_schema_length=None) if any(queries) else pl.DataFrame(height=len(queries))
    arguments = given.arguments(ids, False)
    del arguments["history"]
    found = sl.Recommender(bundle).recommend_table(table, **arguments)
    wanted: list[tuple[int, str, int, Any]] = []
    wanted_scores: list[float] = []
    for number, query in enumerate(queries):
        scores = scores_of(bundle, query, [])
        rows = best(scores, allowed_rows(bundle, query, given), given.k)
        wanted += [(number, kind_of(bundle, query, []), place, ids[row]) for place, row in enumerate(rows, start=1)]
        wanted_scores += [scores[row] for row in rows]
    assert found.select("query_row", "kind", "place", "item_id").rows() == wanted
    # The tower may round otherwise for several queries at once.
    assert found["score"].to_list() == pytest.approx(wanted_scores, abs=1e-5)
    if "user_id" in table.columns:
        assert found["query_id"].to_list() == [table["user_id"][number] for number, *_ in wanted]


@CHECKS
@given(data=st.data())
def test_similar_items_are_a_plain_sort_by_cosine_without_the_item_itself(shop: Bundle, data: st.DataObject) -> None:
    bundle = data.draw(catalogues(shop))
    ids = bundle.items["id"].to_list()
    row = data.draw(st.integers(0, len(ids) - 1))
    given = dataclasses.replace(data.draw(rules(len(ids))), history=[], exclude_seen=False)
    arguments = given.arguments(ids, False)
    del arguments["history"], arguments["exclude_seen"]
    found = sl.Recommender(bundle).similar(ids[row], **arguments)
    cosines = [float(direction(vector) @ direction(bundle.item_vectors[row])) for vector in bundle.item_vectors]
    allowed = [other for other in allowed_rows(bundle, {}, given) if other != row]
    wanted = best(cosines, allowed, given.k)
    assert [(item.id, item.score) for item in found.items] == [(ids[other], cosines[other]) for other in wanted]
    assert (found.query, found.excluded) == ("known", len(ids) - len(allowed))

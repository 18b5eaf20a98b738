"""A query alone is read as a table of one row is, whatever it gives and whoever asks."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import table_of

import shortlist as sl
from shortlist.bundle import Bundle, OnnxTower
from shortlist.data import Roles
from shortlist.data.histories import Histories
from shortlist.errors import DataError
from shortlist.features import Encoded
from shortlist.recommender.histories import HistoryEncoder
from shortlist.recommender.query import KINDS, read_queries
from shortlist.recommender.reader import BLOCK_USERS, NOBODY, QueryReader

USERS, ITEMS = 30, 8
CHECKS = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "user": st.none() | st.sampled_from(["u3", "u29", "u12", "nobody"]),
        "age": st.none() | st.integers(0, 99) | st.sampled_from(["17", "no number", 3.5]),
        "city": st.none() | st.sampled_from(["Ely", "Bath", "nowhere", 7]),
        "job": st.none() | st.sampled_from(["cook", "none such"]),
        "joined": st.none() | st.integers(0, 50),
        "at": st.none() | st.integers(0, 90) | st.just("2026-01-31T12:00"),
        "last_at": st.none() | st.integers(0, 90),
    },
)


def data() -> sl.Dataset:
    """Thirty users, of whom the last three have no events; some of their columns hold nothing."""
    return sl.Dataset(
        {
            "user": [f"u{n % (USERS - 3)}" for n in range(90)],
            "item": [n * 7 % ITEMS for n in range(90)],
            "at": [n * 3 for n in range(90)],
        },
        users=pl.DataFrame(
            {
                "user": [f"u{n}" for n in range(USERS)],
                "age": [None if n % 5 == 0 else n for n in range(USERS)],
                "city": [None if n % 7 == 0 else ["Ely", "Bath"][n % 2] for n in range(USERS)],
                "job": [["cook", "clerk", None][n % 3] for n in range(USERS)],
                "joined": [None if n % 4 == 0 else n for n in range(USERS)],
            }
        ),
        items={"item": range(ITEMS)},
        query_id="user",
        item_id="item",
        time="at",
    )


@pytest.fixture(scope="module", params=["unknown", "error"])
def bundle(request: pytest.FixtureRequest, shop_bundle: Path) -> Bundle:
    """A bundle whose model reads every kind of column; with "error" two of its features take no missing value."""
    world = data()
    features = sl.fit_features(
        [
            sl.Lookup("user", width=4),
            sl.Bucketize("age", boundaries=3, width=2, missing="mean"),
            sl.Normalize("age"),
            sl.Hash("city", num_rows=5, width=2),
            sl.Cross(("user", "city"), width=2),
            sl.Cross(("city", "job"), width=2),
            sl.Normalize("at", missing="highest" if request.param == "unknown" else "error"),
            sl.Hour("at", missing=request.param),
            sl.Since("joined", boundaries=(1.0, 10.0)),
            sl.Since("at", boundaries=(1.0, 10.0)),
            sl.History("item", width=3),
        ],
        [sl.Lookup("item", width=4)],
        on=world,
    )
    shop = sl.load_bundle(shop_bundle)
    last = pl.Series("last_at", [None if n >= USERS - 3 else n * 3 for n in range(USERS)])
    return dataclasses.replace(
        shop,
        features=features,
        data={**shop.data, "roles": dataclasses.asdict(world.roles)},
        items=pl.DataFrame({"id": range(ITEMS)}),
        users=world.users.with_columns(last),
        user_events=np.bincount(world.user_rows, minlength=USERS),
        histories=Histories.of(world),
    )


def reader_of(bundle: Bundle) -> QueryReader:
    """A reader; the tower, which is the shop's and takes other features, is never run."""
    return QueryReader(bundle, HistoryEncoder(bundle), OnnxTower(bundle.query_tower, bundle.weights))


def as_a_table(bundle: Bundle, query: dict[str, Any], user_row: int, touched: np.ndarray[Any, Any]) -> Any:
    """What `read_queries` makes of a table of this query alone."""
    rows = np.array([user_row])
    read = read_queries(
        table_of(query),
        bundle.features.user + bundle.features.event,
        histories=HistoryEncoder(bundle)(rows, touched),
        roles=Roles(**bundle.data["roles"]),
        users=bundle.users,
        user_rows=rows,
        trained=(rows >= 0) & (bundle.user_events[rows] > 0),
    )
    filled = tuple(column for column, flags in read.filled.items() if flags[0])
    return plain(read.encoded), KINDS[read.kinds[0]], set(filled), set(read.unknown_columns()[0])


def plain(encoded: dict[str, Encoded]) -> dict[str, Any]:
    return {name: {field: part.tolist() for field, part in vars(column).items()} for name, column in encoded.items()}


@CHECKS
@given(query=QUERIES, touched=st.lists(st.integers(0, ITEMS - 1), max_size=3))
def test_a_query_alone_is_read_as_a_table_of_it(bundle: Bundle, query: dict[str, Any], touched: list[int]) -> None:
    user = query.get("user")
    user_row = int(user[1:]) if isinstance(user, str) and user != "nobody" else NOBODY
    reader, rows = reader_of(bundle), np.array(touched, np.int64)
    try:
        wanted = as_a_table(bundle, query, user_row, rows)
    except DataError as error:
        with pytest.raises(type(error)):
            reader.read(query, user_row, rows)
        return
    read = reader.read(query, user_row, rows)
    assert (plain(read.encoded), read.kind, set(read.filled), set(read.unknown)) == wanted


def test_users_beyond_the_first_block_are_read_as_their_own(bundle: Bundle) -> None:
    many = BLOCK_USERS + 7
    rows = np.arange(many) % USERS
    users = bundle.users[rows].with_columns(user=pl.Series([f"u{row}" for row in range(many)]))
    larger = dataclasses.replace(
        bundle,
        users=users,
        user_events=bundle.user_events[rows],
        histories=bundle.histories.take(rows),  # type: ignore[union-attr]
    )
    reader = reader_of(larger)
    for row in (0, BLOCK_USERS - 1, BLOCK_USERS, many - 1):
        query = {"user": f"u{row}", "at": 5}
        read = reader.read(query, row, np.empty(0, np.int64))
        assert (plain(read.encoded), read.kind, set(read.filled), set(read.unknown)) == as_a_table(
            larger, query, row, np.empty(0, np.int64)
        )


def test_a_query_in_every_order_of_its_columns_reads_the_same(bundle: Bundle) -> None:
    reader, nothing = reader_of(bundle), np.empty(0, np.int64)
    query = {"user": "u3", "at": 7, "city": "Bath"}
    turned = dict(reversed(query.items()))
    assert reader.read(query, 3, nothing).filled == reader.read(turned, 3, nothing).filled
    assert plain(reader.read(query, 3, nothing).encoded) == plain(reader.read(turned, 3, nothing).encoded)

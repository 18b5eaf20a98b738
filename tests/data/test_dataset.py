import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shortlist.data import Dataset
from shortlist.data.dataset import Roles
from shortlist.errors import DataError, SettingsError

CLICKS: dict[str, list[Any]] = {
    "user": ["cat", "ann", "bob", "ann"],
    "sku": ["tea", "jam", "tea", "tea"],
    "ts": [30, 10, 20, 10],
    "count": [1.0, 2.0, 0.5, 1.0],
}
FILMS: dict[str, list[Any]] = {"sku": ["tea", "ham", "jam"], "title": ["Tea", None, "Jam"], "price": [1, 2, 3]}
PEOPLE: dict[str, list[Any]] = {"user": ["dan", "ann"], "age": [40, 20]}


def shop(clicks: Any = None, **settings: Any) -> Dataset:
    roles: dict[str, Any] = {"query_id": "user", "item_id": "sku"}
    return Dataset(CLICKS if clicks is None else clicks, **(roles | settings))


class TestRows:
    def test_item_rows_point_into_the_items_table_in_its_own_order(self) -> None:
        assert shop(items=FILMS).item_rows.tolist() == [0, 2, 0, 0]

    def test_items_that_nobody_touched_stay_in_the_catalogue(self) -> None:
        assert shop(items=FILMS).items["sku"].to_list() == ["tea", "ham", "jam"]

    def test_without_an_items_table_the_catalogue_is_the_ids_in_order(self) -> None:
        data = shop()
        assert data.items.to_dict(as_series=False) == {"sku": ["jam", "tea"]}
        assert data.item_rows.tolist() == [1, 0, 1, 1]
        assert not data.has_items

    def test_without_a_users_table_users_are_known_by_the_id_alone(self) -> None:
        data = shop()
        assert data.users.to_dict(as_series=False) == {"user": ["ann", "bob", "cat"]}
        assert data.user_rows.tolist() == [2, 0, 1, 0]
        assert not data.has_users

    def test_users_that_only_the_events_know_stand_below_the_listed_ones(self) -> None:
        data = shop(users=PEOPLE)
        assert data.users.to_dict(as_series=False) == {
            "user": ["dan", "ann", "cat", "bob"],
            "age": [40, 20, None, None],
        }
        assert data.user_rows.tolist() == [2, 1, 3, 1]

    def test_users_without_events_stay(self) -> None:
        data = shop(users={"user": ["zoe", "cat", "bob", "ann"], "age": [1, 2, 3, 4]})
        assert data.num_users == 4
        assert data.user_rows.tolist() == [1, 3, 2, 3]

    def test_repeated_events_stay(self) -> None:
        assert shop({"user": [1, 1], "sku": [7, 7]}).num_events == 2

    def test_columns_without_a_role_stay_for_features(self) -> None:
        assert shop(items=FILMS).interactions.columns == ["user", "sku", "ts", "count"]

    def test_integers_of_different_widths_are_the_same_ids(self) -> None:
        clicks = pl.DataFrame({"user": [1], "sku": [7]}, schema={"user": pl.UInt8, "sku": pl.Int32})
        data = shop(clicks, items=pl.DataFrame({"sku": [8, 7]}, schema={"sku": pl.UInt64}))
        assert data.item_rows.tolist() == [1]

    def test_its_text_counts_events_users_and_items(self) -> None:
        assert repr(shop(items=FILMS)) == "Dataset(4 events, 3 users, 3 items)"


class TestRoles:
    def test_roles_are_kept_as_given(self) -> None:
        data = shop(items=FILMS, label="title", time="ts", weight="count", source="mine")
        assert data.roles == Roles(query_id="user", item_id="sku", label="title", time="ts", weight="count")
        assert data.source == "mine"

    @pytest.mark.parametrize("role", ["query_id", "item_id", "time", "weight"])
    def test_a_role_without_its_column_names_the_columns_there_are(self, role: str) -> None:
        text = "The interactions table has no column 'when'; its columns are 'user', 'sku', 'ts', 'count'"
        with pytest.raises(DataError, match=text):
            shop(**{role: "when"})

    def test_a_label_must_be_in_the_items_table(self) -> None:
        with pytest.raises(DataError, match="The items table has no column 'name'; its columns are 'sku', 'title'"):
            shop(items=FILMS, label="name")

    def test_the_items_table_must_hold_the_item_ids(self) -> None:
        with pytest.raises(DataError, match="The items table has no column 'sku'; its columns are 'id'"):
            shop(items={"id": ["tea"]})

    def test_the_users_table_must_hold_the_query_ids(self) -> None:
        with pytest.raises(DataError, match="The users table has no column 'user'; its columns are 'id'"):
            shop(users={"id": ["ann"]})

    @pytest.mark.parametrize(
        ("settings", "text"),
        [
            ({"query_id": None}, "Roles: query_id should be a valid string, but it is None."),
            ({"item_id": 3}, "Roles: item_id should be a valid string, but it is 3."),
            ({"label": 3}, "Roles: label should be a valid string, but it is 3."),
            ({"time": False}, "Roles: time should be a valid string, but it is False."),
            ({"weight": ["count"]}, "Roles: weight should be a valid string, but it is ['count']."),
            ({"unknown_items": "foo"}, 'unknown_items should be "error" or "drop", but it is \'foo\'.'),
        ],
        ids=str,
    )
    def test_what_is_no_role_is_refused(self, settings: dict[str, Any], text: str) -> None:
        with pytest.raises(SettingsError) as caught:
            shop(items=FILMS, **settings)
        assert str(caught.value) == text

    def test_one_column_cannot_be_user_and_item(self) -> None:
        with pytest.raises(
            SettingsError, match="query_id and item_id both name column 'sku'; each needs one of its own"
        ):
            shop(query_id="sku")

    def test_a_label_is_one_text(self) -> None:
        films = {"sku": ["tea", "ham", "jam"], "names": [["a"], ["b", "c"], []]}
        with pytest.raises(DataError, match=r"items\.names should hold one text an item as its label, but .* List"):
            shop(items=films, label="names")

    def test_labels_are_the_label_column_with_ids_where_it_is_missing(self) -> None:
        assert shop(items=FILMS, label="title").labels() == ["Tea", "ham", "Jam"]

    def test_without_a_label_role_labels_are_the_ids_as_text(self) -> None:
        assert shop({"user": [1, 1], "sku": [10, 9]}).labels() == ["9", "10"]

    def test_times_are_there_for_each_event(self) -> None:
        assert shop(time="ts").times.tolist() == [30, 10, 20, 10]

    def test_without_a_time_role_times_say_how_to_give_one(self) -> None:
        with pytest.raises(SettingsError, match='no column has the role time; pass time="<column>"'):
            _ = shop().times

    def test_times_are_checked_at_once(self) -> None:
        with pytest.raises(DataError, match=r"interactions\.ts should hold datetimes, dates or integers"):
            shop(CLICKS | {"ts": [1.0, 2.0, 3.0, 4.0]}, time="ts")


class TestWeights:
    def test_without_a_weight_role_there_are_none(self) -> None:
        assert shop().weights is None

    def test_weights_are_float32(self) -> None:
        weights = shop(weight="count").weights
        assert weights is not None
        assert weights.dtype == np.float32
        assert weights.tolist() == [1.0, 2.0, 0.5, 1.0]

    def test_an_event_of_weight_zero_is_no_positive(self) -> None:
        data = shop(CLICKS | {"count": [0.0, 2.0, 0, -0.0]}, weight="count")
        assert data.interactions["user"].to_list() == ["ann"]
        assert data.items["sku"].to_list() == ["jam"]

    def test_a_weight_that_is_zero_in_float32_is_zero(self) -> None:
        assert shop(CLICKS | {"count": [1e-60, 2, 3, 4]}, weight="count").num_events == 3

    @pytest.mark.parametrize("bad", [float("nan"), -1.0, float("inf"), 1e39])
    def test_weights_that_cannot_be_are_refused(self, bad: float) -> None:
        with pytest.raises(DataError, match=r"interactions\.count should hold weights .* but row 1 holds"):
            shop(CLICKS | {"count": [1.0, bad, 1.0, 1.0]}, weight="count")

    def test_weights_that_are_all_zero_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"Every weight in interactions\.count is zero"):
            shop(CLICKS | {"count": [0, 0, 0, 0]}, weight="count")


class TestIds:
    def test_ids_of_another_type_in_the_items_table_are_refused(self) -> None:
        text = r"Ids should have one type .* interactions\.sku holds String and items\.sku holds Int64; convert one"
        with pytest.raises(DataError, match=text):
            shop(items={"sku": [1, 2]})

    def test_ids_of_another_type_in_the_users_table_are_refused(self) -> None:
        with pytest.raises(DataError, match=r"interactions\.user holds String and users\.user holds Int64"):
            shop(users={"user": [1, 2]})

    @pytest.mark.parametrize("table", ["items", "users"])
    def test_an_id_that_stands_twice_is_refused(self, table: str) -> None:
        column = {"items": "sku", "users": "user"}[table]
        text = rf"{table}\.{column} should name each row once, but 2 ids stand there more than once: 'b', 'a'\."
        with pytest.raises(DataError, match=text):
            shop(**{table: {column: ["b", "a", "b", "c", "a"]}})

    @pytest.mark.parametrize("column", ["user", "sku"])
    def test_a_missing_id_is_refused(self, column: str) -> None:
        with pytest.raises(DataError, match=rf"interactions\.{column} has 1 missing ids, the first in row 2"):
            shop(CLICKS | {column: ["a", "b", None, "d"]})

    def test_decimal_numbers_are_no_ids(self) -> None:
        with pytest.raises(DataError, match=r"interactions\.sku should hold ids .* but its type is Float64"):
            shop({"user": [1], "sku": [1.0]})

    @pytest.mark.parametrize("table", ["interactions", "items", "users"])
    def test_an_empty_table_is_refused(self, table: str) -> None:
        empty: dict[str, list[Any]] = {"user": [], "sku": []}
        given = {"clicks": empty} if table == "interactions" else {table: empty}
        with pytest.raises(DataError, match=f"The {table} table has no rows; at least one is needed"):
            shop(**given)


class TestUnknownItems:
    def test_they_are_counted_and_named(self) -> None:
        text = r"3 events name 1 items that the items table does not hold: 'tea'\. Add .* unknown_items=\"drop\""
        with pytest.raises(DataError, match=text):
            shop(items={"sku": ["jam", "ham"]})

    def test_their_events_are_dropped_on_request(self) -> None:
        data = shop(items={"sku": ["ham", "jam"]}, unknown_items="drop", time="ts", weight="count")
        assert data.interactions.to_dict(as_series=False) == {
            "user": ["ann"],
            "sku": ["jam"],
            "ts": [10],
            "count": [2.0],
        }
        assert data.item_rows.tolist() == [1]

    def test_users_of_dropped_events_alone_are_nobody(self) -> None:
        data = shop(items={"sku": ["ham", "jam"]}, unknown_items="drop")
        assert data.users["user"].to_list() == ["ann"]
        assert data.user_rows.tolist() == [0]

    def test_dropping_every_event_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"No event names an item that the items table holds: 'tea', 'jam'\."):
            shop(items={"sku": ["TEA", "JAM"]}, unknown_items="drop")


class TestSources:
    @pytest.fixture(params=["polars", "lazy", "pandas", "pyarrow", "dict"])
    def read(self, request: pytest.FixtureRequest) -> Callable[[dict[str, list[Any]]], Any]:
        make: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
            "polars": pl.DataFrame,
            "lazy": pl.LazyFrame,
            "pandas": lambda table: pytest.importorskip("pandas").DataFrame(table),
            "pyarrow": lambda table: pytest.importorskip("pyarrow").table(table),
            "dict": lambda table: table,
        }
        return make[request.param]

    def test_every_kind_of_frame_gives_the_same_dataset(self, read: Callable[[dict[str, list[Any]]], Any]) -> None:
        moments = [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (4, 1, 3, 1)]
        clicks = CLICKS | {"at": moments, "day": [moment.date() for moment in moments]}
        roles: dict[str, Any] = {"label": "title", "time": "at", "weight": "count"}
        wanted = shop(pl.DataFrame(clicks), items=pl.DataFrame(FILMS), users=pl.DataFrame(PEOPLE), **roles)
        data = shop(read(clicks), items=read(FILMS), users=read(PEOPLE), **roles)
        for table in ("interactions", "items", "users"):
            assert_frame_equal(getattr(data, table), getattr(wanted, table))
        assert data.item_rows.tolist() == wanted.item_rows.tolist()
        assert data.user_rows.tolist() == wanted.user_rows.tolist()
        assert data.fingerprint() == wanted.fingerprint()

    def test_categories_and_strings_are_the_same_ids(self) -> None:
        clicks = pl.DataFrame(CLICKS).cast({"user": pl.Categorical, "sku": pl.Enum(["tea", "jam"])})
        assert shop(clicks, items=FILMS, users=PEOPLE).fingerprint() == shop(items=FILMS, users=PEOPLE).fingerprint()


class TestFingerprint:
    def whole(self, **changes: Any) -> str:
        tables: dict[str, Any] = {"clicks": CLICKS, "items": FILMS, "users": PEOPLE}
        roles: dict[str, Any] = {"label": "title", "time": "ts", "weight": "count"}
        return shop(**(tables | roles | changes)).fingerprint()

    def of_column(self, values: list[Any], dtype: Any = None) -> str:
        column = pl.Series("x", values, dtype=dtype)
        return shop(
            pl.DataFrame({"user": ["u"] * len(values), "sku": ["i"] * len(values)}).with_columns(column)
        ).fingerprint()

    def test_it_is_the_same_for_the_same_data(self) -> None:
        assert self.whole() == self.whole()

    def test_it_does_not_depend_on_the_order_of_columns(self) -> None:
        assert self.whole(items=dict(reversed(FILMS.items()))) == self.whole()

    @pytest.mark.parametrize(
        "change",
        [
            {"clicks": CLICKS | {"user": ["cat", "ann", "bob", "bob"]}},
            {"clicks": CLICKS | {"sku": ["tea", "jam", "tea", "jam"]}},
            {"clicks": CLICKS | {"ts": [30, 10, 20, 11]}},
            {"clicks": CLICKS | {"count": [1.0, 2.0, 0.5, 1.5]}},
            {"clicks": {name: values[::-1] for name, values in CLICKS.items()}},
            {"clicks": CLICKS | {"more": [1, 2, 3, 4]}},
            {"clicks": pl.DataFrame(CLICKS).cast({"ts": pl.Float64}), "time": None},
            {"items": FILMS | {"title": ["Tea", "Ham", "Jam"]}},
            {"items": FILMS | {"title": ["Tea", "", "Jam"]}},
            {"items": FILMS | {"title": ["TeaJ", None, "am"]}},
            {"items": FILMS | {"price": [1, 2, None]}},
            {"items": FILMS | {"price": [True, False, True]}},
            {"items": FILMS | {"sku": ["tea", "hat", "jam"]}},
            {"users": PEOPLE | {"age": [41, 20]}},
            {"users": PEOPLE | {"user": ["eve", "ann"]}},
            {"users": None},
            {"weight": None},
            {"time": None},
            {"label": None},
            {"label": "sku"},
        ],
        ids=str,
    )
    def test_it_differs_for_any_changed_cell_type_or_role(self, change: dict[str, Any]) -> None:
        assert self.whole(**change) != self.whole()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ([0, 1], [None, 1]),
            (["ab", "c"], ["a", "bc"]),
            (["", "a"], [None, "a"]),
            ([float("nan"), 1.0], [None, 1.0]),
            ([["a", "b"]], [["a\x1fb"]]),
            ([["a"], ["b"]], [["a", "b"], []]),
            ([["a", None]], [["b", None]]),
            ([["a"], []], [["a"], [None]]),
            ([["a"], []], [["a"], None]),
            ([[1, 2], [3]], [[1], [2, 3]]),
            ([[["a"], ["b"]]], [[["a", "b"]]]),
            ([{"a": 1, "b": 2}], [{"a": 1, "b": 3}]),
            ([{"a": 1}], [{"b": 1}]),
            ([b"\xff"], [b"\xfe"]),
            ([Decimal("1.5")], [Decimal("1.6")]),
            ([dt.timedelta(1)], [dt.timedelta(2)]),
            ([dt.time(1)], [dt.time(2)]),
            ([dt.datetime(2026, 1, 1)], [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]),
        ],
        ids=str,
    )
    def test_values_that_look_alike_are_told_apart(self, one: list[Any], other: list[Any]) -> None:
        assert self.of_column(one) == self.of_column(one)
        assert self.of_column(one) != self.of_column(other)

    @pytest.mark.parametrize(
        ("dtype", "values", "changed"),
        [
            (pl.Array(pl.Int64, 2), [[1, 2]], [[1, 3]]),
            (pl.Int128, [2**100], [2**100 + 1]),
            (pl.UInt64, [2**63], [2**63 + 1]),
            (pl.Datetime("ns"), [1], [2]),
            (pl.Categorical, ["a"], ["b"]),
            (pl.Enum(["a", "b"]), ["a"], ["b"]),
            (pl.List(pl.Categorical), [["a"]], [["b"]]),
            (pl.Float32, [0.5], [0.25]),
        ],
        ids=str,
    )
    def test_every_type_of_column_has_one(self, dtype: Any, values: list[Any], changed: list[Any]) -> None:
        assert self.of_column(values, dtype) != self.of_column(changed, dtype)

    def test_python_objects_have_none(self) -> None:
        with pytest.raises(DataError, match=r"interactions\.x holds Python objects, whose values have no fixed form"):
            self.of_column([object()], pl.Object)


class TestTake:
    def test_it_keeps_users_and_items_and_the_order_asked_for(self) -> None:
        data = shop(items=FILMS, users=PEOPLE)
        taken = data.take(np.array([3, 0, 3]))
        assert taken.interactions["user"].to_list() == ["ann", "cat", "ann"]
        assert taken.item_rows.tolist() == [0, 0, 0]
        assert taken.user_rows.tolist() == [1, 2, 1]
        assert taken.users is data.users
        assert taken.items is data.items

    def test_it_leaves_the_original_alone(self) -> None:
        data = shop()
        data.take(np.array([0]))
        assert data.num_events == 4

    def test_no_rows_make_an_empty_dataset(self) -> None:
        assert repr(shop().take(np.array([], np.int64))) == "Dataset(0 events, 3 users, 2 items)"


class TestOtherCatalogues:
    def test_events_over_a_catalogue_that_lacks_their_item_get_minus_one(self) -> None:
        moved = shop().with_items_of(shop({"user": ["x"], "sku": ["tea"]}))
        assert moved.item_rows.tolist() == [0, -1, 0, 0]
        assert moved.num_items == 1

    def test_own_items_are_the_touched_ones_in_the_catalogues_order(self) -> None:
        narrowed = shop(items=FILMS).with_own_items()
        assert narrowed.items["title"].to_list() == ["Tea", "Jam"]
        assert narrowed.item_rows.tolist() == [0, 1, 0, 0]

    def test_events_outside_the_catalogue_add_no_item_of_their_own(self) -> None:
        other = shop({"user": ["x", "x"], "sku": ["tea", "zinc"]})
        assert shop().with_items_of(other).with_own_items().items["sku"].to_list() == ["tea"]

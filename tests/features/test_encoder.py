import json
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from feature_conformance import row

from shortlist.data import Dataset, split_by_time
from shortlist.errors import DataError, SettingsError
from shortlist.features import (
    FEATURE_KINDS,
    AnyFeature,
    Bucketize,
    Categories,
    Features,
    Hash,
    Lookup,
    Normalize,
    Text,
    encode,
    fit_features,
)
from shortlist.features.numeric import FittedBucketize

CLICKS: dict[str, list[Any]] = {
    "user": ["ann", "bob", "ann", "cat"],
    "sku": ["tea", "jam", "jam", "ham"],
    "ts": [0, 10, 20, 90],
    "device": ["phone", "phone", "desk", "tv"],
    "age": [1, 1, 1, 1],
}
ITEMS: dict[str, list[Any]] = {
    "sku": ["tea", "jam", "ham", "oil"],
    "title": ["Green Tea", "Jam", "Ham", "Oil of Olives"],
    "kinds": [["drink"], ["sweet"], ["meat", "salty"], []],
    "price": [3.0, 5.0, 100.0, 1000.0],
}
USERS: dict[str, list[Any]] = {"user": ["dan", "ann", "bob", "cat"], "age": [99, 20, 40, 60]}
DATA = Dataset(CLICKS, items=ITEMS, users=USERS, query_id="user", item_id="sku", time="ts")
TRAIN = split_by_time(DATA, test=0.25).train  # without cat and ham
BY_ID = [Lookup("sku", width=4)]

QUERY: list[AnyFeature] = [
    Lookup("user", width=4),
    Hash("device", num_rows=9, width=4),
    Bucketize("age", boundaries=3, width=4),
    Normalize("ts"),
]
ITEM: list[AnyFeature] = [
    Lookup("sku", width=4, min_count=1),
    Text("title", width=4, max_tokens=50),
    Categories("kinds", width=4),
    Normalize("price", missing=0.5),
    Bucketize("price", boundaries=(4.0, 50.0)),
]


def names(features: tuple[Any, ...]) -> list[str]:
    return [feature.name for feature in features]


class TestWhichTable:
    def test_a_query_feature_is_the_users_where_the_users_table_has_its_column_and_the_events_otherwise(self) -> None:
        features = fit_features(QUERY, BY_ID, on=TRAIN)
        assert names(features.user) == ["lookup_user", "bucketize_age"]
        assert names(features.event) == ["hash_device", "normalize_ts"]
        assert names(features.query) == [*names(features.user), *names(features.event)]

    def test_of_a_column_in_both_tables_the_users_one_is_read(self) -> None:
        features = fit_features([Normalize("age")], BY_ID, on=TRAIN)
        assert features.user[0].state()["stand_in"] == 30.0  # ann's 20 and bob's 40, not the events' 1

    def test_without_a_users_table_the_id_still_belongs_to_the_user(self) -> None:
        data = Dataset(CLICKS, query_id="user", item_id="sku")
        features = fit_features([Lookup("user"), Normalize("age")], BY_ID, on=data)
        assert (names(features.user), names(features.event)) == (["lookup_user"], ["normalize_age"])

    def test_without_an_items_table_the_id_is_all_that_items_have(self) -> None:
        data = Dataset(CLICKS, query_id="user", item_id="sku")
        assert names(fit_features([Lookup("user")], BY_ID, on=data).item) == ["lookup_sku"]
        with pytest.raises(DataError, match=r"The item tower wants column 'device', .* do not hold; they have 'sku'\."):
            fit_features([Lookup("user")], [Lookup("device")], on=data)


class TestFit:
    def test_only_users_that_the_events_touch_are_learnt_from(self) -> None:
        features = fit_features([Lookup("user"), Normalize("age")], BY_ID, on=TRAIN)
        assert features.user[0].state() == {"vocabulary": ["ann", "bob"]}
        assert features.user[1].state() == {"mean": 30.0, "deviation": 10.0, "stand_in": 30.0}

    def test_only_items_that_the_events_touch_are_learnt_from(self) -> None:
        features = fit_features([Lookup("user")], [*BY_ID, Text("title"), Categories("kinds")], on=TRAIN)
        assert [feature.state()["vocabulary"] for feature in features.item] == [
            ["jam", "tea"],
            ["green", "jam", "tea"],
            ["drink", "sweet"],
        ]

    def test_an_item_counts_once_however_many_events_touch_it(self) -> None:
        # jam has two events and tea one: a mean over events would be (5 + 5 + 3) / 3.
        features = fit_features([Lookup("user")], [Normalize("price")], on=TRAIN)
        assert features.item[0].state()["stand_in"] == 4.0

    def test_an_events_column_counts_once_an_event(self) -> None:
        features = fit_features([Normalize("ts")], BY_ID, on=TRAIN)
        assert features.event[0].state()["stand_in"] == 10.0

    def test_events_outside_the_catalogue_teach_nothing_about_items(self) -> None:
        test = split_by_time(Dataset(CLICKS, query_id="user", item_id="sku", time="ts"), test=0.5).test
        assert test.item_rows.tolist() == [0, -1]
        assert fit_features([Lookup("user")], BY_ID, on=test).item[0].state() == {"vocabulary": ["jam"]}

    def test_an_absent_query_column_names_those_of_both_tables_once(self) -> None:
        text = (
            "The query tower wants column 'city', which its tables do not hold; "
            "they have 'user', 'age', 'sku', 'ts', 'device'. Name one of these, or leave the feature out."
        )
        with pytest.raises(DataError) as caught:
            fit_features([Lookup("city")], BY_ID, on=TRAIN)
        assert str(caught.value) == text

    def test_the_query_tower_does_not_read_the_items_table(self) -> None:
        with pytest.raises(DataError, match="The query tower wants column 'title', which its tables do not hold"):
            fit_features([Lookup("title")], BY_ID, on=TRAIN)

    def test_the_item_tower_does_not_read_the_events(self) -> None:
        with pytest.raises(DataError, match="The item tower wants column 'device', which its tables do not hold"):
            fit_features([Lookup("user")], [Lookup("device")], on=TRAIN)

    def test_a_query_feature_on_the_item_id_is_refused(self) -> None:
        text = (
            "A query feature reads 'sku', the item that the query asks for; the model would be told the answer. "
            "Give it to the item tower only."
        )
        with pytest.raises(SettingsError) as caught:
            fit_features([Lookup("user"), Hash("sku", num_rows=9)], BY_ID, on=TRAIN)
        assert str(caught.value) == text

    def test_the_same_feature_twice_is_refused(self) -> None:
        text = "The query tower has the same feature twice: lookup of 'user'. Keep one of them."
        with pytest.raises(SettingsError, match=text):
            fit_features([Lookup("user", width=4), Lookup("user", width=8)], BY_ID, on=TRAIN)
        with pytest.raises(SettingsError, match="The item tower has the same feature twice: lookup of 'sku'"):
            fit_features([Lookup("user")], [*BY_ID, *BY_ID], on=TRAIN)

    def test_one_column_may_have_features_of_several_kinds(self) -> None:
        features = fit_features([Bucketize("ts", boundaries=3), Normalize("ts")], BY_ID, on=TRAIN)
        assert names(features.event) == ["bucketize_ts", "normalize_ts"]

    @pytest.mark.parametrize("side", ["query", "item"])
    def test_a_tower_without_features_is_refused(self, side: str) -> None:
        towers: dict[str, list[AnyFeature]] = {"query": [Lookup("user")], "item": [Lookup("sku")]}
        towers[side] = []
        with pytest.raises(SettingsError, match=f"The {side} tower has no features; give it at least one"):
            fit_features(towers["query"], towers["item"], on=TRAIN)


class TestEncode:
    def test_each_feature_stands_under_its_name(self) -> None:
        features = fit_features(QUERY, ITEM, on=TRAIN)
        encoded = encode(features.item, DATA.items)
        assert list(encoded) == names(features.item)
        # The vocabulary is jam, tea; ham and oil are unknown.
        assert [row(encoded["lookup_sku"], place) for place in range(4)] == [2, 1, 0, 0]
        assert [row(encoded["bucketize_price"], place) for place in range(4)] == [0, 1, 2, 2]

    def test_other_columns_of_the_table_do_not_matter(self) -> None:
        features = fit_features(QUERY, ITEM, on=TRAIN)
        query = pl.DataFrame({"noise": [1.5], "device": ["phone"], "ts": [10]})
        assert list(encode(features.event, query)) == ["hash_device", "normalize_ts"]

    def test_a_table_without_the_column_is_refused(self) -> None:
        text = (
            "The features read column 'ts', which the table does not hold; it has 'device', 'noise'. "
            "Fit the features on this data."
        )
        with pytest.raises(DataError) as caught:
            encode(fit_features(QUERY, ITEM, on=TRAIN).event, pl.DataFrame({"device": ["phone"], "noise": [1.5]}))
        assert str(caught.value) == text

    def test_listed_users_without_the_column_are_missing(self) -> None:
        users = {"user": ["ann", "bob"], "age": [20, 40]}
        data = Dataset(CLICKS, items=ITEMS, users=users, query_id="user", item_id="sku")
        features = fit_features([Normalize("age")], BY_ID, on=data)
        values = encode(features.user, data.users)["normalize_age"]
        assert [row(values, place) for place in range(3)] == [[-1.0], [1.0], [0.0]]  # cat stands at the mean


class TestSaved:
    def test_features_come_back_whole_from_json(self) -> None:
        features = fit_features(QUERY, ITEM, on=TRAIN)
        loaded = Features.from_json(json.loads(json.dumps(features.to_json(), allow_nan=False)))
        assert loaded.to_json() == features.to_json()
        for side, table in (("user", DATA.users), ("event", DATA.interactions), ("item", DATA.items)):
            one, other = (encode(getattr(fitted, side), table) for fitted in (features, loaded))
            assert list(one) == list(other)
            for name in one:
                assert type(one[name]) is type(other[name])
                assert [row(one[name], place) for place in range(table.height)] == [
                    row(other[name], place) for place in range(table.height)
                ]

    def test_choices_come_back_as_they_were(self) -> None:
        features = fit_features(QUERY, ITEM, on=TRAIN)
        loaded = Features.from_json(json.loads(json.dumps(features.to_json())))
        assert [feature.choice for feature in loaded.item] == ITEM
        assert {feature.choice for feature in loaded.query} == set(QUERY)

    @pytest.mark.parametrize("precision", ["float64", "float32"])
    def test_boundaries_come_back_bit_by_bit(self, precision: Literal["float64", "float32"]) -> None:
        features = fit_features([Bucketize("ts", boundaries=7, precision=precision)], BY_ID, on=TRAIN)
        (loaded,) = Features.from_json(json.loads(json.dumps(features.to_json()))).event
        assert isinstance(loaded, FittedBucketize)
        assert loaded.boundaries.dtype == precision
        assert loaded.boundaries.tolist() == np.linspace(0, 20, 7).astype(precision).tolist()

    def test_every_kind_has_its_word(self) -> None:
        assert {word: made.__name__ for word, made in FEATURE_KINDS.items()} == {
            "lookup": "Lookup",
            "hash": "Hash",
            "cross": "Cross",
            "bucketize": "Bucketize",
            "normalize": "Normalize",
            "vectors": "Vectors",
            "hour": "Hour",
            "weekday": "Weekday",
            "since": "Since",
            "text": "Text",
            "sentence_encoder": "SentenceEncoder",
            "categories": "Categories",
            "history": "History",
        }

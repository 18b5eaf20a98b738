"""What may come back: the rules that an answer names, retired items, and the same rules in an evaluation."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import DataError, SettingsError, UnknownIdError
from shortlist.recommender.rules import CONDITIONS_KEPT

CHEAP = {"column": "price", "below": 10}


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> sl.Recommender:
    return sl.Recommender.load(shop_bundle)


@pytest.mark.parametrize(
    ("rules", "filters", "excluded"),
    [
        ({}, ("seen",), 6),
        ({"exclude_seen": False}, (), 0),
        ({"exclude_seen": False, "exclude": [1, 1, 2]}, ("exclude",), 2),
        ({"exclude_seen": False, "allow": [1, 2]}, ("allow",), 22),
        ({"exclude_seen": False, "allow": []}, ("allow",), 24),
        # Prices are the rows, but for row 5, which has none: 0 to 4 and 6 to 9 are below 10.
        ({"exclude_seen": False, "where": CHEAP}, ("where",), 15),
        (
            {"exclude_seen": False, "where": CHEAP, "exclude": [0, 23], "allow": [0, 1, 23]},
            ("exclude", "allow", "where"),
            23,
        ),
    ],
)
def test_an_answer_names_the_rules_that_took_items_off(
    shop: sl.Recommender, rules: dict[str, Any], filters: tuple[str, ...], excluded: int
) -> None:
    found = shop.recommend({"user_id": 7}, 30, **rules)
    assert (found.filters, found.excluded, len(found.items)) == (filters, excluded, 24 - excluded)


def test_a_stranger_has_seen_nothing_and_no_rule_says_so(shop: sl.Recommender) -> None:
    assert shop.recommend({"user_id": "nobody"}).filters == ()
    assert shop.recommend({"user_id": "nobody"}, history=[3]).filters == ("seen",)


def test_retired_items_come_back_nowhere_and_return_when_brought_back(shop: sl.Recommender, tmp_path: Path) -> None:
    first = shop.recommend({"user_id": 7}, 1).items[0].id
    saved = sl.save_bundle(sl.retire_items(shop.bundle, [first, str(first)]), tmp_path / "without")
    without = sl.Recommender.load(saved)
    assert without.item(first).retired
    for found in (
        without.recommend({"user_id": 7}, 30),
        without.recommend({}, 30),
        without.recommend({}, 30, history=[1]),
        without.recommend({"user_id": 7}, 30, allow=[first, 1]),
        without.similar(1, 30),
    ):
        assert "retired" in found.filters
        assert first not in [item.id for item in found.items]
    assert first not in without.recommend_table(pl.DataFrame({"user_id": [7, 8]}), 30)["item_id"].to_list()
    again = sl.Recommender(sl.retire_items(without.bundle, [first], bring_back=True))
    assert again.recommend({"user_id": 7}, 1).items[0].id == first
    assert again.version is None


def test_an_unknown_item_cannot_be_retired(shop: sl.Recommender) -> None:
    with pytest.raises(UnknownIdError, match="No item has the id 99"):
        sl.retire_items(shop.bundle, [99])


@pytest.mark.parametrize(
    ("where", "error", "text"),
    [
        (
            {"column": "colour", "equals": "red"},
            DataError,
            "No item column 'colour' can be compared; there are 'item_id'",
        ),
        ({"column": "price"}, SettingsError, "column 'price' is compared with nothing"),
        ("price < 10", SettingsError, "The condition cannot be read"),
    ],
)
def test_a_condition_that_cannot_be_is_refused_by_every_way_to_ask(
    shop: sl.Recommender, where: Any, error: type[Exception], text: str
) -> None:
    for ask in (
        lambda: shop.recommend({"user_id": 7}, where=where),
        lambda: shop.similar(1, where=where),
        lambda: shop.recommend_table(pl.DataFrame({"user_id": [7]}), where=where),
        lambda: sl.evaluate_bundle(shop.bundle, events={"user_id": [7], "item_id": [1], "time": [9]}, where=where),
    ):
        with pytest.raises(error, match=text):
            ask()


def test_more_conditions_than_are_remembered_stay_right(shop: sl.Recommender) -> None:
    for price in [*range(CONDITIONS_KEPT + 5), 3]:
        found = shop.recommend({}, 30, where={"column": "price", "at_least": price})
        assert sorted(item.id for item in found.items) == [row for row in range(price, 24) if row != 5]


def test_an_evaluation_ranks_what_a_recommender_could_return(shop: sl.Recommender) -> None:
    """Among the items below 10 the model's test events are ranked as lists under the same condition have them."""
    events = pl.DataFrame({"user_id": [7, 7, 8, 9], "item_id": [1, 4, 22, 5], "time": [30, 31, 32, 33]})
    protocol = sl.Protocol(ks=(1, 3), seen="included")
    found = sl.evaluate_bundle(shop.bundle, events=events, protocol=protocol, where=CHEAP)
    assert (found.model.counts["items"], found.model.counts["targets"], found.model.counts["absent_targets"]) == (
        9,
        2,
        2,
    )
    for target, item in enumerate([1, 4]):
        query = {"user_id": 7, "time": 30 + target}
        listed = [each.id for each in shop.recommend(query, 30, exclude_seen=False, where=CHEAP).items]
        assert found.model.ranks.higher[target] == listed.index(item)
    assert "top_3_accuracy/full/seen_included/ties_expected" in found.metrics


def test_an_evaluation_leaves_retired_items_out(shop: sl.Recommender) -> None:
    events = {"user_id": [7, 7], "item_id": [1, 4], "time": [30, 31]}
    found = sl.evaluate_bundle(sl.retire_items(shop.bundle, [4]), events=events, protocol=sl.Protocol(ks=(1,)))
    assert (found.model.counts["items"], found.model.counts["absent_targets"]) == (23, 1)
    assert found.beside.not_computed


def test_an_evaluation_without_an_allowed_event_is_refused(shop: sl.Recommender) -> None:
    events = {"user_id": [7], "item_id": [22], "time": [30]}
    with pytest.raises(DataError, match="None of the 1 events to evaluate names an item that may come back: 9 of 24"):
        sl.evaluate_bundle(shop.bundle, events=events, where=CHEAP)


def test_an_own_evaluation_under_a_condition_ranks_its_own_test_events(
    shop: sl.Recommender, shop_data: sl.Dataset
) -> None:
    whole = sl.evaluate_bundle(shop.bundle, data=shop_data)
    under = sl.evaluate_bundle(shop.bundle, data=shop_data, where=CHEAP)
    assert under.model.counts["items"] == 9
    counts = under.model.counts
    assert counts["targets"] + counts["absent_targets"] == whole.model.counts["targets"]


def test_items_and_users_are_shown_with_what_the_bundle_keeps_of_them(shop: sl.Recommender) -> None:
    card = shop.item(6)
    assert (card.id, card.label, card.retired) == (6, "Thing 6 of group0", False)
    assert card.columns["price"] == 6.0
    assert "price" not in shop.item(5).columns
    assert shop.user("7").to_json()["columns"] == {"age": 27}
    assert shop.user(8).known
    assert shop.user("nobody").to_json() == {"id": "nobody", "known": False, "columns": {}}
    assert shop.item_columns["tags"] == "list of text"


def test_a_search_finds_labels_whatever_their_case_the_most_popular_first(shop: sl.Recommender) -> None:
    found = shop.search("THING 1", 5)
    assert {card.id for card in shop.search("thing 1", 30)} == {1, *range(10, 20)}
    assert [card.popularity for card in found] == sorted((card.popularity for card in found), reverse=True)
    assert shop.search("no such thing") == ()


def test_what_a_user_touched_comes_latest_first_where_the_order_is_known(shop: sl.Recommender) -> None:
    assert shop.bundle.seen is not None
    assert {card.id for card in shop.touched(7)} == set(shop.bundle.seen.by_user(7).tolist())
    assert len(shop.touched(7, 2)) == 2
    assert shop.touched("nobody") == ()
    assert sl.Recommender(dataclasses.replace(shop.bundle, seen=None)).touched(7) == ()


def test_columns_of_queries_say_what_they_hold(shop: sl.Recommender) -> None:
    forms = {column.name: (column.form, column.range) for column in shop.query_columns}
    assert forms["user_id"] == ("id", None)
    assert forms["age"][0] == "number"
    assert forms["city"] == ("category", None)
    assert forms["time"][0] == "time"
    assert np.isin(shop.query_columns[0].values, np.arange(60)).all()

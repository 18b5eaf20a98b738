"""Why an item stands in a list: worked by hand, and what must hold whatever the model."""

from pathlib import Path

import numpy as np
import pytest

import shortlist as sl
from shortlist.features import Numbers, RowLists, Rows
from shortlist.recommender.reasons import directions_of, stack


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> sl.Recommender:
    return sl.Recommender.load(shop_bundle)


def test_an_item_without_a_wish_for_reasons_has_none(shop: sl.Recommender) -> None:
    found = shop.recommend({"user_id": 7}, 3)
    assert [item.why for item in found.items] == [None] * 3
    assert "why" not in found.to_json()["items"][0]


def test_reasons_change_no_list(shop: sl.Recommender) -> None:
    plain, told = (shop.recommend({"user_id": 7}, 5, explain=explain).items for explain in (False, True))
    assert [(item.id, item.score) for item in plain] == [(item.id, item.score) for item in told]


def test_near_items_are_the_history_by_cosine_without_the_answer_itself(shop: sl.Recommender) -> None:
    found = shop.recommend({"user_id": 7}, 24, exclude_seen=False, history=[11], explain=True)
    assert shop.bundle.seen is not None
    history = sorted({*shop.bundle.seen.by_user(7).tolist(), 11})
    directions = directions_of(shop.bundle.item_vectors, True)
    for item in found.items:
        assert item.why is not None
        row = shop.row(item.id)
        cosines = {other: float(directions[row] @ directions[other]) for other in history if other != row}
        wanted = sorted((other for other in cosines if cosines[other] > 0), key=lambda other: -cosines[other])[:3]
        assert [near.id for near in item.why.near] == wanted
        assert [near.similarity for near in item.why.near] == pytest.approx(
            [cosines[other] for other in wanted], abs=1e-6
        )


def test_the_effect_of_a_feature_is_what_leaving_it_out_costs_beyond_the_average(shop: sl.Recommender) -> None:
    """The city is known for user 8: a stranger's query with all but the city says what it was worth."""
    user = shop.user(8).columns
    whole = {"age": user["age"], "city": user["city"], "time": 3}
    without = {"age": user["age"], "time": 3}
    scores = [{item.id: item.score for item in shop.recommend(query, 24).items} for query in (whole, without)]
    lost = {item: scores[0][item] - scores[1][item] for item in scores[0]}
    average = sum(lost.values()) / len(lost)
    for item in shop.recommend(whole, 24, explain=True).items:
        assert item.why is not None
        assert item.why.features["hash_city"] == pytest.approx(lost[item.id] - average, abs=1e-5)


def test_what_a_query_does_not_say_has_no_effect(shop: sl.Recommender) -> None:
    for item in shop.recommend({"city": "city1"}, 3, explain=True).items:
        assert item.why is not None
        assert item.why.features["lookup_user_id"] == pytest.approx(0, abs=1e-6)
        assert item.why.near == ()


def test_a_fallback_has_no_features_to_tell_of(shop: sl.Recommender) -> None:
    popular = shop.recommend({}, 3, explain=True)
    assert {item.why and (item.why.near, tuple(item.why.features)) for item in popular.items} == {((), ())}
    by_history = shop.recommend({}, 3, history=[1], explain=True)
    assert (by_history.query, [near.id for near in by_history.items[0].why.near]) == ("history", [1])  # type: ignore[union-attr]


def test_an_empty_list_has_no_reasons(shop: sl.Recommender) -> None:
    assert shop.recommend({"user_id": 7}, 3, allow=[], explain=True).items == ()


def test_reasons_are_told_under_each_item(shop: sl.Recommender) -> None:
    told = str(shop.recommend({"user_id": 7}, 2, explain=True))
    assert "\n     like Thing " in told
    assert "\n     by " in told
    assert told.endswith("left out: 6 items (seen)")


def test_columns_are_stacked_one_after_another() -> None:
    assert stack([Rows(np.array([1], np.int32)), Rows(np.array([2], np.int32))]).rows.tolist() == [1, 2]  # type: ignore[union-attr]
    numbers = stack([Numbers(np.ones((1, 2), np.float32)), Numbers(np.zeros((1, 2), np.float32))])
    assert numbers.values.tolist() == [[1, 1], [0, 0]]  # type: ignore[union-attr]
    lists = stack(
        [RowLists(np.array([0, 2]), np.array([5, 6], np.int32)), RowLists(np.array([0, 0]), np.array([], np.int32))]
    )
    assert lists.padded().tolist() == [[5, 6], [0, 0]]  # type: ignore[union-attr]

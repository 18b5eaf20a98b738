"""Routes that show items and users."""

import pytest
from asking import ask
from fastapi import FastAPI

import shortlist as sl

pytest_plugins = ["served"]


def test_items_are_found_by_a_part_of_their_label(app: FastAPI, recommender: sl.Recommender) -> None:
    got = ask(app, "/items?search=GROUP1&limit=3").json["items"]
    assert got == [card.to_json() for card in recommender.search("group1", 3)]
    assert len(got) == 3
    assert all("group1" in item["label"] for item in got)


def test_a_search_for_nothing_gives_the_most_popular_items(app: FastAPI) -> None:
    popularity = [item["popularity"] for item in ask(app, "/items").json["items"]]
    assert len(popularity) == 20
    assert popularity == sorted(popularity, reverse=True)


def test_one_item_is_shown_with_its_columns(app: FastAPI, recommender: sl.Recommender) -> None:
    got = ask(app, "/items/7").json
    assert got == recommender.item(7).to_json()
    assert got["columns"]["price"] == 7.0


def test_what_is_known_of_a_user_is_shown(app: FastAPI, recommender: sl.Recommender) -> None:
    got = ask(app, "/users/1").json
    assert got == recommender.user("1").to_json()
    assert (got["id"], got["known"], got["columns"]["age"]) == (1, True, 21)
    assert ask(app, "/users/nobody").json == {"id": "nobody", "known": False, "columns": {}}


def test_what_a_user_had_touched_is_shown(app: FastAPI, recommender: sl.Recommender) -> None:
    got = ask(app, "/users/1/items?limit=2").json["items"]
    assert got == [card.to_json() for card in recommender.touched(1, 2)]
    assert len(got) == 2
    assert ask(app, "/users/nobody/items").json == {"items": []}


@pytest.mark.parametrize("search", ["%00", "%ED%A0%80", "%C3%A9", "%25", "(", "%2F"])
def test_any_text_may_be_searched_for(app: FastAPI, search: str) -> None:
    assert ask(app, f"/items?search={search}").status == 200

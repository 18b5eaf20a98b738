"""Routes that answer queries: what comes back is what the recommender gives."""

import json
from typing import Any

import pytest
from asking import ask
from fastapi import FastAPI

import shortlist as sl

pytest_plugins = ["served"]

USER = {"user_id": 1, "age": 33}


def test_recommend_gives_what_the_recommender_gives(app: FastAPI, recommender: sl.Recommender) -> None:
    got = ask(app, "/recommend", {"query": USER, "k": 5})
    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    assert got.json == recommender.recommend(USER, 5).to_json()


def test_an_empty_body_asks_for_what_is_popular(app: FastAPI, recommender: sl.Recommender) -> None:
    assert ask(app, "/recommend", {}).json == recommender.recommend({}).to_json()


def test_recommend_passes_every_rule_on(app: FastAPI, recommender: sl.Recommender) -> None:
    where = {"column": "price", "at_least": 3}
    rules: dict[str, Any] = {"history": [4], "exclude": ["7"], "allow": [5, 7, 8, 9, 10], "where": where}
    got = ask(app, "/recommend", {"query": USER, **rules, "exclude_seen": False, "explain": True})
    assert got.json == recommender.recommend(USER, exclude_seen=False, explain=True, **rules).to_json()
    assert {"why"} <= set(got.json["items"][0])


def test_a_user_can_be_asked_for_by_a_path(app: FastAPI, recommender: sl.Recommender) -> None:
    expected = recommender.recommend({"user_id": "1"}, 3, exclude_seen=False, explain=True).to_json()
    assert ask(app, "/recommend/1?k=3&exclude_seen=false&explain=true").json == expected
    assert ask(app, "/recommend/nobody%20known").json["query"] == "fallback"


def test_a_batch_gives_what_each_request_gives_alone(app: FastAPI) -> None:
    bodies: list[dict[str, Any]] = [{"query": USER}, {"history": [3], "k": 2}, {}]
    answers = ask(app, "/recommend/batch", {"requests": bodies}).json["answers"]
    assert answers == [ask(app, "/recommend", body).json for body in bodies]


def test_similar_gives_what_the_recommender_gives(app: FastAPI, recommender: sl.Recommender) -> None:
    expected = recommender.similar(4, 3).to_json()
    assert ask(app, "/similar", {"item_id": 4, "k": 3}).json == expected
    assert ask(app, "/items/4/similar?k=3").json == expected
    rules: dict[str, Any] = {"exclude": [5], "allow": [5, 6, 7], "where": {"column": "price", "below": 7}}
    assert ask(app, "/similar", {"item_id": "4", **rules}).json == recommender.similar(4, **rules).to_json()


@pytest.mark.parametrize(
    ("body", "where", "known", "text"),
    [
        (
            {"K": 3},
            ["body", "K"],
            "query",
            "K is not a known key; take it out or correct its spelling. Known are query",
        ),
        ({"query": {"user": 1}}, ["body", "query", "user"], "user_id", "The model reads no 'user' from a query; it re"),
        ({"k": 0}, ["body", "k"], None, "k should be greater than or equal to 1, but it is 0."),
        ({"k": True}, ["body", "k"], None, "k should be a valid integer, but it is True."),
        ({"k": "3"}, ["body", "k"], None, "k should be a valid integer, but it is '3'."),
        ({"k": 2.5}, ["body", "k"], None, "k should be a valid integer, but it is 2.5."),
        ({"explain": 1}, ["body", "explain"], None, "explain should be a valid boolean, but it is 1."),
        ({"history": 3}, ["body", "history"], None, "history should be a valid array, but it is 3."),
        ({"history": [1, True]}, ["body", "history", 1], None, "history.1 should be a valid string, or should be a va"),
        ({"query": {"age": {}}}, ["body", "query", "age"], None, "query.age should be a valid string, or should be a"),
        ({"query": {"age": [[]]}}, ["body", "query", "age"], None, "query.age should be a valid string, or should be"),
        ({"query": {"age": "old"}}, ["body"], None, "The query's 'age' should be a number or a time such as"),
        ({"exclude": ["none"]}, ["body"], None, "No item has the id 'none'; the catalogue holds"),
        ({"where": {"column": "price"}}, ["body", "where"], None, "column 'price' is compared with nothing; give one"),
        ({"where": {"column": "cost", "below": 3}}, ["body"], None, "'cost'"),
        ({"where": [1]}, ["body", "where"], None, "The condition cannot be read"),
    ],
    ids=str,
)
def test_a_bad_body_is_refused_with_its_place(
    app: FastAPI, body: Any, where: list[Any], known: str | None, text: str
) -> None:
    got = ask(app, "/recommend", body)
    assert got.status == 422
    assert text in got.error
    assert got.json["where"][: len(where)] == where
    assert got.json["known"] is None if known is None else known in got.json["known"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            b"",
            "The body should be JSON, but it cannot be read: EOF while parsing a value at line 1 column 0. Mend it th",
        ),
        (b"{", "The body should be JSON, but it cannot be read: EOF while parsing an object"),
        (b"[]", "The body is not as it should be: the value should be an object, but it is []."),
        (b'{"k": NaN}', "k should be a valid integer, but it is nan"),
        (b'{"query": {"age": NaN}}', "or should be a finite number,"),
        (b'{"query": {"age": [-Infinity]}}', "should be a finite number"),
        (b'{"where": {"column": "price", "below": Infinity}}', "where: The condition cannot be read"),
        (b'{"query": {"city": "\\ud800"}}', "unexpected end of hex escape"),
        (b'{"query": {"city": "\xff"}}', "invalid unicode code point"),
        (b"\xef\xbb\xbf{}", "The body should be JSON"),
        (b"[" * 100_000, "recursion limit exceeded"),
        (b'{"where": ' + b'{"not": ' * 60 + b"1" + b"}" * 61, "The condition cannot be read"),
        (b'{"query": {"age": 1e999}}', "or should be a finite number,"),
        (b'{"query": {"age": ' + b"9" * 4_000 + b"}}", "The query's 'age' has a value that cannot be read"),
        (b'{"query": {"age": ' + b"9" * 10_000 + b"}}", "The body should be JSON, but it cannot be read"),
    ],
)
def test_what_is_no_proper_json_is_refused(app: FastAPI, body: bytes, text: str) -> None:
    got = ask(app, "/recommend", body)
    assert got.status == 422
    assert text in got.error
    assert len(got.body) < 1_500


@pytest.mark.parametrize("identifier", ["\\u0000", "é\\n", "-0", "1e3", "9" * 500, ""])
def test_any_text_may_be_asked_for_as_a_user(app: FastAPI, identifier: str) -> None:
    got = ask(app, "/recommend", f'{{"query": {{"user_id": "{identifier}"}}}}'.encode())
    assert (got.status, got.json["query"]) == (200, "fallback")


def test_whole_numbers_may_have_a_decimal_point(app: FastAPI) -> None:
    got = ask(app, "/recommend", b'{"query": {"user_id": 1}, "k": 3.0, "history": [4.0]}')
    assert got.json == ask(app, "/recommend", {"query": {"user_id": 1}, "k": 3, "history": [4]}).json


@pytest.mark.parametrize(
    ("bad", "where", "text"),
    [
        ({"K": 3}, ["body", "requests", 1, "K"], "requests.1.K is not a known key; take it out"),
        ({"k": 0}, ["body", "requests", 1, "k"], "requests.1.k should be greater than or equal to 1"),
        ({"query": {"user": 1}}, ["body", "requests", 1, "query", "user"], "The model reads no 'user' from a query"),
        ({"history": ["none"]}, ["body", "requests", 1], "No item has the id 'none'"),
    ],
)
def test_one_bad_request_of_a_batch_is_named_by_its_place(app: FastAPI, bad: Any, where: list[Any], text: str) -> None:
    got = ask(app, "/recommend/batch", {"requests": [{}, bad, {}]})
    assert got.status == 422
    assert got.json["where"] == where
    assert text in got.error


@pytest.mark.parametrize(
    ("target", "where", "text"),
    [
        ("/recommend/1?k=many", ["query", "k"], "k should be a valid integer, but it is 'many'."),
        ("/recommend/1?k=1.0", ["query", "k"], "k should be a valid integer, but it is '1.0'."),
        ("/recommend/1?k=" + "9" * 5_000, ["query", "k"], "k should be a valid integer, but it is '999"),
        ("/recommend/1?explain=yes", ["query", "explain"], "explain should be a valid boolean, but it is 'yes'."),
        (
            "/recommend/1?top=3",
            ["query", "top"],
            "top is not a known key; take it out or correct its spelling. Known ar",
        ),
        ("/recommend/1?k=3&k=4", ["query", "k"], "The query string gives 'k' twice. Keep one."),
        ("/items/1/similar?k=0", ["query", "k"], "k should be greater than or equal to 1, but it is 0."),
        ("/items?limit=-1", ["query", "limit"], "limit should be greater than or equal to 1, but it is -1."),
        ("/items/1?" + "&".join(["k=3"] * 90), ["query", "k"], "The query string gives 'k' twice. Keep one."),
        ("/items/1?k=3", ["query", "k"], "k is not a known key"),
        ("/users/1/items?limit=", ["query", "limit"], "limit should be a valid integer, but it is ''."),
    ],
)
def test_a_bad_query_string_is_refused_with_its_place(app: FastAPI, target: str, where: list[Any], text: str) -> None:
    got = ask(app, target)
    assert got.status == 422
    assert got.json["where"] == where
    assert text in got.error


def test_an_unknown_item_in_a_path_is_not_found(app: FastAPI) -> None:
    for target in ("/items/none", "/items/none/similar", "/items/%00", "/items/" + "9" * 5_000):
        got = ask(app, target)
        assert (got.status, got.json["where"]) == (404, ["path", "item_id"])
        assert "No item has the id" in got.error
    assert ask(app, "/similar", {"item_id": "none"}).status == 422


def test_the_openapi_examples_run(app: FastAPI) -> None:
    for path, routes in ask(app, "/openapi.json").json["paths"].items():
        if path.startswith("/bundles"):
            continue
        content = routes.get("post", {}).get("requestBody", {}).get("content", {})
        for example in content.get("application/json", {}).get("examples", {}).values():
            assert ask(app, path, example["value"]).status == 200, json.dumps(example)

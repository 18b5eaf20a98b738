"""What one request may ask for, and how many may be inside at once."""

import asyncio
import dataclasses
import json
import time
from typing import Any

import pytest
from asking import Got, ask, asked, run
from fastapi import FastAPI
from starlette.types import Message

import shortlist as sl
from shortlist import choice
from shortlist.errors import SettingsError
from shortlist.serving import Limits, ServerSettings, create_app, reading

pytest_plugins = ["served"]

PART = {"type": "http.request", "body": b"{", "more_body": True}


@pytest.fixture(scope="module")
def small(settings: ServerSettings) -> FastAPI:
    """A server with low limits."""
    limits = Limits(
        max_body_bytes=200,
        max_k=5,
        max_batch=2,
        max_ids=3,
        max_search=4,
        body_seconds=0.05,
        request_seconds=0.2,
        max_concurrent=2,
    )
    return create_app(dataclasses.replace(settings, limits=limits))


@pytest.mark.parametrize(
    ("target", "body", "text"),
    [
        ("/recommend", {"k": 6}, "k should be less than or equal to 5, but it is 6."),
        ("/recommend", {"history": [1, 2, 3, 4]}, "history list should have at most 3 items"),
        ("/recommend", {"exclude": [1, 2, 3, 4]}, "exclude list should have at most 3 items"),
        ("/recommend", {"allow": [1, 2, 3, 4]}, "allow list should have at most 3 items"),
        ("/recommend/batch", {"requests": [{}, {}, {}]}, "requests list should have at most 2 items"),
        ("/recommend/batch", {"requests": [{"k": 6}]}, "requests.0.k should be less than or equal to 5"),
        ("/similar", {"item_id": 1, "k": 6}, "k should be less than or equal to 5"),
        ("/recommend/1?k=6", None, "k should be less than or equal to 5"),
        ("/items/1/similar?k=6", None, "k should be less than or equal to 5"),
        ("/items?search=Thing", None, "search string should have at most 4 characters"),
        ("/items?limit=6", None, "limit should be less than or equal to 5"),
        ("/users/1/items?limit=6", None, "limit should be less than or equal to 5"),
    ],
)
def test_more_than_a_limit_is_refused(small: FastAPI, target: str, body: Any, text: str) -> None:
    got = ask(small, target, body)
    assert got.status == 422
    assert text in got.error


def test_as_much_as_a_limit_is_answered(small: FastAPI) -> None:
    lists = {"history": [1, 2, 3], "exclude": [1, 2, 3], "allow": [4, 5, 6]}
    assert ask(small, "/recommend", {"k": 5, **lists}).status == 200
    assert ask(small, "/recommend", {"allow": None}).status == 200
    assert ask(small, "/recommend/batch", {"requests": [{"k": 5}, {}]}).status == 200
    assert ask(small, "/items?search=Thin&limit=5").status == 200


def test_a_body_that_says_it_is_too_long_is_not_read(small: FastAPI) -> None:
    for length in ("201", "9" * 5_000):
        got = ask(small, "/recommend", headers={"content-length": length}, parts=[{"type": "never"}])
        assert got.status == 413
        assert got.error == "A body should have at most 200 bytes, but this one has more. Ask for less at once."


def test_a_body_that_turns_out_too_long_is_not_read_on(small: FastAPI) -> None:
    parts = [{"type": "http.request", "body": b" " * 150, "more_body": True}] * 2
    got = ask(small, "/recommend", headers={"content-length": "0"}, parts=parts)
    assert (got.status, "at most 200 bytes" in got.error) == (413, True)


def test_a_body_may_come_in_parts(small: FastAPI) -> None:
    parts = [
        {"type": "http.request", "body": b'{"query": {"user', "more_body": True},
        {"type": "http.request", "body": b'_id": 1}}', "more_body": False},
    ]
    assert ask(small, "/recommend", parts=parts).json == ask(small, "/recommend", {"query": {"user_id": 1}}).json


def test_a_body_that_does_not_arrive_in_time_ends_the_connection(small: FastAPI) -> None:
    got = ask(small, "/recommend", parts=[{"type": "http.request", "body": b"{", "more_body": True}])
    assert got.status == 408
    assert got.error == "The body should arrive within 0.05 seconds. Send it again."
    assert got.headers["connection"] == "close"


def test_a_client_that_leaves_gets_no_answer(small: FastAPI) -> None:
    assert ask(small, "/recommend", parts=[{"type": "http.disconnect"}]) == Got(0, {}, b"")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json2", ""])
def test_a_body_must_say_that_it_is_json(small: FastAPI, content_type: str) -> None:
    got = ask(small, "/recommend", {}, headers={"content-type": content_type})
    assert got.status == 415
    assert got.error == "The body should be JSON. Send it with the header Content-Type: application/json."
    assert ask(small, "/recommend", {}, headers={"content-type": "Application/JSON; charset=utf-8"}).status == 200


def slow(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Make each recommendation take so long, as a larger model would: without giving way."""
    real = sl.Recommender.recommend

    def recommend(*given: Any, **named: Any) -> Any:
        time.sleep(seconds)
        return real(*given, **named)

    monkeypatch.setattr(sl.Recommender, "recommend", recommend)


def test_a_batch_that_takes_too_long_is_given_up(small: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, 0.25)
    got = ask(small, "/recommend/batch", {"requests": [{}, {}]})
    assert got.status == 503
    assert got.headers["retry-after"] == "1"
    assert got.error == "1 of 2 requests took 0.2 seconds, which is the limit for all. Send fewer at once."


def test_a_batch_gives_way_to_others(small: FastAPI) -> None:
    ended: list[str] = []

    async def note(name: str, target: str, body: Any) -> None:
        assert (await asked(small, target, body)).status == 200
        ended.append(name)

    async def both() -> None:
        await asyncio.gather(note("batch", "/recommend/batch", {"requests": [{}, {}]}), note("one", "/recommend", {}))

    run(both())
    assert ended == ["one", "batch"]


def together(app: FastAPI, *targets: str) -> list[Got]:
    """The answers to requests that came in the same turn of the event loop."""

    async def gathered() -> list[Got]:
        return await asyncio.gather(*(asked(app, target) for target in targets))

    return run(gathered())


def test_more_requests_than_may_wait_are_told_to_come_back(small: FastAPI) -> None:
    got = together(small, *["/recommend/1?k=1"] * 5)
    assert sorted(one.status for one in got) == [200, 200, 503, 503, 503]
    shed = next(one for one in got if one.status == 503)
    assert shed.headers["retry-after"] == "1"
    assert shed.error == "The server has too much to do. Ask again after the seconds in Retry-After."
    assert together(small, "/recommend/1?k=1", "/recommend/1?k=1")[1].status == 200


def test_who_watches_is_never_sent_away(small: FastAPI) -> None:
    got = together(small, *["/recommend/1"] * 3, "/health", "/ready", "/metrics", "/health")
    assert [one.status for one in got[2:]] == [503, 200, 200, 200, 200]


def test_a_request_that_waited_too_long_is_not_answered_any_more(
    small: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, 0.25)
    got = together(small, "/recommend/1", "/recommend/1")
    assert [one.status for one in got] == [200, 503]
    assert got[1].error == "The request waited too long. Ask again after the seconds in Retry-After."
    assert 'shortlist_shed_total{reason="late"} 1.0' in ask(small, "/metrics").body.decode()


def test_a_body_on_its_way_keeps_nobody_out(small: FastAPI) -> None:
    async def both() -> list[Got]:
        late = []
        for _ in range(5):
            late.append(asyncio.create_task(asked(small, "/recommend", parts=[PART])))
            await asyncio.sleep(0.001)
        got = await asked(small, "/recommend", {})
        inside = await asked(small, "/metrics")
        return [got, inside, *await asyncio.gather(*late)]

    got, inside, *late = run(both())
    assert got.status == 200
    assert "shortlist_requests_inside 1.0" in inside.body.decode()
    assert {one.status for one in late} == {408}
    assert together(small, "/recommend/1", "/recommend/1")[1].status == 200


def test_bodies_that_come_together_count_before_the_first_is_answered(small: FastAPI) -> None:
    go_on = asyncio.Event()

    async def receive() -> Message:
        await go_on.wait()
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def all_of_them() -> list[Got]:
        late = []
        for _ in range(5):
            late.append(asyncio.create_task(asked(small, "/recommend", {}, receive=receive)))
            await asyncio.sleep(0.001)
        go_on.set()
        return await asyncio.gather(*late)

    assert sorted(one.status for one in run(all_of_them())) == [200, 200, 503, 503, 503]


def test_unfinished_bodies_hold_no_more_than_those_inside_may(small: FastAPI) -> None:
    long = {"type": "http.request", "body": b" " * 150, "more_body": True}

    async def all_of_them() -> list[Got]:
        late = []
        for _ in range(4):
            late.append(asyncio.create_task(asked(small, "/recommend", parts=[long])))
            await asyncio.sleep(0.001)
        return [await asked(small, "/recommend", {}), *await asyncio.gather(*late)]

    assert [one.status for one in run(all_of_them())] == [200, 408, 408, 503, 503]
    assert ask(small, "/recommend", {}).status == 200


def test_an_answer_that_is_being_sent_keeps_nobody_out(small: FastAPI) -> None:
    async def both() -> Got:
        read = asyncio.Event()
        unread = [asyncio.create_task(asked(small, "/recommend/1", before_send=read.wait)) for _ in range(2)]
        await asyncio.sleep(0.01)
        got = await asked(small, "/recommend/1")
        assert not any(one.done() for one in unread)
        read.set()
        assert {one.status for one in await asyncio.gather(*unread)} == {200}
        return got

    assert run(both()).status == 200


def test_a_default_is_never_above_a_limit(small: FastAPI) -> None:
    assert len(ask(small, "/recommend/42").json["items"]) == 5
    assert len(ask(small, "/recommend", {}).json["items"]) == 5
    assert len(ask(small, "/recommend/batch", {"requests": [{}]}).json["answers"][0]["items"]) == 5
    assert len(ask(small, "/items/4/similar").json["items"]) == len(
        ask(small, "/similar", {"item_id": 4}).json["items"]
    )
    assert len(ask(small, "/similar", {"item_id": 4}).json["items"]) == 5
    assert len(ask(small, "/items").json["items"]) == 5


@pytest.mark.parametrize(
    ("target", "body", "count"),
    [
        ("/recommend", {"query": {"age": [True] * 10_001}}, 9),
        ("/recommend", {"query": {"age": [True] * 10_000}}, 9),
        ("/recommend", {"history": [True] * 10_000}, 2),
        ("/recommend", {"allow": [True] * 10_000}, 2),
        ("/recommend/batch", {"requests": [1] * 256}, 1),
        ("/recommend", {f"unknown{number}": 1 for number in range(900)}, 10),
        ("/recommend", {f"unknown{number}": 1 for number in range(20_000)}, 0),
        ("/recommend", {"query": {f"column{number}": {} for number in range(1_000)}}, 0),
        ("/recommend", {"query": {f"column{number}": {} for number in range(1_001)}}, 1),
    ],
    ids=range(9),
)
def test_only_the_first_problems_are_worded(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, target: str, body: Any, count: int
) -> None:
    worded: list[Any] = []

    def explain(problems: list[Any]) -> str:
        worded.extend(problems)
        return choice.explain(problems)

    monkeypatch.setattr(reading, "explain", explain)
    got = ask(app, target, json.dumps(body).encode())
    assert got.status == 422
    assert len(worded) <= count
    if count == 0:
        assert got.error == (
            "The body is not as it should be in more than 1,000 places. Compare it with what GET /openapi.json says of "
            "this route."
        )


def test_a_query_of_too_many_columns_is_refused(app: FastAPI) -> None:
    got = ask(app, "/recommend", {"query": {f"column{number}": 1 for number in range(1_001)}})
    assert (got.status, got.json["where"]) == (422, ["body", "query"])
    assert "query: at most 1,000 columns were expected, but 1,001 came. Leave some out." in got.error


def test_a_query_string_of_too_many_values_is_refused(app: FastAPI) -> None:
    got = ask(app, "/items?" + "&".join(f"n{number}=" for number in range(20_000)))
    assert (got.status, got.json["where"]) == (422, ["query"])
    assert got.error == "The query string should give at most 100 values, but it gives more. Leave some out."


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_a_limit_is_above_nought(name: str) -> None:
    given: dict[str, Any] = {name: 0 if name.startswith("max") else 0.0}
    with pytest.raises(SettingsError, match=f"Limits: {name} should be greater than 0, but it is 0"):
        Limits(**given)

"""Bundles that change while the server answers."""

import asyncio
import hashlib
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from asking import KEY, Got, ask, asked, run
from fastapi import FastAPI

import shortlist as sl
from shortlist.serving import Bundles, ServerSettings, create_app
from shortlist.serving.app import Application
from shortlist.serving.shadow import Shadow

pytest_plugins = ["served"]

HEADERS = {"authorization": f"Bearer {KEY}"}


def change(app: FastAPI, verb: str, body: Any = None) -> Got:
    return ask(app, f"/bundles/{verb}", {} if body is None else body, headers=HEADERS)


def names(state: Any) -> tuple[str | None, ...]:
    """The active, the staged and the previous bundle's name."""
    return tuple(state[part] and state[part]["name"] for part in ("active", "staged", "previous"))


def answering(app: FastAPI) -> str:
    """The version of the bundle that answers."""
    version: str = ask(app, "/recommend/1").json["source"]["model"]
    return version


def test_a_bundle_is_staged_promoted_and_rolled_back(fresh_app: FastAPI, bundles: Path) -> None:
    first, second = (sl.Recommender.load(bundles / name).version for name in ("first", "second"))
    assert answering(fresh_app) == first
    assert names(change(fresh_app, "stage", {"name": "second"}).json) == ("first", "second", None)
    assert answering(fresh_app) == first
    assert names(change(fresh_app, "promote").json) == ("second", None, "first")
    assert answering(fresh_app) == second == ask(fresh_app, "/model").json["version"]
    assert names(change(fresh_app, "rollback").json) == ("first", None, "second")
    assert answering(fresh_app) == first
    assert names(change(fresh_app, "rollback").json) == ("second", None, "first")
    text = ask(fresh_app, "/metrics").body.decode()
    assert 'shortlist_swaps_total{kind="promote"} 1.0' in text
    assert 'shortlist_swaps_total{kind="rollback"} 2.0' in text
    assert f'shortlist_model{{name="second",version="{second}"}} 1.0' in text
    assert 'name="first"' not in text


def test_a_staged_bundle_can_be_let_go(fresh_app: FastAPI) -> None:
    change(fresh_app, "stage", {"name": "second"})
    assert names(change(fresh_app, "unstage").json) == ("first", None, None)
    assert names(change(fresh_app, "stage", {"name": "first"}).json) == ("first", "first", None)


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("promote", "No bundle is staged. Stage one first with POST /bundles/stage."),
        ("unstage", "No bundle is staged, so that there is none to let go. GET /bundles shows which."),
        ("rollback", "No bundle was active before this one, so that there is none to go back to."),
    ],
)
def test_a_change_without_its_bundle_is_refused(fresh_app: FastAPI, verb: str, text: str) -> None:
    got = change(fresh_app, verb)
    assert (got.status, got.error) == (409, text)


def test_nothing_is_staged_over_another(fresh_app: FastAPI) -> None:
    change(fresh_app, "stage", {"name": "second"})
    got = change(fresh_app, "stage", {"name": "first"})
    assert got.status == 409
    assert got.error == "'second' is staged already. Promote it with POST /bundles/promote, or unstage it."


def test_one_bundle_loads_at_a_time_and_others_are_answered_meanwhile(
    fresh_app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = sl.Recommender.load

    def load(path: Path) -> sl.Recommender:
        go_on.wait(10)
        return real(path)

    monkeypatch.setattr(sl.Recommender, "load", load)

    async def both() -> tuple[Got, Got, Got, Got]:
        loading = asyncio.create_task(asked(fresh_app, "/bundles/stage", {"name": "second"}, headers=HEADERS))
        while (state := await asked(fresh_app, "/bundles")).json["loading"] is None:
            await asyncio.sleep(0.01)
        second = await asked(fresh_app, "/bundles/stage", {"name": "first"}, headers=HEADERS)
        live = await asked(fresh_app, "/recommend/1")
        go_on.set()
        return state, second, live, await loading

    state, second, live, loaded = run(both())
    assert (state.json["loading"], names(state.json)) == ("second", ("first", None, None))
    assert second.status == 409
    assert second.error == "'second' is loading. Wait until GET /bundles says that it is staged."
    assert live.status == 200
    assert (names(loaded.json), loaded.json["loading"]) == (("first", "second", None), None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "../first"}, "A bundle's name should be the name of its folder"),
        ({"name": "third"}, "No bundle in this server's folder is called 'third'."),
        ({"name": 3}, "name should be a valid string, but it is 3."),
        ({"name": "first", "force": True}, "force is not a known key"),
        ({}, "name is missing."),
    ],
)
def test_only_a_plain_name_of_a_bundle_is_staged(fresh_app: FastAPI, body: Any, text: str) -> None:
    got = change(fresh_app, "stage", body)
    assert got.status == 422
    assert text in got.error


def test_a_damaged_bundle_is_not_staged_and_the_next_may_be(
    settings: ServerSettings, bundles: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundles, tmp_path / "bundles")
    vectors = tmp_path / "bundles" / "second" / "item_vectors.safetensors"
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"x")
    app = create_app(ServerSettings(tmp_path / "bundles" / "first", key_digests=settings.key_digests))
    got = change(app, "stage", {"name": "second"})
    assert got.status == 422
    assert "is damaged: item_vectors.safetensors is not the file that was saved with it" in got.error
    assert names(change(app, "stage", {"name": "first"}).json) == ("first", "first", None)


def test_without_a_bundle_the_server_lives_and_is_not_ready(settings: ServerSettings) -> None:
    app = Application(Bundles(settings.bundle.parent, Shadow(0.1)), settings)
    assert ask(app, "/health").json == {"status": "alive"}
    for target in ("/ready", "/recommend/1", "/model", "/items"):
        got = ask(app, target)
        assert (got.status, got.headers["retry-after"]) == (503, "1")
        assert got.error == "No bundle is loaded yet. Ask again when GET /ready answers 200."
    assert ask(app, "/openapi.json").status == 200


def test_ready_says_which_bundle_answers(app: FastAPI, recommender: sl.Recommender) -> None:
    got = ask(app, "/ready").json
    assert got["status"] == "ready"
    assert (got["model"]["name"], got["model"]["version"]) == ("first", recommender.version)


def test_no_answer_fails_or_mixes_two_models_while_bundles_change(fresh_app: FastAPI, bundles: Path) -> None:
    users, k = range(12), 8
    expected = {}
    for name in ("first", "second"):
        recommender = sl.Recommender.load(bundles / name)
        for user in users:
            answer = recommender.recommend({"user_id": user}, k).to_json()
            expected[recommender.version, user] = answer
    seen: list[tuple[str | None, int]] = []
    over = asyncio.Event()

    async def keep_asking(worker: int) -> None:
        turn = worker
        while not over.is_set():
            user = turn % len(users)
            alone = await asked(fresh_app, "/recommend", {"query": {"user_id": user}, "k": k})
            batch = await asked(fresh_app, "/recommend/batch", {"requests": [{"query": {"user_id": user}, "k": k}] * 3})
            assert (alone.status, batch.status) == (200, 200)
            versions = {answer["source"]["model"] for answer in batch.json["answers"]}
            assert len(versions) == 1
            for answer in (alone.json, *batch.json["answers"]):
                seen.append((answer["source"]["model"], user))
                assert answer == expected[seen[-1]]
            turn += 1

    async def keep_changing() -> None:
        for name in ("second", "first", "second"):
            for verb, body in (("stage", {"name": name}), ("promote", {}), ("rollback", {}), ("rollback", {})):
                assert (await asked(fresh_app, f"/bundles/{verb}", body, headers=HEADERS)).status == 200
                await asyncio.sleep(0.02)
        over.set()

    async def everything() -> None:
        await asyncio.gather(keep_changing(), *(keep_asking(worker) for worker in range(8)))

    run(everything())
    assert len({version for version, _ in seen}) == 2
    assert len(seen) > 100


def test_versions_are_told_by_the_manifest(app: FastAPI, bundles: Path) -> None:
    digest = hashlib.sha256((bundles / "first" / "manifest.json").read_bytes()).hexdigest()
    assert ask(app, "/model").json["version"] == digest[:12]

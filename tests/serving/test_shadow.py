"""A share of the live queries, answered by the staged bundle too."""

import asyncio
import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
from asking import KEY, Got, ask, asked, run

import shortlist as sl
from shortlist.recommender import Item, Shortlist
from shortlist.recommender.answers import Source
from shortlist.serving import ServerSettings, create_app
from shortlist.serving.app import Application
from shortlist.serving.shadow import overlap

pytest_plugins = ["served"]

HEADERS = {"authorization": f"Bearer {KEY}"}


def listed(*ids: int) -> Shortlist:
    return Shortlist(tuple(Item(one, str(one), 1.0) for one in ids), "known", Source(None, "exact", None, True))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [((1, 2, 3, 4), (2, 1, 5, 6), 2 / 4), ((1, 2), (1, 2, 3, 4), 2 / 4), ((1,), (2,), 0), ((), (), 1), ((), (1,), 0)],
)
def test_the_overlap_of_two_lists_is_what_both_have_by_the_longer(
    one: tuple[int, ...], other: tuple[int, ...], expected: float
) -> None:
    assert overlap(listed(*one), listed(*other)) == overlap(listed(*other), listed(*one)) == expected


def after(app: Application, *targets: str, staged: str = "second") -> Any:
    """What GET /bundles says of the comparison after these requests, one after the other."""

    async def everything() -> Got:
        assert (await asked(app, "/bundles/stage", {"name": staged}, headers=HEADERS)).status == 200
        for target in targets:
            assert (await asked(app, target)).status == 200
            await app.bundles.shadow.until_idle()
        return await asked(app, "/bundles")

    return run(everything()).json["shadow"]


def test_the_same_bundle_gives_the_same_lists(fresh_app: Application) -> None:
    shadow = after(fresh_app, "/recommend/1", "/recommend/2", staged="first")
    assert (shadow["compared"], shadow["failed"], shadow["passed_over"]) == (2, 0, 0)
    assert shadow["mean_overlap"] == 1
    for side in ("live_milliseconds", "staged_milliseconds"):
        assert 0 < shadow[side]["p50"] <= shadow[side]["p99"]


def test_the_mean_overlap_is_that_of_the_lists(fresh_app: Application, bundles: Path) -> None:
    first, second = (sl.Recommender.load(bundles / name) for name in ("first", "second"))
    overlaps = [overlap(*(one.recommend({"user_id": user}, 12) for one in (first, second))) for user in (1, 2, 3)]
    shadow = after(fresh_app, *(f"/recommend/{user}?k=12" for user in (1, 2, 3)))
    assert shadow["compared"] == 3
    assert shadow["mean_overlap"] == pytest.approx(sum(overlaps) / 3)
    assert 0 < shadow["mean_overlap"] < 1


def test_only_the_share_is_compared(settings: ServerSettings) -> None:
    app = create_app(dataclasses.replace(settings, shadow_share=0.25))
    shadow = after(app, *["/recommend/1?k=1"] * 8)
    assert (shadow["share"], shadow["compared"]) == (0.25, 2)
    assert after(create_app(dataclasses.replace(settings, shadow_share=0.0)), "/recommend/1")["compared"] == 0


def test_what_fails_in_the_staged_bundle_is_counted_and_never_seen(
    fresh_app: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    change_answer(monkeypatch, fail)
    shadow = after(fresh_app, "/recommend/1", "/recommend/2")
    assert (shadow["compared"], shadow["failed"], shadow["mean_overlap"]) == (0, 2, None)
    assert "A staged bundle failed at a query that the live one answered: ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_one_query_is_compared_at_a_time_and_no_live_one_waits(
    fresh_app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    change_answer(monkeypatch, lambda: go_on.wait(10))

    async def everything() -> list[Got]:
        await asked(fresh_app, "/bundles/stage", {"name": "second"}, headers=HEADERS)
        live = [await asked(fresh_app, "/recommend/1") for _ in range(4)]
        promoted = asyncio.create_task(asked(fresh_app, "/bundles/promote", {}, headers=HEADERS))
        await asyncio.sleep(0.02)
        assert not promoted.done()  # a recommender belongs to one thread at a time
        live.append(await asked(fresh_app, "/recommend/1"))
        go_on.set()
        return [*live, await promoted]

    *live, promoted = run(everything())
    assert {got.json["source"]["model"] for got in live} == {live[0].json["source"]["model"]}
    assert promoted.json["active"]["name"] == "second"
    assert (promoted.json["shadow"]["passed_over"], promoted.json["shadow"]["compared"]) == (3, 1)


def test_a_bundle_that_is_staged_no_more_is_not_compared(fresh_app: Application) -> None:
    async def everything() -> Got:
        await asked(fresh_app, "/bundles/stage", {"name": "second"}, headers=HEADERS)
        read = asyncio.Event()
        live = asyncio.create_task(asked(fresh_app, "/recommend/1", before_send=read.wait))
        await asyncio.sleep(0.02)
        await asked(fresh_app, "/bundles/promote", {}, headers=HEADERS)
        await asked(fresh_app, "/bundles/stage", {"name": "first"}, headers=HEADERS)
        read.set()
        assert (await live).status == 200
        await fresh_app.bundles.shadow.until_idle()
        return await asked(fresh_app, "/bundles")

    shadow = run(everything()).json["shadow"]
    assert (shadow["compared"], shadow["failed"], shadow["passed_over"]) == (0, 0, 0)


def test_counting_begins_anew_with_the_next_bundle(fresh_app: Application) -> None:
    assert after(fresh_app, "/recommend/1")["compared"] == 1
    ask(fresh_app, "/bundles/unstage", {}, headers=HEADERS)
    assert after(fresh_app)["compared"] == 0


def fail() -> None:
    raise ZeroDivisionError("secret")


def change_answer(monkeypatch: pytest.MonkeyPatch, do_first: Any) -> None:
    """Have the staged bundle do something before it answers: it answers in a thread of `asyncio.to_thread`."""
    real = sl.Recommender.recommend

    def recommend(*given: Any, **named: Any) -> Any:
        # The first answer of a thread that loads a bundle is part of the loading.
        if threading.current_thread().name.startswith("asyncio_") and given[2:] != (1,):
            do_first()
        return real(*given, **named)

    monkeypatch.setattr(sl.Recommender, "recommend", recommend)

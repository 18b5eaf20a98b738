"""A model that knows how long ago a user was last there, from training to a served list."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import BundleError
from shortlist.recommender.answers import Shortlist

START = dt.datetime(2026, 1, 1)
MINUTES, DAYS = dt.timedelta(minutes=10), dt.timedelta(days=2)
SOON, LATE = set(range(5)), set(range(5, 10))


def visits() -> sl.Dataset:
    """Thirty users who come back after ten minutes for one of the items 0 to 4, or after two days for one of 5 to 9."""
    generator = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    for user in range(30):
        now = START + dt.timedelta(hours=user)
        for _ in range(12):
            soon = bool(generator.integers(2))
            now += MINUTES if soon else DAYS
            rows.append({"user": user, "sku": int(generator.integers(5)) + (0 if soon else 5), "at": now})
    users = {"user": list(range(30)), "signup": [START if user % 2 else None for user in range(30)]}
    return sl.Dataset(pl.DataFrame(rows), users=users, query_id="user", item_id="sku", time="at")


@pytest.fixture(scope="module")
def run() -> sl.Run:
    split = sl.split_by_time(visits(), test=0.2)
    query = [sl.Since("at", boundaries=(3_600.0, 86_400.0)), sl.Since("signup", boundaries=4, width=2)]
    return sl.train(
        sl.TwoTower(sl.fit_features(query, [sl.Lookup("sku", width=8)], on=split.train), layers=[8]),
        split,
        loss=sl.FullSoftmax(),
        optimizer=sl.AdamW(0.02),
        training=sl.Training(epochs=30, batch_size=32, watch="nothing", seed=1),
        protocol=sl.Protocol(ks=(1, 5), seen="included"),
        progress=False,
    )


@pytest.fixture(scope="module")
def bundle(run: sl.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("visits") / "bundle", run.evaluate())


@pytest.fixture(scope="module")
def shop(bundle: Path) -> sl.Recommender:
    return sl.Recommender.load(bundle)


def last_visit(user: int) -> Any:
    return visits().interactions.filter(pl.col("user") == user)["at"].max()


def top(found: Shortlist) -> set[Any]:
    return {item.id for item in found.items}


def test_a_bundle_keeps_when_each_user_was_last_active(shop: sl.Recommender) -> None:
    users = shop.bundle.users
    assert users["last_at"].to_list() == [last_visit(user) for user in users["user"]]
    assert shop.columns == ["user", "last_at", "at", "signup"]


def test_who_comes_back_soon_gets_other_items_than_who_comes_back_late(shop: sl.Recommender) -> None:
    for user in range(0, 30, 7):
        for wait, items in ((MINUTES, SOON), (DAYS, LATE)):
            query = {"user": user, "at": last_visit(user) + wait}
            assert top(shop.recommend(query, k=5, exclude_seen=False)) == items


def test_a_query_may_say_itself_when_its_user_was_last_there(shop: sl.Recommender) -> None:
    noon = dt.datetime(2026, 3, 1, 12)
    for wait, items in ((MINUTES, SOON), (DAYS, LATE)):
        query = {"user": 3, "at": noon, "last_at": (noon - wait).isoformat()}
        assert top(shop.recommend(query, k=5, exclude_seen=False)) == items
        stranger = shop.recommend({"user": 99, "at": noon, "last_at": noon - wait}, k=5)
        assert (top(stranger), stranger.query) == (items, "features_only")


def test_a_query_without_times_is_answered_and_says_what_was_filled(shop: sl.Recommender) -> None:
    known, stranger = shop.recommend({"user": 4}, k=2), shop.recommend({"user": 99}, k=2)
    assert (known.query, known.filled, known.unknown) == ("known", ("last_at", "at", "signup"), ())
    assert stranger.query == "fallback"


def test_a_table_of_queries_is_answered_as_single_ones(shop: sl.Recommender) -> None:
    queries = [{"user": user, "at": last_visit(user) + wait} for user in (2, 9) for wait in (MINUTES, DAYS)]
    answers = shop.recommend_table(pl.DataFrame(queries), k=3)
    for place, query in enumerate(queries):
        of_query = answers.filter(pl.col("query_row") == place)["item_id"].to_list()
        assert of_query == [item.id for item in shop.recommend(query, k=3).items]


def test_the_saved_model_evaluates_as_the_trained_one(run: sl.Run, bundle: Path) -> None:
    saved = sl.evaluate_bundle(sl.load_bundle(bundle), data=visits())
    assert saved.model.metrics == pytest.approx(run.evaluate().model.metrics, abs=1e-6)


def test_later_events_come_after_all_that_the_bundle_knows(bundle: Path) -> None:
    later = [{"user": user, "sku": user % 5, "at": last_visit(user) + MINUTES} for user in range(30)]
    found = sl.evaluate_bundle(sl.load_bundle(bundle), events=pl.DataFrame(later))
    assert found.model.value("top_5_accuracy") == 1.0
    waiting = [{**event, "sku": event["sku"] + 5, "at": event["at"] + DAYS} for event in later]
    found = sl.evaluate_bundle(sl.load_bundle(bundle), events=pl.DataFrame(waiting))
    assert found.model.value("top_5_accuracy") == 1.0


def test_without_histories_nobody_was_ever_there(run: sl.Run, tmp_path: Path) -> None:
    bare = sl.load_bundle(run.save(tmp_path / "bare", with_history=False))
    assert bare.users.columns == ["user", "signup"]
    shop = sl.Recommender(bare)
    found = shop.recommend({"user": 3, "at": last_visit(3) + MINUTES}, k=5)
    assert found.filled == ("last_at", "signup")
    given = shop.recommend({"user": 3, "at": last_visit(3) + MINUTES, "last_at": last_visit(3)}, k=5)
    assert top(given) == SOON
    assert len(sl.evaluate_bundle(bare, events=visits().interactions.head(2)).model.targets) == 2


def test_health_is_asked_without_a_time(bundle: Path) -> None:
    assert sl.bundle_health(sl.load_bundle(bundle)).figures


def test_a_feature_of_another_version_is_refused(run: sl.Run) -> None:
    saved = run.model.features.to_json()
    saved["event"][0]["kind"] = "tide"
    with pytest.raises(BundleError, match="a feature of the kind 'tide', which this shortlist does not know"):
        sl.Features.from_json(saved)

"""Columns that give the answer away, each planted in a clean world."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from doctor_worlds import EVENTS, ITEMS, USERS, WORLD, by_time, names, only, world

import shortlist as sl
from shortlist.doctor import leaks
from shortlist.doctor.correlation import spearman
from shortlist.doctor.leaks import agreement

ITEM_ROWS = WORLD.data().item_rows
USER_ROWS = WORLD.data().user_rows


def test_a_leaked_label_is_found_and_is_as_grave_as_it_is_read() -> None:
    data = world(events={"clicked_name": [f"film number {row}" for row in ITEM_ROWS]})
    graves = {}
    for read, query in (("unsaid", None), ("read", ["user_id", "clicked_name"]), ("unread", ["user_id"])):
        finding = only(sl.doctor.examine(data, by_time(data), query=query))
        assert finding.name == "column-names-item"
        graves[read] = finding.severity
    assert graves == {"unsaid": "warning", "read": "problem", "unread": "note"}
    assert finding.says == (
        "interactions.clicked_name gives the item away: another event with the same value of it has the same 'item_id' "
        "in 100 % of cases."
    )


def test_a_leak_with_noise_is_found() -> None:
    noisy = np.where(np.random.default_rng(0).random(EVENTS) < 0.1, 0, ITEM_ROWS + 1)
    data = world(events={"code": noisy})
    assert names(sl.doctor.examine(data)) == ["column-names-item"]


def test_a_column_of_the_item_in_the_events_is_found() -> None:
    # Ten categories of twenty items each, across the groups of taste.
    data = world(events={"category": [f"c{row // 20}" for row in ITEM_ROWS]})
    finding = only(sl.doctor.examine(data, query=["user_id", "category"]))
    assert (finding.severity, finding.name) == ("problem", "column-describes-item")
    assert (
        "another event of the same item has the same value of it in 100 % of cases (any other event in 10 %)"
        in finding.says
    )


def test_what_belongs_to_the_user_or_to_chance_is_no_leak() -> None:
    generator = np.random.default_rng(1)
    columns = {
        "group": ITEM_ROWS % 10,  # the user's taste: each item has one too, but it is known before
        "device": generator.integers(3, size=EVENTS),
        "session": USER_ROWS * 3 + generator.integers(3, size=EVENTS),
        "dwell": generator.random(EVENTS),
    }
    for name, values in columns.items():
        assert sl.doctor.examine(world(events={name: values})) == [], name


def test_agreement_is_a_mean_over_rows() -> None:
    # Group a: 1, 1, 2: 1/2, 1/2 and 0 of the others agree; group b: 5, 5: 1 and 1; group c has no other. 3 of 5 rows.
    values, groups = pl.Series([1, 1, 2, 5, 5, 9]), pl.Series(["a", "a", "a", "b", "b", "c"])
    assert agreement(values, groups) == (0.6, 5)
    assert agreement(pl.Series([1, 2]), pl.Series(["a", "b"])) == (0.0, 0)
    assert agreement(pl.Series([1, 1, 1, 2])) == (0.5, 4)  # 2/3 of the others, three times, and 0


@pytest.mark.parametrize(("column", "weight"), [("rating", None), ("strength", "strength")])
def test_a_query_that_reads_what_comes_after_is_found(column: str, weight: str | None) -> None:
    values = np.random.default_rng(2).integers(1, 6, size=EVENTS)
    data = world(events={column: values}, weight=weight)
    finding = only(sl.doctor.examine(data, query=["user_id", column]))
    assert (finding.severity, finding.name) == ("warning", "feature-known-too-late")
    assert sl.doctor.examine(data, query=["user_id"]) == []


def test_a_user_column_that_names_a_test_item_is_found() -> None:
    data = WORLD.data()
    last = np.zeros(USERS, np.int64)
    last[data.user_rows] = np.where(data.times == 14, data.item_rows, last[data.user_rows])
    for user in range(USERS):
        last[user] = data.item_rows[(data.user_rows == user) & (data.times == 14)][0]
    data = world(users={"last_item": last})
    finding = only(sl.doctor.examine(data, by_time(data), query=["user_id", "last_item"]))
    assert (finding.severity, finding.name) == ("problem", "column-names-item")
    assert "that the user touches in the test and not in training, for 400 of 400 tested users (100 %)" in finding.says
    for user in range(USERS):  # the last item of training is fair
        last[user] = data.item_rows[(data.user_rows == user) & (data.times == 9)][0]
    data = world(users={"last_item": last})
    assert sl.doctor.examine(data, by_time(data), query=["user_id", "last_item"]) == []


def test_a_user_column_that_names_a_test_item_by_its_label_is_found() -> None:
    titles = [f"film of number {row}" for row in range(ITEMS - 2)] + ["twins of one", "twins of one"]
    data = WORLD.data()
    last = [""] * USERS
    for user, item, time in zip(data.user_rows, data.item_rows, data.times, strict=True):
        if time == 14:
            last[user] = titles[item]
    data = world(users={"last_title": last}, items={"title": titles}, label="title")
    assert "column-names-item" in names(sl.doctor.examine(data, by_time(data)))


def test_a_column_that_tells_training_from_test_is_found() -> None:
    data = WORLD.data()
    split = sl.split_random(data, test=0.3, seed=1)
    fold = np.zeros(EVENTS, np.int64)
    fold[np.random.default_rng(1).permutation(EVENTS)[-1_800:]] = 1
    data = world(events={"fold": fold})
    split = sl.split_random(data, test=0.3, seed=1)
    assert only(sl.doctor.examine(data, split, query=["user_id"])).severity == "warning"
    finding = only(sl.doctor.examine(data, split, query=["user_id", "fold"]))
    assert (finding.severity, finding.name) == ("problem", "column-tells-split")
    assert "no value of it occurs in both (training has 0, the test 1)" in finding.says


def test_values_that_training_never_saw_are_found_where_they_are_read() -> None:
    week = WORLD.data().times // 3  # test times 10 to 14: week 3 (10 and 11: 800 events) is known, week 4 is not
    data = world(events={"week": week})
    finding = only(sl.doctor.examine(data, by_time(data), query=["user_id", "week"]))
    assert finding.name == "values-unseen-in-training"
    assert finding.says.startswith("60 % of test events have a value of interactions.week that training never saw")
    assert sl.doctor.examine(data, by_time(data), query=["user_id"]) == []
    by_day = world(events={"day": WORLD.data().times})
    assert names(sl.doctor.examine(by_day, by_time(by_day), query=["day"])) == ["column-tells-split"]


def _uneven() -> sl.Dataset:
    """The world without the events of late users, so that counts differ between items and between users."""
    data = WORLD.data()
    keep = (data.user_rows + 3 * data.item_rows + 5 * data.times) % 7 > data.user_rows % 5
    return data.take(np.flatnonzero(keep))


def _with(data: sl.Dataset, table: str, values: np.ndarray, events: dict[str, np.ndarray] | None = None) -> sl.Dataset:
    frames: dict[str, Any] = {"items": data.items, "users": data.users}
    frames[table] = frames[table].with_columns(x=pl.Series(values))
    interactions = data.interactions.with_columns(**{k: pl.Series(v) for k, v in (events or {}).items()})
    return sl.Dataset(interactions, **frames, query_id="user_id", item_id="item_id", time="time")


def _counts(part: sl.Dataset, table: str) -> np.ndarray:
    rows, size = (part.item_rows, part.num_items) if table == "items" else (part.user_rows, part.num_users)
    return np.bincount(rows, minlength=size)


@pytest.mark.parametrize("table", ["items", "users"])
def test_a_column_that_counts_test_events_too_is_found_on_any_scale(table: str) -> None:
    base = _uneven()
    data = _with(base, table, np.log1p(_counts(base, table)))
    side: dict[str, Any] = {"query": ["user_id", "x"], "item": ["item_id", "x"]}
    finding = only(sl.doctor.examine(data, by_time(data), **side))
    assert (finding.severity, finding.name) == ("problem", "column-knows-test-events")
    assert f"{table}.x has the very order of the number of events of each of the {table} over all" in finding.says
    assert only(sl.doctor.examine(data, **side)).name == "column-knows-test-events"  # without a split: over all events


@pytest.mark.parametrize("table", ["items", "users"])
def test_counts_of_training_alone_are_fair(table: str) -> None:
    base = _uneven()
    data = _with(base, table, _counts(by_time(base).train, table))
    assert sl.doctor.examine(data, by_time(data)) == []


def test_a_count_that_training_gives_in_the_same_order_is_fair() -> None:
    base = _uneven()
    # Leaving the last out takes one event from every user, so that the order stays.
    data = _with(base, "users", _counts(base, "users"))
    found = names(sl.doctor.examine(data, sl.split_leave_last_out(data)))
    assert "column-knows-test-events" not in found
    assert "column-knows-test-events" in names(sl.doctor.examine(data))


def test_a_mean_over_test_events_and_the_last_time_are_found() -> None:
    base = _uneven()
    stars = np.random.default_rng(4).integers(1, 6, size=base.num_events)
    sums = np.bincount(base.item_rows, stars, minlength=ITEMS)
    data = _with(base, "items", sums / _counts(base, "items"), {"stars": stars})
    finding = only(sl.doctor.examine(data, by_time(data)))
    assert finding.name == "column-knows-test-events"
    assert "the very order of the mean 'stars' of each of the items" in finding.says
    last = np.zeros(USERS)
    np.maximum.at(last, base.user_rows, base.times)
    data = _with(base, "users", last)
    assert "the very order of the last time" in only(sl.doctor.examine(data, by_time(data))).says


def test_a_column_near_popularity_is_a_warning() -> None:
    base = _uneven()
    near = _counts(base, "items") + np.random.default_rng(0).normal(0, 0.8, ITEMS)
    data = _with(base, "items", near)
    order = spearman(near, _counts(base, "items"))
    assert order is not None
    assert 0.95 < order < 0.999
    finding = only(sl.doctor.examine(data, by_time(data)))
    assert (finding.severity, finding.name) == ("warning", "column-follows-popularity")
    assert f"(rank correlation {order:.2f})" in finding.says


def test_spearman_gives_equal_values_their_mean_rank() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4, centred: (-1.5, 0, 0, 1.5)·(-1.5, -.5, .5, 1.5) = 4.5; norms² 4.5 and 5.
    found = spearman(np.array([1, 2, 2, 3]), np.array([10, 20, 30, 40]))
    assert found == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert spearman(np.array([1, 1]), np.array([1, 2])) is None


def test_a_sample_of_many_events_finds_what_all_of_them_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "MOST_EVENTS", 1_000)
    data = world(events={"name": [f"film number {row}" for row in ITEM_ROWS], "category": ITEM_ROWS // 20})
    assert names(sl.doctor.examine(data)) == ["column-names-item", "column-describes-item"]

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.histories import Histories, touched_before
from shortlist.errors import SettingsError

# ann: jam at 3, tea at 5 and again at 5; bob: jam at 4.
CLICKS = {"user": ["ann", "ann", "bob", "ann"], "sku": ["tea", "jam", "jam", "tea"], "at": [5, 3, 4, 5]}


def dataset(clicks: Mapping[str, Any] | None = None, **roles: Any) -> sl.Dataset:
    items = {"sku": ["jam", "tea", "rye"]}
    return sl.Dataset(clicks or CLICKS, items=items, query_id="user", item_id="sku", **roles)


def test_a_history_goes_by_time_and_keeps_repeats() -> None:
    histories = Histories.of(dataset(time="at"))
    assert [histories.by_user(user).tolist() for user in (0, 1)] == [[0, 1, 1], [0]]


def test_without_times_it_goes_by_the_order_of_the_table() -> None:
    assert Histories.of(dataset()).by_user(0).tolist() == [1, 0, 1]


def test_parts_of_a_split_join_into_one_history() -> None:
    data = dataset(time="at")
    first, second = data.take(np.array([0, 2])), data.take(np.array([1, 3]))
    assert Histories.of(first, second).item_rows.tolist() == [0, 1, 1, 0]


def test_items_that_the_catalogue_lacks_are_no_part_of_it() -> None:
    data = dataset(time="at")
    narrow = data.take(np.array([1, 2])).with_own_items()  # jam alone
    histories = Histories.of(data.with_items_of(narrow))
    assert [histories.by_user(user).tolist() for user in (0, 1)] == [[0], [0]]


def test_users_beyond_the_known_ones_have_touched_nothing() -> None:
    histories = Histories.of(dataset(time="at")).for_users(4)
    assert histories.by_user(0).tolist() == [0, 1, 1]
    assert histories.by_user(3).tolist() == []


def test_events_of_one_moment_do_not_come_after_each_other() -> None:
    assert touched_before(dataset(time="at")).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_gap_counts_seconds_whatever_the_unit(unit: Literal["ms", "us", "ns"]) -> None:
    moments = pl.from_epoch(pl.Series([0, 60, 120]), "s").cast(pl.Datetime(unit))
    data = dataset({"user": [1, 1, 1], "sku": ["jam", "tea", "rye"], "at": moments}, time="at")
    assert touched_before(data, 60).tolist() == [0, 1, 2]
    assert touched_before(data, 60.5).tolist() == [0, 0, 1]


def test_a_gap_of_a_day_leaves_out_the_day_before_of_dates() -> None:
    days = [dt.date(2026, 1, day) for day in (1, 2, 4)]
    data = dataset({"user": [1, 1, 1], "sku": ["jam", "tea", "rye"], "at": days}, time="at")
    assert touched_before(data, 2 * 86_400).tolist() == [0, 0, 2]


def test_before_wants_times() -> None:
    with pytest.raises(SettingsError, match="This needs times, but no column has the role time"):
        touched_before(dataset())


@settings(deadline=None, max_examples=50)
@given(
    gap=st.integers(0, 4),
    rows=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["jam", "tea", "rye"]), st.integers(-3, 3)), min_size=1),
)
def test_what_came_before_is_what_a_loop_over_all_events_finds(gap: int, rows: list[tuple[int, str, int]]) -> None:
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    data = dataset({"user": users, "sku": items, "at": times}, time="at")
    histories, before = Histories.of(data), touched_before(data, gap)
    for event in range(len(rows)):
        user = int(data.user_rows[event])
        earlier = sorted(
            int(data.item_rows[other])
            for other in range(len(rows))
            if data.user_rows[other] == user
            and (times[event] - times[other] >= gap if gap else times[other] < times[event])
        )
        assert sorted(histories.by_user(user)[: before[event]].tolist()) == earlier


def test_a_split_says_what_was_touched_before_each_part() -> None:
    clicks = {"user": [1] * 6, "sku": ["jam", "tea", "rye", "jam", "tea", "rye"], "at": [6, 5, 4, 3, 2, 1]}
    split = sl.split_by_time(dataset(clicks, time="at"), test=1 / 3, validation=1 / 6)
    assert split.in_time
    assert split.validation is not None
    assert split.histories_before(split.train).by_user(0).tolist() == [2, 1, 0]
    assert split.histories_before(split.validation).by_user(0).tolist() == [2, 1, 0]
    assert split.histories_before(split.test).by_user(0).tolist() == [2, 1, 0, 2]
    assert split.histories.by_user(0).tolist() == [2, 1, 0, 2, 1, 0]


def test_a_random_split_is_not_in_time_and_leaving_the_last_out_is() -> None:
    data = dataset({"user": [1] * 5, "sku": ["jam"] * 5, "at": [1, 2, 3, 4, 5]}, time="at")
    assert not sl.split_random(data, test=0.4).in_time
    assert sl.split_leave_last_out(data).in_time


@pytest.mark.parametrize("gap", [1e15, 1e300])
def test_a_gap_longer_than_all_times_leaves_nothing(gap: float) -> None:
    moments = [dt.datetime(2026, 1, day) for day in (5, 3, 4, 5)]
    assert touched_before(dataset(CLICKS | {"at": moments}, time="at"), gap).tolist() == [0, 0, 0, 0]

"""Ties, crowds, units, and splits by time that are none."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from doctor_worlds import EVENTS, WORLD, by_time, names, only, world

import shortlist as sl
from shortlist.data import TimeSplit

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
SECOND = 1_780_000_000  # 2026-05-28


def _cut(data: sl.Dataset, train: np.ndarray, test: np.ndarray) -> sl.Split:
    return sl.Split(data.take(train), None, data.take(test), TimeSplit(test=len(test) / data.num_events))


def test_a_split_by_time_through_one_moment_is_found() -> None:
    data = WORLD.data()
    order = np.argsort(data.times, kind="stable")  # 400 events a moment: 4,000 is an edge, 4,100 is not
    clean = sl.doctor.examine(data, _cut(data, order[:4_000], order[4_000:]))
    finding = only(sl.doctor.examine(data, _cut(data, order[:4_100], order[4_100:])))
    assert clean == []
    assert (finding.severity, finding.name) == ("problem", "split-through-moment")
    assert "100 training events have the very time of the first test event" in finding.says


def test_training_after_the_test_is_found() -> None:
    data = WORLD.data()
    order = np.argsort(data.times, kind="stable")
    finding = only(
        sl.doctor.examine(data, _cut(data, order[[*range(3_600), *range(4_000, 6_000)]], order[3_600:4_000]))
    )
    assert (finding.severity, finding.name) == ("problem", "train-after-test")
    assert finding.says.startswith("2,000 training events (36 %) happened after the first test event")


def test_validation_after_the_test_is_found_too() -> None:
    data = WORLD.data()
    order = np.argsort(data.times, kind="stable")
    parts = [data.take(rows) for rows in (order[:3_600], order[4_000:], order[3_600:4_000])]
    split = sl.Split(parts[0], parts[1], parts[2], TimeSplit(test=1 / 15))
    assert names(sl.doctor.examine(data, split)) == ["train-after-test"]


def test_a_random_split_is_not_asked_for_its_times() -> None:
    assert sl.doctor.examine(WORLD.data(), sl.split_random(WORLD.data())) == []


def test_a_moment_with_more_events_than_the_test_is_found() -> None:
    times = WORLD.data().events["time"].to_numpy()
    crowd = world(events={"time": np.where(times < 4, 0, times)})  # 1,600 of 6,000 at moment 0
    finding = only([f for f in sl.doctor.examine(crowd) if f.name == "crowded-moment"])
    assert finding.severity == "warning"
    assert finding.says.startswith("The most crowded moment holds 1,600 of 6,000 events (27 %)")


def test_a_cut_that_a_crowd_has_moved_is_found() -> None:
    # Moments of 400 events: a test of 10 % (600) begins inside moment 13 and takes it whole (800, 13 %).
    data = WORLD.data()
    moved, exact = (sl.split_by_time(data, test=share) for share in (0.1, 2 / 15))
    finding = only(sl.doctor.examine(data, moved))
    assert finding.name == "crowded-moment"
    assert finding.says.endswith("The test has 13 % of the events where 10 % were asked for.")
    assert sl.doctor.examine(data, exact) == []


def test_ties_matter_most_where_the_last_event_is_left_out() -> None:
    times = WORLD.data().events["time"].to_numpy()
    data = world(events={"time": times // 2})  # times 0 and 1 become one: all but the last, alone at 7, are tied
    found = {f.name: f for f in sl.doctor.examine(data)}
    assert found["time-ties"].severity == "note"
    assert found["time-ties"].says.startswith("5,600 events (93 %) share the moment of another event of their user")
    found = {f.name: f for f in sl.doctor.examine(data, sl.split_leave_last_out(data))}
    assert found["time-ties"].severity == "warning"
    assert "instead of leaving the last out" in found["time-ties"].remedy


def _at(seconds: np.ndarray, dtype: pl.DataType | None = None) -> sl.Dataset:
    column = pl.Series(seconds) if dtype is None else pl.Series(seconds).cast(dtype)
    return world(events={"time": column})


def test_times_in_two_units_are_found() -> None:
    seconds = SECOND - np.arange(EVENTS)
    seconds[:100] *= 1_000
    found = sl.doctor.examine(_at(seconds), now=NOW)
    assert (found[0].severity, found[0].name) == ("problem", "mixed-time-units")
    assert found[0].says.endswith("5,900 look like s and 100 look like ms.")
    assert sl.doctor.examine(_at(SECOND - np.arange(EVENTS)), now=NOW) == []


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_before_the_web_and_in_the_future_are_found(scale: int) -> None:
    seconds = SECOND - np.arange(EVENTS)
    seconds[:3], seconds[3] = 0, 4_000_000_000
    finding = only([f for f in sl.doctor.examine(_at(seconds * scale), now=NOW) if f.name == "times-out-of-range"])
    assert finding.says == (
        "4 of 6,000 events (0.067 %) lie out of range: 3 before 1990 and 1 in the future; they reach from 1970-01-01 "
        "to 2096-10-02."
    )


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_seconds_taken_for_another_unit_lie_before_the_web(unit: str) -> None:
    found = only(sl.doctor.examine(_at(SECOND - np.arange(EVENTS), pl.Datetime(unit)), now=NOW))  # type: ignore[arg-type]
    assert found.name == "times-out-of-range"
    assert "6,000 of 6,000 events (100 %) lie out of range: 6,000 before 1990" in found.says


def test_dates_of_last_year_are_in_range_and_of_next_year_are_not() -> None:
    days = pl.Series(np.arange(EVENTS) % 15 + 20_500).cast(pl.Date)  # 2026-02-16 and the days after
    data = world(events={"time": days})
    assert "times-out-of-range" not in names(sl.doctor.examine(data, now=NOW))
    assert "times-out-of-range" in names(sl.doctor.examine(data, now=NOW.replace(year=2025)))


def test_small_whole_numbers_only_order_events() -> None:
    assert sl.doctor.examine(WORLD.data(), by_time(WORLD.data()), now=NOW) == []

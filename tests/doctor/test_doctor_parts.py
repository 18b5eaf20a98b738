"""What the parts of a split share, lack and hide."""

import numpy as np
import polars as pl
import pytest
from doctor_worlds import WORLD, by_time, names, only, world

import shortlist as sl
from shortlist.data import RandomSplit
from shortlist.doctor.kindness import popularity_accuracy


def _leaky(data: sl.Dataset, how: object = None) -> sl.Split:
    split = by_time(data)
    both = pl.concat([split.train.interactions, split.test.interactions.head(50)])
    rows = np.append(np.flatnonzero(data.times < 10), np.flatnonzero(data.times >= 10)[:50])
    assert len(rows) == both.height
    return sl.Split(data.take(rows), None, split.test, RandomSplit(test=1 / 3))


def test_test_rows_in_train_are_found() -> None:
    finding = only(sl.doctor.examine(WORLD.data(), _leaky(WORLD.data())))
    assert (finding.severity, finding.name) == ("problem", "test-rows-in-train")
    assert finding.says.startswith(
        "50 of 2,000 test rows (2 %) stand in training too, with the same user, item and time"
    )
    assert "such as user_id 0, item_id " in finding.says


def test_the_same_pair_at_another_time_is_no_row_in_train() -> None:
    data = WORLD.data()
    table = pl.concat(
        [data.interactions, data.interactions.filter(pl.col("time") == 0).with_columns(time=pl.lit(15, pl.Int64))]
    )
    data = sl.Dataset(table, items=data.items, query_id="user_id", item_id="item_id", time="time")
    assert names(sl.doctor.examine(data, sl.split_by_time(data, test=6 / 16))) == ["repeated-events"]


def test_validation_rows_are_compared_as_well() -> None:
    data = WORLD.data()
    parts = [data.take(np.flatnonzero(mask)) for mask in (data.times < 8, data.times < 2, data.times >= 8)]
    found = sl.doctor.examine(data, sl.Split(parts[0], parts[1], parts[2], RandomSplit(test=0.4)))
    assert names(found) == ["validation-rows-in-train"]
    found = sl.doctor.examine(data, sl.Split(parts[0], parts[2], parts[2], RandomSplit(test=0.4)))
    assert names(found) == ["test-rows-in-validation"]


def test_without_a_time_equal_rows_are_a_warning() -> None:
    table = pl.DataFrame({"u": [1, 2, 1, 2, 3, 3], "i": [7, 8, 7, 8, 7, 8], "w": [1.0, 2.0, 1.0, 3.0, 1.0, 1.0]})
    data = sl.Dataset(table, query_id="u", item_id="i")
    split = sl.Split(data.take(np.array([0, 1, 4])), None, data.take(np.array([2, 3, 5])), RandomSplit(test=0.5))
    finding = only([f for f in sl.doctor.examine(data, split) if f.name == "test-rows-in-train"])
    assert finding.severity == "warning"
    assert finding.says == (
        "1 of 3 test rows (33 %) stand in training too, with the same values in all columns, such as u 1, i 7, w 1.0."
    )


@pytest.mark.parametrize(("count", "severity"), [(100, "warning"), (101, "problem")])
def test_targets_missing_from_the_catalogue_are_found(count: int, severity: str) -> None:
    data = WORLD.data()
    items = data.events["item_id"].to_numpy().copy()
    items[np.flatnonzero(data.times >= 10)[:count]] = 999  # of 2,000 test events; a twentieth is the edge
    table = data.interactions.with_columns(item_id=pl.Series(items))
    data = sl.Dataset(table, query_id="user_id", item_id="item_id", time="time")
    finding = only([f for f in sl.doctor.examine(data, by_time(data)) if f.name == "targets-outside-catalogue"])
    assert finding.severity == severity
    assert f"{count} test events (5 %) name 1 items that the catalogue does not hold, such as 999" in finding.says


def test_new_items_in_the_test_are_found() -> None:
    data = WORLD.data()
    # Items 0 to 19 lose their training events.
    data = data.take(np.flatnonzero((data.item_rows >= 20) | (data.times >= 10)))
    split = by_time(data)
    mine = np.isin(split.test.item_rows, split.train.item_rows, invert=True).sum()
    finding = only([f for f in sl.doctor.examine(data, split) if f.name == "new-items-in-test"])
    assert finding.says.startswith(
        f"{mine:,} of {split.test.num_events:,} test events (11 %) have an item that training"
    )


def test_popularity_is_ranked_without_what_each_user_has_seen() -> None:
    # Training counts: item 0 three times, item 1 twice, item 2 once, item 3 never: places 0, 1, 2, 3.
    train = [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2)]
    test = [("a", 3), ("b", 2), ("c", 1), ("c", 0)]
    table = pl.DataFrame(train + test, schema=["u", "i"], orient="row")
    data = sl.Dataset(table, items={"i": [0, 1, 2, 3]}, query_id="u", item_id="i")
    split = sl.Split(data.take(np.arange(6)), None, data.take(np.arange(6, 10)), RandomSplit(test=0.4))
    # Included: places 3, 2, 1, 0. Excluded: a's 3 behind none of 0, 1, 2: 0; b's 2: 0; c's 1: 0; c's seen 0 stays 0.
    assert [popularity_accuracy(split, k, exclude_seen=False) for k in (1, 2, 3)] == [0.25, 0.5, 0.75]
    assert popularity_accuracy(split, 1, exclude_seen=True) == 1.0


def test_a_gap_between_random_and_time_is_found() -> None:
    # What is popular changes at the end: the last fifth of all events goes to items that were rare before.
    data = WORLD.data()
    items = np.where(data.times < 12, data.item_rows % 100, 100 + data.item_rows % 100)
    data = world(events={"item_id": items})
    found = {f.name: f for f in sl.doctor.examine(data, sl.split_random(data), protocol=sl.Protocol(ks=(50,)))}
    assert found["random-time-gap"].severity == "warning"
    assert "in its top 50" in found["random-time-gap"].says
    assert "a random split is kinder than what comes next" in found["random-time-gap"].says
    noted = [f for f in sl.doctor.examine(data, by_time(data)) if f.name == "random-time-gap"]
    assert noted[0].severity == "note"

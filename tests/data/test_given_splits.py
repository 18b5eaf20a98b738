from typing import Any

import pytest

import shortlist as sl
from shortlist.errors import DataError
from shortlist.settings import load_preset


def dataset(parts: list[Any]) -> sl.Dataset:
    count = len(parts)
    clicks = {"user": [n % 3 for n in range(count)], "item": list(range(count)), "part": parts}
    return sl.Dataset(clicks, items={"item": list(range(count))}, query_id="user", item_id="item")


def test_each_event_stands_in_the_part_that_its_row_says() -> None:
    split = sl.split_as_given(dataset(["train", "test", "validation", "train"]), "part")
    assert split.validation is not None
    assert split.train.item_rows.tolist() == [0, 3]
    assert split.validation.item_rows.tolist() == [2]
    assert split.test.item_rows.tolist() == [1]
    assert not split.in_time


def test_validation_events_are_drawn_from_training_where_none_are_given() -> None:
    data = dataset(["train"] * 80 + ["test"] * 20)
    split = sl.split_as_given(data, "part", validation=0.1, seed=1)
    assert split.validation is not None
    assert split.test.item_rows.tolist() == list(range(80, 100))
    assert len(split.validation.item_rows) == 10
    assert sorted([*split.train.item_rows, *split.validation.item_rows]) == list(range(80))
    again, other = (sl.split_as_given(data, "part", validation=0.1, seed=seed) for seed in (1, 2))
    assert again.fingerprint == split.fingerprint
    assert other.fingerprint != split.fingerprint


def test_an_experiment_file_names_the_column() -> None:
    experiment = load_preset("tutorial").override({"split": {"given": {"column": "part", "validation": 0.1}}})
    assert experiment.tables()["split"] == {"given": {"column": "part", "validation": 0.1, "seed": 0}}


@pytest.mark.parametrize(
    ("parts", "validation", "text"),
    [
        (["train", "Test", None, "test"], 0.0, r"in every row, but 2 rows say 'Test', None"),
        (["train", "validation"], 0.0, "names no test event; both train and test are needed"),
        (["test", "validation"], 0.0, "names no train event"),
        (["train", "test", "validation"], 0.3, "names validation events, and validation=0.3 asks for others"),
        (["train", "test"], 0.5, "cannot be cut into test=0.5, validation=0.5 and training"),
    ],
)
def test_what_cannot_be_is_refused(parts: list[Any], validation: float, text: str) -> None:
    with pytest.raises(DataError, match=text):
        sl.split_as_given(dataset(parts), "part", validation=validation)


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="The interactions have no column 'fold' that could say which part"):
        sl.split_as_given(dataset(["train", "test"]), "fold")


def timed(parts: list[str], times: list[int]) -> sl.Dataset:
    count = len(parts)
    clicks = {"user": [n % 2 for n in range(count)], "item": list(range(count)), "part": parts, "at": times}
    return sl.Dataset(clicks, query_id="user", item_id="item", time="at")


def test_validation_events_are_the_latest_where_the_test_comes_after_training() -> None:
    split = sl.split_as_given(
        timed([*["train"] * 8, "test", "test"], [3, 1, 2, 8, 7, 4, 5, 6, 9, 9]), "part", validation=0.2
    )
    assert split.validation is not None
    assert split.validation.times.tolist() == [8, 7]
    assert split.in_time
    assert split.joined().in_time


def test_they_are_drawn_where_the_test_does_not_come_after_training() -> None:
    data = timed([*["train"] * 8, "test", "test"], [3, 1, 2, 8, 7, 4, 5, 6, 0, 0])
    first, second = (sl.split_as_given(data, "part", validation=0.2, seed=seed).validation for seed in (0, 1))
    assert first is not None
    assert second is not None
    assert first.times.tolist() != second.times.tolist()

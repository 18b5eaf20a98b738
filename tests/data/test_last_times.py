from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.histories import last_before, last_times
from shortlist.errors import SettingsError


def dataset(users: list[int], times: Any, **roles: Any) -> sl.Dataset:
    clicks = {"user": users, "sku": ["jam"] * len(users), "at": times}
    return sl.Dataset(clicks, query_id="user", item_id="sku", **({"time": "at"} | roles))


def test_events_of_one_moment_do_not_come_after_each_other() -> None:
    data = dataset([1, 1, 1, 2], [5, 5, 3, 4])
    assert last_before(data, [data]).to_list() == [3, 3, None, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_gap_counts_seconds_whatever_the_unit(unit: Literal["ms", "us", "ns"]) -> None:
    moments = pl.from_epoch(pl.Series([0, 60, 120]), "s").cast(pl.Datetime(unit))
    data = dataset([1, 1, 1], moments)
    assert last_before(data, [data], 60).to_list() == [None, moments[0], moments[1]]
    assert last_before(data, [data], 60.5).to_list() == [None, None, moments[0]]
    assert last_before(data, [data]).dtype == pl.Datetime(unit)


def test_they_want_times() -> None:
    with pytest.raises(SettingsError, match="This needs times, but no column has the role time"):
        last_before(dataset([1], [1], time=None), [dataset([1], [1], time=None)])


def test_who_never_was_active_has_no_last_time() -> None:
    data = dataset([1, 2, 2], [1, 2, 3])
    assert last_times([data.take(np.array([1])), data.take(np.array([2]))]).to_list() == [None, 3]


def test_a_split_knows_what_was_known_before_each_part() -> None:
    # Three train, one validates, two test.
    split = sl.split_by_time(dataset([1, 2, 1, 1, 1, 2], [1, 2, 3, 4, 5, 6]), test=1 / 3, validation=1 / 6)
    assert split.validation is not None
    assert split.last_before(split.train).to_list() == [None, None, 1]
    assert split.last_before(split.train, gap=3.0).to_list() == [None, None, None]
    assert split.last_before(split.validation, gap=3.0).to_list() == [3]
    assert split.last_before(split.test).to_list() == [4, 2]
    assert split.last_before(split.test.take(np.array([1]))).to_list() == [2]
    assert split.last_times.to_list() == [5, 6]


@settings(deadline=None, max_examples=50)
@given(
    gap=st.integers(0, 4),
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.booleans()), min_size=1),
)
def test_the_last_before_is_what_a_loop_over_all_events_finds(gap: int, rows: list[tuple[int, int, bool]]) -> None:
    users, times, known = (list(column) for column in zip(*rows, strict=True))
    data = dataset(users, times)
    past = data.take(np.flatnonzero(known))
    found = last_before(data, [past], gap).to_list()
    for event, (user, time, _) in enumerate(rows):
        earlier = [
            other for whose, other, is_known in rows
            if is_known and whose == user and (time - other >= gap if gap else other < time)
        ]  # fmt: skip
        assert found[event] == max(earlier, default=None)

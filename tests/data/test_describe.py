import datetime as dt
import json
from typing import Any

import polars as pl
import pytest

from shortlist.data import Dataset, describe


def clicks(times: pl.Series | None = None, **settings: Any) -> Dataset:
    """Three users and four items, where ann touched tea twice."""
    table = pl.DataFrame({"user": ["ann", "ann", "bob", "cat"], "sku": ["tea", "tea", "tea", "jam"]})
    if times is not None:
        table, settings = table.with_columns(ts=times), {"time": "ts"} | settings
    return Dataset(
        table,
        items={"sku": ["tea", "jam", "ham", "oil"], "title": ["Tea", None, "Jam", "Jam"]},
        query_id="user",
        item_id="sku",
        **settings,
    )


def span(times: list[Any], dtype: Any = None) -> Any:
    return describe(clicks(pl.Series(times, dtype=dtype)))["time"]


def test_density_counts_each_pair_once() -> None:
    described = describe(clicks())
    assert (described["events"], described["users"], described["items"]) == (4, 3, 4)
    assert described["density"] == 3 / 12  # ann and tea, bob and tea, cat and jam


def test_it_counts_labels_missing_values_and_how_events_fall_on_items() -> None:
    described = describe(clicks(label="title"))
    assert described["distinct_labels"] == 3  # Tea, Jam, and none
    assert described["columns"]["items"]["title"] == {"type": "String", "missing": 1, "distinct": 3}
    # Events an item: 3 1 0 0. A tenth of four items is at least one.
    assert described["popularity"]["top_share"] == {"1%": 0.75, "10%": 0.75, "50%": 1.0}
    assert described["popularity"]["untouched"] == 2
    assert described["popularity"]["events_per_item"]["median"] == 0.5
    assert described["events_per_user"] == {
        "lowest": 1.0,
        "quartile": 1.0,
        "median": 1.0,
        "upper_quartile": 1.5,
        "highest": 2.0,
    }


def test_without_times_there_is_no_span() -> None:
    assert describe(clicks())["time"] is None


def test_whole_numbers_are_seconds_where_that_gives_a_year_of_ours() -> None:
    assert span([1_577_836_800, 5 + 1_577_836_800, 86_400 + 1_577_836_800, 5 + 1_577_836_800]) == {
        "first": 1_577_836_800,
        "last": 1_577_923_200,
        "distinct": 3,
        "first_utc": "2020-01-01T00:00:00+00:00",
        "last_utc": "2020-01-02T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (1, 2),
        (1_577_836_800, 4_102_444_800),  # 2100 begins: 47,482 days after 1970
        (1_577_836_800, 1_577_836_800_000),  # milliseconds beside seconds: a year beyond 51,000
        (1_577_836_800, 2**63 - 1),
        (-(2**63), 1_577_836_800),
        (631_151_999, 1_577_836_800),  # a second before 1990, 7,305 days after 1970
    ],
)
def test_other_whole_numbers_stay_numbers(first: int, last: int) -> None:
    assert span([last, first, first, last]) == {"first": first, "last": last, "distinct": 2}


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_every_unit_are_seconds(unit: str) -> None:
    moments = [dt.datetime(2020, 1, 1, 0, 0, 1, 500_000), dt.datetime(2020, 1, 2), *[dt.datetime(2020, 1, 1, 12)] * 2]
    assert span(moments, pl.Datetime(unit)) == {  # type: ignore[arg-type]
        "first": 1_577_836_801.5,
        "last": 1_577_923_200.0,
        "distinct": 3,
        "first_utc": "2020-01-01T00:00:01+00:00",
        "last_utc": "2020-01-02T00:00:00+00:00",
    }


def test_a_datetime_beyond_2100_is_shown_in_seconds_alone() -> None:
    described = span([dt.date(2020, 1, 1), dt.date(2100, 1, 1), dt.date(9999, 12, 31), dt.date(2020, 1, 1)])
    # 9999-12-31 is 2,932,896 days after 1970.
    assert described == {"first": 1_577_836_800.0, "last": 2_932_896 * 86_400.0, "distinct": 3}


def test_all_of_it_is_json() -> None:
    described = describe(clicks(pl.Series([dt.datetime(2020, 1, day) for day in (1, 2, 3, 4)])))
    assert json.loads(json.dumps(described, allow_nan=False)) == described

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.text_columns import typed, typed_frame

UTC = dt.UTC


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["7", "-12", "0"], [7, -12, 0]),
        (["7", None], [7, None]),
        (["7", "007"], ["7", "007"]),
        (["+7"], ["+7"]),
        (["1234567890123456789"], ["1234567890123456789"]),
        (["1.5", "2"], [1.5, 2.0]),
        (["1e3"], [1000.0]),
        (["1.5e-07", "0"], [1.5e-7, 0.0]),
        (["12e5"], ["12e5"]),
        (["1.50", "2.00"], [1.5, 2.0]),
        (["7", "", None], [7, None, None]),
        (["1.5", ""], [1.5, None]),
        (["true", ""], [True, None]),
        (["2026-02-28", ""], [dt.date(2026, 2, 28), None]),
        (["2026-01-31 12:00", ""], [dt.datetime(2026, 1, 31, 12), None]),
        (["", ""], ["", ""]),
        (["01.5"], ["01.5"]),
        (["true", "False"], [True, False]),
        (["true", "yes"], ["true", "yes"]),
        (["2026-02-28"], [dt.date(2026, 2, 28)]),
        (["2026-02-31"], ["2026-02-31"]),
        (["2026-01-31T12:00:01.5"], [dt.datetime(2026, 1, 31, 12, 0, 1, 500_000)]),
        (["2026-01-31 12:00"], [dt.datetime(2026, 1, 31, 12)]),
        (["2026-01-31T12:00:00Z"], [dt.datetime(2026, 1, 31, 12, tzinfo=UTC)]),
        (["2026-01-31T12:00:00+01:00"], [dt.datetime(2026, 1, 31, 11, tzinfo=UTC)]),
        (["2026-01-31T12:00:00Z", "2026-01-31T12:00:00"], ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00"]),
        (["", "x"], ["", "x"]),
        ([None, None], [None, None]),
        ([], []),
    ],
    ids=str,
)
def test_a_column_takes_the_narrowest_type_that_all_its_values_have(texts: list[Any], values: list[Any]) -> None:
    read = typed(pl.Series("x", texts, dtype=pl.String))
    assert read.to_list() == values
    assert read.name == "x"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=8))
def test_whole_numbers_read_from_text_are_written_back_as_they_were(numbers: list[int]) -> None:
    texts = pl.Series([str(number) for number in numbers])
    assert typed(texts).cast(pl.String).to_list() == texts.to_list()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("0123456789", min_size=1, max_size=6), min_size=1, max_size=8))
def test_digits_become_numbers_only_where_no_zero_would_be_lost(texts: list[str]) -> None:
    read = typed(pl.Series(texts))
    assert read.cast(pl.String).to_list() == texts


def test_times_alone_can_be_asked_for() -> None:
    frame = pl.DataFrame({"id": ["1"], "day": ["2026-01-31"], "n": [3]})
    assert typed_frame(frame, times_only=True).to_dict(as_series=False) == {
        "id": ["1"],
        "day": [dt.date(2026, 1, 31)],
        "n": [3],
    }

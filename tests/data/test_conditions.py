"""Conditions: what the grammar takes and refuses, and which rows meet one."""

import datetime as dt
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.conditions import All, AnyOf, Compare, Not, read_condition
from shortlist.data.matching import comparable_columns, matching_rows, type_word
from shortlist.errors import DataError, SettingsError

MAY = dt.datetime(2026, 5, 1)
FILMS = pl.DataFrame(
    {
        "year": pl.Series([1977, 1995, None, 2001], dtype=pl.Int16),
        "score": [1.5, math.nan, None, -2.0],
        "name": ["Tea", "Jam", None, ""],
        "sort": pl.Series(["a", "b", None, "a"], dtype=pl.Categorical),
        "free": [True, None, False, True],
        "day": [dt.date(2026, 5, 1), dt.date(2025, 1, 1), None, dt.date(2026, 5, 2)],
        "at": pl.Series([MAY, None, MAY + dt.timedelta(hours=12), MAY], dtype=pl.Datetime("ns")),
        "zoned": pl.Series([MAY, None, MAY, MAY + dt.timedelta(hours=1)]).dt.replace_time_zone("Europe/Paris"),
        "tags": [["hot", "dry"], [], None, ["dry", None]],
        "sizes": [[1, 2], [3], None, []],
        "big": pl.Series([2**63 + 1, 2**63, 0, 1], dtype=pl.UInt64),
        "exact": pl.Series([2**53 + 1, 2**53, None, 1], dtype=pl.Int64),
        "half": pl.Series([0.1, 0.2, None, math.nan], dtype=pl.Float32),
    }
)


def met(condition: dict[str, Any]) -> list[int]:
    return [row for row, flag in enumerate(matching_rows(read_condition(condition), FILMS).tolist()) if flag]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ({"column": "year", "equals": 1995}, [1]),
        ({"column": "year", "equals": 1995.0}, [1]),
        ({"column": "year", "one_of": [1977, 70_000, 2001]}, [0, 3]),
        ({"column": "year", "at_least": 1995}, [1, 3]),
        ({"column": "year", "above": 1995}, [3]),
        ({"column": "year", "at_most": 1995}, [0, 1]),
        ({"column": "year", "below": 1995}, [0]),
        ({"column": "year", "at_least": 1980, "below": 2000}, [1]),
        ({"column": "year", "above": 1994.5}, [1, 3]),
        ({"column": "year", "above": 10**18}, []),
        ({"column": "year", "missing": True}, [2]),
        ({"column": "year", "missing": False}, [0, 1, 3]),
        ({"column": "score", "missing": True}, [1, 2]),
        ({"column": "score", "below": 9}, [0, 3]),
        ({"not": {"column": "score", "below": 9}}, [1, 2]),
        ({"column": "name", "equals": "Tea"}, [0]),
        ({"column": "name", "equals": ""}, [3]),
        ({"column": "name", "one_of": ["Jam", "none such"]}, [1]),
        ({"column": "sort", "equals": "a"}, [0, 3]),
        ({"column": "free", "equals": True}, [0, 3]),
        ({"column": "free", "one_of": [False]}, [2]),
        ({"column": "day", "at_least": "2026-05-01"}, [0, 3]),
        ({"column": "day", "equals": "2026-05-01"}, [0]),
        ({"column": "day", "above": "2026-05-01T12:00"}, [3]),
        ({"column": "at", "equals": "2026-05-01"}, [0, 3]),
        ({"column": "at", "above": "2026-05-01T11:59:59"}, [2]),
        ({"column": "at", "one_of": ["2026-05-01T14:00+02:00"]}, [2]),
        ({"column": "zoned", "below": "2026-05-01"}, [0, 2, 3]),
        ({"column": "zoned", "equals": "2026-05-01T00:00+02:00"}, [0, 2]),
        ({"column": "tags", "has": "dry"}, [0, 3]),
        ({"column": "tags", "missing": True}, [1, 2]),
        ({"column": "sizes", "has": 3}, [1]),
        ({"column": "big", "above": 2**63 - 1}, [0, 1]),
        ({"column": "exact", "equals": 2**53}, [1]),
        ({"column": "exact", "above": 2**53}, [0]),
        ({"column": "half", "equals": 0.1}, [0]),
        ({"column": "half", "at_most": 0.1}, [0]),
        ({"column": "half", "missing": True}, [2, 3]),
        ({"all": [{"column": "tags", "has": "dry"}, {"column": "tags", "has": "hot"}]}, [0]),
        ({"any": [{"column": "tags", "has": "hot"}, {"column": "year", "equals": 1995}]}, [0, 1]),
        ({"not": {"not": {"column": "year", "equals": 1995}}}, [1]),
    ],
)
def test_rows_that_meet_a_condition(condition: dict[str, Any], rows: list[int]) -> None:
    assert met(condition) == rows


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ({"column": "nope", "equals": 1}, "No item column 'nope' can be compared; there are 'year', 'score'"),
        ({"column": "year", "equals": "1995"}, "'year' holds number, but the condition compares it with '1995'"),
        ({"column": "year", "equals": True}, "'year' holds number, but the condition compares it with True"),
        ({"column": "free", "equals": 1}, "'free' holds truth, but the condition compares it with 1"),
        ({"column": "name", "one_of": ["a", 1]}, "'name' holds text, but the condition compares it with 1"),
        ({"column": "name", "above": "a"}, "above compares numbers and times, but the item column 'name' holds text"),
        ({"column": "tags", "equals": "hot"}, "equals does not suit the item column 'tags', a list of text"),
        ({"column": "name", "has": "Tea"}, "has does not suit the item column 'name', a text"),
        ({"column": "day", "above": "May"}, "compare with a date or time such as 2026-01-31 or 2026-01-31T12:00, not"),
        ({"column": "day", "above": "0001-01-01T00:00+14:00"}, "not with '0001-01-01T00:00+14:00'"),
        ({"column": "day", "equals": 7}, "'day' holds time, but the condition compares it with 7"),
    ],
)
def test_a_condition_that_does_not_suit_the_columns_is_refused(condition: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=re.escape(text)):
        met(condition)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ({"column": "year"}, "column 'year' is compared with nothing; give one of equals, one_of"),
        ({"column": "year", "at_least": 1990, "below": None}, "below is null, which compares with nothing; ask for"),
        ({"all": []}, "all should have at least 1 entry"),
        ({"any": [{"column": "x", "sql": 1}]}, "any.0.sql is not a known key"),
        ({"all": [{"not": {"column": "x", "equals": [1]}}]}, "all.0.not.equals should be"),
        ({"column": "x", "equals": math.nan}, "equals should be"),
        ({"column": "x", "equals": math.inf}, "equals should be"),
        ({"column": "x", "one_of": list(range(1_001))}, "one_of list should have at most 1000 items"),
        ({"column": "x" * 2_000, "equals": 1}, "column string should have at most 1024 characters"),
        ({"equals": 1}, "column is missing"),
        ({"all": [{"column": "x", "equals": 1}], "any": []}, "any is not a known key"),
        ("year > 1990", "should be a valid dictionary"),
        (None, "should be a valid dictionary"),
        (
            {"all": [{"column": "x", "equals": 1}] * 100},
            "at most 100 parts and be nested at most 8 deep, but it has 101",
        ),
    ],
)
def test_what_is_no_condition_is_refused(condition: Any, text: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(text)) as caught:
        read_condition(condition)
    assert "The condition cannot be read: " in str(caught.value) or "A condition should have" in str(caught.value)


@pytest.mark.parametrize("depth", [8, 300, 5_000])
def test_a_condition_may_not_be_nested_without_end(depth: int) -> None:
    condition: dict[str, Any] = {"column": "x", "equals": 1}
    for _ in range(depth):
        condition = {"not": condition}
    with pytest.raises(SettingsError, match="nested at most 8 deep"):
        read_condition(condition)


def test_a_condition_of_a_condition_is_itself() -> None:
    condition = read_condition({"not": {"column": "x", "equals": 1}})
    assert read_condition(condition) is condition


def test_columns_that_no_condition_reads_are_left_out() -> None:
    table = FILMS.select("year").with_columns(
        picture=pl.Series([[0.5]] * 4),
        pixels=pl.Series([[1]] * 4, dtype=pl.Array(pl.Int64, 1)),
        parts=pl.Series([{"a": 1}] * 4),
        nested=pl.Series([[["a"]]] * 4),
        raw=pl.Series([b"a"] * 4),
    )
    assert comparable_columns(table).columns == ["year"]
    assert type_word(pl.List(pl.List(pl.String))) is None


CONDITIONS = st.recursive(
    st.one_of(
        st.builds(
            lambda word, value: {"column": "year", word: value},
            st.sampled_from(["equals", "at_least", "above", "at_most", "below"]),
            st.integers(1970, 2005),
        ),
        st.builds(
            lambda values: {"column": "name", "one_of": values},
            st.lists(st.sampled_from(["Tea", "Jam", ""]), min_size=1, max_size=3),
        ),
        st.builds(lambda value: {"column": "tags", "has": value}, st.sampled_from(["hot", "dry", "wet"])),
        st.builds(
            lambda column, value: {"column": column, "missing": value},
            st.sampled_from(["year", "tags", "name"]),
            st.booleans(),
        ),
    ),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)


WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "equals": operator.eq,
    "one_of": lambda value, wanted: value in wanted,
    "has": operator.contains,
    "at_least": operator.ge,
    "above": operator.gt,
    "at_most": operator.le,
    "below": operator.lt,
}


def holds(condition: Any, row: dict[str, Any]) -> bool:
    """The grammar read a second time, in plain Python."""
    match condition:
        case All(all=parts):
            return all(holds(part, row) for part in parts)
        case AnyOf(any=parts):
            return any(holds(part, row) for part in parts)
        case Not(negated=part):
            return not holds(part, row)
        case Compare(column=column):
            value = row[column]
            return all(_compares(word, value, wanted) for word, wanted in condition.comparisons.items())
    raise AssertionError(condition)


def _compares(word: str, value: Any, wanted: Any) -> bool:
    if word == "missing":
        return (value is None or value == []) is wanted
    if value is None:
        return False
    return bool(WAYS[word](value, wanted))


@settings(deadline=None, max_examples=200)
@given(condition=CONDITIONS)
def test_every_mixture_of_conditions_means_what_plain_python_says(condition: dict[str, Any]) -> None:
    read = read_condition(condition)
    rows = FILMS.select("year", "name", "tags").to_dicts()
    assert matching_rows(read, FILMS).tolist() == [holds(read, row) for row in rows]
    again = read_condition(read.model_dump(mode="json", by_alias=True, exclude_none=True))
    assert again == read

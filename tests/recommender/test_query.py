import datetime as dt
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest

from shortlist.data import Roles
from shortlist.errors import DataError
from shortlist.features import AnyFeature, Categories, Cross, Lookup, Normalize, Vectors
from shortlist.recommender.query import KINDS, read_queries

ROLES = Roles("user", "item")
NOON = dt.datetime(2026, 1, 1, 12)


def served(choice: AnyFeature, users: pl.Series, asked: pl.Series, roles: Roles = ROLES) -> Any:
    """The column of one feature, fitted on the users, as the same users ask with other values."""
    feature = choice.fit(users)
    read = read_queries(
        asked.to_frame("x"),
        [feature],
        roles=roles,
        users=users.to_frame("x").with_row_index("user"),
        user_rows=np.arange(len(asked)) % len(users),
        trained=np.ones(len(asked), np.bool_),
    )
    return read.encoded[feature.name]


@pytest.mark.parametrize(
    ("users", "asked"),
    [
        ([0.5, 1.5], [9, None]),
        ([NOON, NOON + dt.timedelta(hours=1)], [9, None]),
        ([NOON, NOON + dt.timedelta(hours=1)], [dt.date(2026, 1, 1), None]),
        ([0.5, 1.5], ["9", None]),
        ([False, True], [9.5, None]),
    ],
    ids=["whole numbers", "numbers", "days", "texts", "decimals"],
)
def test_a_number_of_the_users_table_stays_what_it_is_beside_queries_of_another_type(
    users: list[Any], asked: list[Any]
) -> None:
    # The second of two values lies one standard deviation above their mean.
    assert served(Normalize("x"), pl.Series(users), pl.Series(asked)).values[1].tolist() == [1.0]


def test_a_text_of_the_users_table_keeps_its_zeros_beside_queries_of_numbers() -> None:
    # The vocabulary is "007", "7": rows 1 and 2.
    assert served(Lookup("x"), pl.Series(["7", "007"]), pl.Series([7, None])).rows.tolist() == [2, 1]


def test_lists_of_the_users_table_and_of_queries_may_hold_other_types() -> None:
    found = served(Categories("x"), pl.Series([["a"], ["a", "7"]]), pl.Series([[7], None]))
    assert found.padded().tolist() == [[2, 0], [3, 2]]


def test_a_list_beside_a_text_is_refused() -> None:
    says = r"The queries' 'x' holds String, and the users table List\(String\); give it in that type\."
    with pytest.raises(DataError, match=says):
        served(Categories("x"), pl.Series([["a"], ["b"]]), pl.Series(["a|b", None]))


def test_times_and_numbers_may_stand_side_by_side_as_texts() -> None:
    # Noon of January 1, 2026 is 1,767,268,800 s after 1970; the times before and after it are one deviation away.
    users = pl.Series([NOON - dt.timedelta(seconds=0.5), NOON + dt.timedelta(seconds=0.5)])
    asked = pl.Series(["1767268800.5", "2026-01-01T13:00:00.500000+01:00", "2026-01-01 12", "1767268799.5"])
    assert served(Normalize("x"), users, asked).values[:, 0].tolist() == [1, 1, 0, -1]


def test_a_column_of_texts_without_a_value_is_missing_numbers() -> None:
    feature = Normalize("x").fit(pl.Series([1.0, 3.0]))
    asked = pl.DataFrame({"x": [None, None]}, schema={"x": pl.String})
    nobody: Any = {
        "users": pl.DataFrame({"user": []}),
        "user_rows": np.array([-1, -1]),
        "trained": np.zeros(2, np.bool_),
    }
    read = read_queries(asked, [feature], roles=ROLES, **nobody)
    encoded: Any = read.encoded["normalize_x"]
    assert encoded.values.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(("unit", "count"), [("s", 3), ("ms", 3_000), ("ms", 3_000.0), ("ns", 3 * 10**9)])
def test_numbers_are_times_in_the_unit_of_the_training(unit: Literal["s", "ms", "ns"], count: float) -> None:
    users = pl.Series([dt.datetime(1970, 1, 1, 0, 0, second) for second in (1, 3)])
    roles = Roles("user", "item", time="x", time_unit=unit)
    assert served(Normalize("x"), users, pl.Series([count]), roles).values.tolist() == [[1.0]]


def test_a_number_in_too_fine_a_unit_is_refused() -> None:
    roles = Roles("user", "item", time="x", time_unit="s")
    with pytest.raises(DataError, match=r"The query's 'x' holds 1767268800000, which in s since 1970 lies beyond"):
        served(Normalize("x"), pl.Series([NOON]), pl.Series([1_767_268_800_000]), roles)


def test_a_combination_that_training_never_saw_is_told_of_by_the_columns_that_the_query_gave() -> None:
    users = pl.DataFrame({"user": [1, 2], "x": ["a", "b"], "y": ["c", "d"]})
    feature = Cross(("x", "y")).fit(users.select("x", "y").to_struct())
    asked = pl.DataFrame({"x": ["a", "a", "a", "b"], "y": ["c", "d", None, None]})
    read = read_queries(
        asked,
        [feature],
        roles=ROLES,
        users=users,
        user_rows=np.array([-1, -1, -1, 0]),  # the last one's y is filled: b with c
        trained=np.zeros(4, np.bool_),
    )
    assert read.unknown_columns() == [[], ["x", "y"], [], ["x"]]
    assert [KINDS[kind] for kind in read.kinds] == ["features_only", "fallback", "fallback", "fallback"]


def test_a_vector_in_a_query_has_the_length_of_training() -> None:
    users = pl.Series([[1.0, 2.0], [3.0, 4.0]])
    assert served(Vectors("x"), users, pl.Series(["[5, 6]"])).values.tolist() == [[5.0, 6.0]]
    with pytest.raises(DataError, match="at least 1, but row 0 has 3 numbers and training had 2"):
        served(Vectors("x"), users, pl.Series([[5, 6, 7]]))

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from feature_conformance import FeatureConformance, row
from hypothesis import strategies as st

from shortlist.errors import SettingsError
from shortlist.features import Categories

GENRES = ["drama", "war", "poetry", "é"]
NO_CATEGORIES = (
    pl.Series([1.5]),
    pl.Series([dt.date(2026, 1, 31)]),
    pl.Series([[1.5]]),
    pl.Series([[["drama"]]]),
    pl.Series([{"a": 1}]),
    pl.Series([["a", "b"]], dtype=pl.Array(pl.String, 2)),
)


class TestCategoriesInLists(FeatureConformance):
    choice = Categories("x", width=4)
    training = pl.Series("x", [["drama", "war"], ["war"], None, [], [None]])
    unseen, missing = ["poetry"], []
    values = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.sampled_from(GENRES)), max_size=4))
    wrong = NO_CATEGORIES


class TestCategoriesInTexts(FeatureConformance):
    choice = Categories("x", width=4)
    training = pl.Series("x", ["drama|war", "war", None, ""])
    unseen, missing = "poetry", []
    values = st.one_of(st.none(), st.text("ab|é", max_size=5), st.lists(st.sampled_from(GENRES)).map("|".join))
    wrong = NO_CATEGORIES


class TestCategoriesOfIntegers(FeatureConformance):
    choice = Categories("x", width=4)
    training = pl.Series("x", [[1, 2], [2], None])
    unseen, missing = [9], []
    values = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=4))
    wrong = NO_CATEGORIES


class TestCategoriesByRarity(FeatureConformance):
    choice = Categories("x", width=4, rarity=1.0, pooling="sqrt", dropout=0.1)
    training = pl.Series("x", [["drama", "war"], ["war"], None, [], [None]])
    unseen, missing = ["poetry"], []
    values = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.sampled_from(GENRES)), max_size=4))
    wrong = NO_CATEGORIES


def encoded(choice: Categories, training: Any, values: Any) -> list[list[int]]:
    lists = choice.fit(pl.Series(training)).encode(pl.Series(values))
    return [row(lists, place) for place in range(len(lists))]


class TestCategories:
    def test_a_text_is_parted_at_the_separator(self) -> None:
        assert encoded(Categories("x"), ["b|a"], ["a|b", "b", "a|c|b"]) == [[2, 3], [3], [2, 1, 3]]

    def test_the_separator_is_taken_literally(self) -> None:
        assert encoded(Categories("x", separator=", "), ["a, b"], ["b, a", "a,b"]) == [[3, 2], [1]]

    def test_empty_parts_are_no_categories(self) -> None:
        assert encoded(Categories("x"), ["a||b|"], ["|a|", "|", ""]) == [[2], [], []]

    def test_nor_is_an_empty_text_in_a_list(self) -> None:
        assert encoded(Categories("x"), [["a", "", "b"]], [["", "a"], [""]]) == [[2], []]

    @pytest.mark.parametrize("dtype", [pl.List(pl.Categorical), pl.List(pl.Enum(["", "a"])), pl.List(pl.String)])
    def test_nor_is_it_in_a_list_of_another_type_of_text(self, dtype: pl.DataType) -> None:
        assert encoded(Categories("x"), [["a"]], pl.Series([["", "a"], [""]], dtype=dtype)) == [[2], []]

    def test_lists_and_texts_give_the_same_rows(self) -> None:
        fitted = Categories("x").fit(pl.Series(["drama|war"]))
        assert fitted.encode(pl.Series([["war", "poetry"], []])).padded().tolist() == [[3, 1], [0, 0]]
        assert fitted.encode(pl.Series(["war|poetry", None])).padded().tolist() == [[3, 1], [0, 0]]

    def test_a_separator_inside_a_list_is_a_sign_like_any_other(self) -> None:
        assert encoded(Categories("x"), [["a|b"]], [["a|b"], ["a", "b"]]) == [[2], [1, 1]]

    def test_missing_categories_of_a_list_are_left_out(self) -> None:
        assert encoded(Categories("x"), [["a"]], [[None, "a"], [None], None]) == [[2], [], []]

    def test_categories_seen_too_seldom_are_unknown(self) -> None:
        choice = Categories("x", min_count=2)
        assert encoded(choice, [["a", "b"], ["b"], ["c", "c"]], [["a", "b", "c"]]) == [[1, 2, 3]]

    def test_a_category_counts_as_often_as_it_stands(self) -> None:
        assert encoded(Categories("x"), [["a"]], [["a", "a"]]) == [[2, 2]]

    @pytest.mark.parametrize("dtype", [pl.List(pl.Categorical), pl.List(pl.Enum(["a", "b"])), pl.List(pl.String)])
    def test_lists_of_every_type_of_text_are_read(self, dtype: pl.DataType) -> None:
        fitted = Categories("x").fit(pl.Series([["b"]]))
        assert fitted.encode(pl.Series([["a", "b"]], dtype=dtype)).padded().tolist() == [[1, 2]]

    def test_an_integer_is_a_single_category(self) -> None:
        assert encoded(Categories("x"), [7, 12], [12, 7, 1]) == [[2], [3], [1]]

    def test_a_row_is_known_by_any_known_category(self) -> None:
        fitted = Categories("x").fit(pl.Series([["a"]]))
        assert fitted.known(pl.Series([["a", "z"], ["z"], []])).tolist() == [True, False, False]

    def test_an_empty_separator_is_refused(self) -> None:
        with pytest.raises(SettingsError, match=r"Categories: separator .* at least 1 character, but it is ''"):
            Categories("x", separator="")

    def test_a_category_weighs_by_how_many_rows_hold_it(self) -> None:
        fitted = Categories("x", rarity=2.0).fit(pl.Series([["a", "a"], ["a", "b"], ["a"], []]))
        assert fitted.weights is not None
        assert fitted.weights.tolist() == pytest.approx([0, 0, math.log(4 / 3) ** 2, math.log(4) ** 2])
        again = Categories("x", rarity=2.0).restore(fitted.state())
        assert again.weights is not None
        assert again.weights.tolist() == fitted.weights.tolist()

    def test_without_rarity_nothing_is_weighed(self) -> None:
        assert Categories("x").fit(pl.Series([["a"]])).state() == {"vocabulary": ["a"]}

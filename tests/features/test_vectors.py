from typing import Any

import numpy as np
import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import strategies as st

from shortlist.data import Dataset
from shortlist.errors import DataError, SettingsError
from shortlist.features import Lookup, Numbers, Vectors, fit_features

NUMBERS = st.floats(-1e30, 1e30)
PAIRS = st.none() | st.lists(NUMBERS, min_size=2, max_size=2)
NO_VECTORS = (pl.Series([1.5]), pl.Series([["a"]]), pl.Series([True]), pl.Series([[[1.0]]]))
NO_VECTORS_TEXT = "Column 'x' should hold vectors \\(lists or arrays of numbers, or texts of them\\), but its type is"
NO_WIDTH = "Vectors: width is not a known key"


class TestVectors(FeatureConformance):
    choice = Vectors("x")
    training = pl.Series("x", [[1.0, 2.0], None, [3.0, 5.0]])
    unseen, missing = [7.0, -1.0], [0.0, 0.0]
    values, wrong, wrong_text, no_width_text = PAIRS, NO_VECTORS, NO_VECTORS_TEXT, NO_WIDTH


class TestUnitVectors(TestVectors):
    choice = Vectors("x", scaling="unit")


class TestStandardVectors(TestVectors):
    choice = Vectors("x", scaling="standardize")


class TestArrays(TestVectors):
    training = pl.Series("x", [[1.0, 2.0], None, [3.0, 5.0]], dtype=pl.Array(pl.Float32, 2))
    values = st.none() | st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=2, max_size=2)


class TestVectorsOfText(FeatureConformance):
    choice = Vectors("x", separator=";")
    training = pl.Series("x", ["1;2", None, "[3.5; 5]"])
    unseen, missing = "7;-1e3", [0.0, 0.0]
    values = st.none() | st.tuples(NUMBERS, NUMBERS).map(lambda pair: ";".join(map(str, pair)))
    wrong, wrong_text, no_width_text = NO_VECTORS, NO_VECTORS_TEXT, NO_WIDTH


def encoded(choice: Vectors, training: list[Any], values: list[Any]) -> Any:
    numbers = choice.fit(pl.Series("x", training)).encode(pl.Series("x", values))
    assert isinstance(numbers, Numbers)
    return numbers.values.tolist()


def test_vectors_enter_as_they_are() -> None:
    assert encoded(Vectors("x"), [[1.0, 2.0]], [[0.5, -4.0], None]) == [[0.5, -4.0], [0.0, 0.0]]


def test_a_vector_of_unit_length_keeps_its_direction_and_zeros_stay() -> None:
    # 3 and 4 have length 5.
    found = encoded(Vectors("x", scaling="unit"), [[1.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


def test_standard_vectors_are_measured_by_training_number_by_number() -> None:
    # Means 2 and 5, deviations 1 and 0: the second number says nothing.
    choice = Vectors("x", scaling="standardize")
    assert encoded(choice, [[1.0, 5.0], [3.0, 5.0], None], [[4.0, 9.0], None]) == [[2.0, 0.0], [0.0, 0.0]]


def test_numbers_of_every_type_are_read() -> None:
    fitted = Vectors("x").fit(pl.Series([[1, 2]]))
    wanted = [[3.0, 4.0]]
    for values in ([[3, 4]], [[3.0, 4.0]], ["3, 4"], ["[3,4.0]"], [[3, 4.0]]):
        assert fitted.encode(pl.Series(values, strict=False)).values.tolist() == wanted
    array = pl.Series([[3, 4]], dtype=pl.Array(pl.Int16, 2))
    assert fitted.encode(array).values.tolist() == wanted


def test_an_empty_text_is_missing() -> None:
    assert encoded(Vectors("x"), ["1,2"], ["", "[]"]) == [[0.0, 0.0]] * 2
    assert Vectors("x").fit(pl.Series(["1,2"])).known(pl.Series(["", "3,4"])).tolist() == [False, True]
    with pytest.raises(DataError, match="Column 'x' has 1 missing values, the first in row 1, and its feature says"):
        Vectors("x", missing="error").fit(pl.Series("x", ["1,2", ""]))


@pytest.mark.parametrize(
    ("values", "row"), [([[1.0, 2.0], None, [1.0]], 2), ([[1.0, 2.0], [1.0, 2.0, 3.0]], 1), ([[1.0, 2.0], []], 1)]
)
def test_another_length_is_refused_with_the_row_and_both_lengths(values: list[Any], row: int) -> None:
    series = pl.Series("x", values)
    text = f"should hold vectors of one length, at least 1, but row {row} has {len(values[row])} numbers"
    with pytest.raises(DataError, match=f"{text} and row 0 has 2. Give vectors of the same model"):
        Vectors("x").fit(series)
    with pytest.raises(DataError, match=f"{text} and training had 2"):
        Vectors("x").fit(series[:1]).encode(series)


def test_vectors_without_a_number_are_refused() -> None:
    with pytest.raises(DataError, match="at least 1, but row 0 has 0 numbers and row 0 has 0"):
        Vectors("x").fit(pl.Series("x", [[], []], dtype=pl.List(pl.Float64)))


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([[1.0, 2.0], None, [1.0, float("nan")]], "1.0, nan"),
        ([[1.0, 2.0], None, [1.0, float("inf")]], "1.0, inf"),
        ([[1.0, 2.0], None, [1.0, 1e39]], "1.0, 1e\\+39"),
        ([[1.0, 2.0], None, [1.0, None]], "1.0, None"),
        (["1,2", None, "1,much"], "'1,much'"),
    ],
    ids=str,
)
def test_what_is_not_finite_is_refused_with_its_place(values: list[Any], shown: str) -> None:
    with pytest.raises(DataError, match=f"finite in float32, but in row 2 number 1 is none: {shown}. Correct it"):
        Vectors("x").fit(pl.Series("x", values))


def test_training_without_a_vector_is_refused() -> None:
    with pytest.raises(DataError, match="Column 'x' holds no vector at all in the rows that features are fitted on"):
        Vectors("x").fit(pl.Series("x", [None], dtype=pl.List(pl.Float64)))


def test_another_way_to_normalize_is_refused() -> None:
    with pytest.raises(SettingsError, match="scaling should be 'none', 'unit' or 'standardize', but it is 'much'"):
        Vectors("x", scaling="much")  # type: ignore[arg-type]


def test_items_that_nobody_touched_are_looked_at_before_training() -> None:
    data = Dataset(
        {"user": ["ann"], "sku": ["tea"]},
        items={"sku": ["jam", "rye", "tea"], "picture": [[1.0, 2.0], [1.0], [3.0, 4.0]]},
        query_id="user",
        item_id="sku",
    )
    with pytest.raises(DataError, match="Column 'picture' should hold vectors of one length, at least 1, but row 1"):
        fit_features([Lookup("user")], [Vectors("picture")], on=data)

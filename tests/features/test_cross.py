from typing import Any

import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data import Dataset
from shortlist.errors import DataError, SettingsError
from shortlist.features import Cross, Hash, Lookup, encode, fit_features

WORDS = st.none() | st.sampled_from(["a", "b", "a|b", "|", "\\", "b\\"]) | st.text(max_size=3)
STRUCTS = st.none() | st.fixed_dictionaries({"x": WORDS, "y": st.none() | st.integers(0, 3)})
WRONG = (pl.Series([{"x": 1.5, "y": 1}]), pl.Series([{"x": [1], "y": 1}]))


def pairs(*values: tuple[Any, Any]) -> pl.Series:
    return pl.Series("", [{"x": x, "y": y} for x, y in values])


class TestCross(FeatureConformance):
    choice = Cross(("x", "y"), width=4)
    training = pairs(("a", 1), ("a", 2), ("b", 1))
    unseen, missing = {"x": "b", "y": 2}, 0
    values, wrong, called = STRUCTS, WRONG, "x×y"


class TestHashedCross(TestCross):
    choice = Cross(("x", "y"), width=4, num_rows=7)


def test_a_combination_has_a_row_and_its_halves_have_none() -> None:
    fitted = Cross(("x", "y")).fit(pairs(("a", 1), ("b", 2)))
    # In the order of their texts: a|1, b|2.
    assert fitted.encode(pairs(("a", 1), ("b", 2), ("a", 2), ("b", 1))).rows.tolist() == [1, 2, 0, 0]
    assert fitted.state() == {"vocabulary": ["a|1", "b|2"]}


def test_a_combination_with_a_missing_part_is_missing() -> None:
    fitted = Cross(("x", "y")).fit(pairs(("a", 1), (None, 1), ("a", None)))
    assert fitted.num_rows == 2
    assert fitted.encode(pairs((None, 1), ("a", None))).rows.tolist() == [0, 0]
    assert fitted.known(pairs(("a", 1), ("a", None), ("b", 1))).tolist() == [True, False, False]


def test_rare_combinations_share_the_unknown_row() -> None:
    fitted = Cross(("x", "y"), min_count=2).fit(pairs(("a", 1), ("a", 1), ("b", 1)))
    assert fitted.encode(pairs(("a", 1), ("b", 1))).rows.tolist() == [1, 0]


def test_three_columns_make_triples() -> None:
    values = pl.Series([{"x": "a", "y": 1, "z": True}, {"x": "a", "y": 1, "z": False}])
    fitted = Cross(("x", "y", "z")).fit(values)
    assert (fitted.columns, fitted.name, fitted.num_rows) == (("x", "y", "z"), "cross_x×y×z", 3)


def test_a_hashed_combination_falls_where_the_hash_of_its_text_does() -> None:
    fitted = Cross(("x", "y"), num_rows=1_000).fit(pairs(("a", 1)))
    texts = Hash("t", num_rows=1_000).fit(pl.Series(["a|1"])).encode(pl.Series(["a|1", "b|2", None]))
    assert fitted.encode(pairs(("a", 1), ("b", 2), (None, 2))).rows.tolist() == texts.rows.tolist()


@given(one=st.tuples(st.text("a|\\", max_size=4), st.text("a|\\", max_size=4)), other=st.data())
def test_no_two_combinations_are_one(one: tuple[str, str], other: st.DataObject) -> None:
    cut = other.draw(st.integers(0, len("".join(one))))
    again = ("".join(one)[:cut], "".join(one)[cut:])
    first, second = Cross(("x", "y")).texts(pairs(one, again))
    assert (first == second) == (one == again)


def shop(**users: list[Any]) -> Dataset:
    return Dataset(
        {"user": ["ann", "bob"], "sku": ["tea", "jam"], "device": ["phone", "desk"], "hour": [1, 2]},
        users={"user": ["ann", "bob"], "job": ["cook", "poet"], "city": ["Ely", "Bath"], **users},
        items={"sku": ["tea", "jam"], "brand": ["x", "y"], "kind": ["drink", "sweet"]},
        query_id="user",
        item_id="sku",
    )


def test_it_belongs_to_the_table_that_holds_its_columns() -> None:
    query = [Cross(("job", "city")), Cross(("device", "hour")), Cross(("user", "device"))]
    features = fit_features(query, [Cross(("brand", "kind"))], on=shop())
    assert [feature.name for feature in features.user] == ["cross_job×city"]
    assert [feature.name for feature in features.event] == ["cross_device×hour", "cross_user×device"]
    assert encode(features.item, shop().items)["cross_brand×kind"].rows.tolist() == [1, 2]  # type: ignore[union-attr]


def test_columns_of_two_tables_are_refused() -> None:
    text = (
        "A Cross reads columns of one table, but 'job' stands in the users table and 'device' in the interactions. Put "
        "both into one, or give each a feature of its own."
    )
    with pytest.raises(SettingsError) as caught:
        fit_features([Cross(("job", "device"))], [Lookup("sku")], on=shop())
    assert str(caught.value) == text
    with pytest.raises(DataError, match="The item tower wants column 'job', which its tables do not hold"):
        fit_features([Lookup("user")], [Cross(("brand", "job"))], on=shop())
    with pytest.raises(DataError, match="The query tower wants column 'shoe', which its tables do not hold"):
        fit_features([Cross(("device", "shoe"))], [Lookup("sku")], on=shop())


def test_the_item_that_is_asked_for_is_no_part_of_a_query() -> None:
    with pytest.raises(SettingsError, match="A query feature reads 'sku', the item that the query asks for"):
        fit_features([Cross(("device", "sku"))], [Lookup("sku")], on=shop())


def test_an_encoded_table_without_one_of_the_columns_is_refused() -> None:
    features = fit_features([Cross(("job", "city"))], [Lookup("sku")], on=shop())
    with pytest.raises(DataError, match="The features read column 'city', which the table does not hold"):
        encode(features.user, pl.DataFrame({"job": ["cook"]}))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"columns": ("x",)}, "columns should have at least 2 entries, but it is"),
        ({"columns": ("x", "y", "x")}, "columns should be different ones, but 'x' stands there twice"),
        ({"num_rows": 9, "min_count": 2}, "min_count counts combinations, which a hash \\(num_rows\\) does not"),
        ({"num_rows": 1}, "num_rows should be greater than or equal to 2, but it is 1"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        Cross(**{"columns": ("x", "y"), **fields})


def test_the_same_combination_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="The query tower has the same feature twice: cross of 'job×city'"):
        fit_features([Cross(("job", "city")), Cross(("job", "city"), width=3)], [Lookup("sku")], on=shop())

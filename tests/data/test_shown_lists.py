from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data import Dataset, split_by_time, split_random
from shortlist.data.shown import Shown
from shortlist.errors import DataError, SettingsError

CLICKS: dict[str, list[Any]] = {
    "user": ["ann", "bob", "ann", "eve"],
    "sku": ["tea", "jam", "jam", "tea"],
    "at": [1, 2, 3, 4],
    "list": [["tea", "jam", "rum", "jam"], ["ale"], None, []],
}
ITEMS = {"sku": ["rum", "tea", "jam"]}


def shop(lists: Any = None, **settings: Any) -> Dataset:
    clicks = CLICKS if lists is None else CLICKS | {"list": lists}
    roles: dict[str, Any] = {"items": ITEMS, "query_id": "user", "item_id": "sku", "time": "at", "shown": "list"}
    return Dataset(clicks, **(roles | settings))


def rows(data: Dataset) -> list[list[int]]:
    shown = Shown.of(data)
    return [part.tolist() for part in np.split(shown.item_rows, shown.offsets[1:-1])]


def test_each_events_list_is_its_distinct_items_without_its_own() -> None:
    # The first event's own is tea, row 1; jam stands there twice, row 2, and rum, row 0; nobody knows ale.
    assert rows(shop()) == [[0, 2], [], [], []]


def test_unknown_items_are_left_out_and_told() -> None:
    shown = Shown.of(shop())
    assert shown.unknown.to_list() == ["ale"]
    assert shown.num_unknown == 1
    assert shop().num_events == 4


@pytest.mark.parametrize(
    ("lists", "settings"),
    [
        (["tea|jam|rum|jam", "ale", None, ""], {}),
        (["tea, jam ,rum,,jam", "ale", None, " "], {"shown_separator": ","}),
        (pl.Series(CLICKS["list"], dtype=pl.List(pl.Categorical)), {}),
    ],
    ids=["bars", "commas", "categories"],
)
def test_texts_with_a_separator_and_categories_say_the_same(lists: Any, settings: dict[str, Any]) -> None:
    assert rows(shop(lists, **settings)) == rows(shop())


@pytest.mark.parametrize(
    "lists",
    [
        [[7, 8, 9], [8], None, []],
        pl.Series([[7, 8, 9], [8], None, []], dtype=pl.List(pl.UInt8)),
        ["7|8|9", "8", None, ""],
        pl.Series([[7, 8, 9], [8, 8, 8], None, [9, 9, 9]], dtype=pl.Array(pl.Int64, 3)),
    ],
    ids=["lists", "narrow", "texts", "arrays"],
)
def test_ids_that_are_numbers(lists: Any) -> None:
    clicks = {"user": [1, 2, 1, 3], "sku": [7, 8, 7, 9], "list": lists}
    found = rows(Dataset(clicks, items={"sku": [9, 8, 7]}, query_id="user", item_id="sku", shown="list"))
    assert found == [[0, 1], [], [], []]


def test_a_column_of_single_ids_is_read_too() -> None:
    clicks = {"user": [1, 2], "sku": [7, 8], "list": [8, 8]}
    assert rows(Dataset(clicks, query_id="user", item_id="sku", shown="list")) == [[1], []]


def test_parts_of_a_split_keep_their_own_lists() -> None:
    parts = split_by_time(shop([["rum"], ["tea"], ["rum", "tea"], ["jam"]]), test=0.5)
    assert rows(parts.train) == [[0], [1]]
    assert rows(parts.test) == [[0, 1], [2]]


def test_without_a_table_of_items_only_what_training_touched_can_have_been_shown() -> None:
    data = shop([["rum"], ["tea"], ["rum", "tea"], ["jam"]], items=None)  # the catalogue is jam and tea
    parts = split_random(data, test=0.25, seed=0)
    assert Shown.of(data).unknown.to_list() == ["rum"]
    assert max(Shown.of(parts.train).item_rows, default=0) < parts.train.num_items


@given(
    lists=st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=8),
    catalogue=st.sets(st.integers(0, 9), min_size=1),
    seed=st.integers(0, 99),
)
def test_lists_are_what_plain_python_makes_of_them(lists: list[list[int]], catalogue: set[int], seed: int) -> None:
    items = sorted(catalogue)
    own = [items[(place + seed) % len(items)] for place in range(len(lists))]
    if lists and any(lists) and not any(item in catalogue for of_event in lists for item in of_event):
        lists[0] = [items[0]]
    clicks = pl.DataFrame({"user": own, "sku": own, "list": pl.Series(lists, dtype=pl.List(pl.Int64))})
    data = Dataset(clicks, items={"sku": items}, query_id="user", item_id="sku", shown="list")
    expected = [
        sorted({items.index(item) for item in of_event if item in catalogue and item != mine})
        for of_event, mine in zip(lists, own, strict=True)
    ]
    assert rows(data) == expected


class TestRefused:
    def test_the_role_without_its_column(self) -> None:
        with pytest.raises(DataError, match="The interactions table has no column 'lists'"):
            shop(shown="lists")

    def test_a_separator_without_the_role(self) -> None:
        with pytest.raises(SettingsError, match=r"shown_separator says how to read .* no column has the role shown"):
            shop(shown=None, shown_separator=",")

    def test_an_empty_separator(self) -> None:
        with pytest.raises(SettingsError, match="shown_separator string should have at least 1 character"):
            shop(shown_separator="")

    def test_what_was_shown_without_the_role(self) -> None:
        with pytest.raises(SettingsError, match='no column has that role; pass shown="<column>"'):
            Shown.of(shop(shown=None))

    def test_a_column_of_another_type(self) -> None:
        with pytest.raises(DataError, match=r"interactions\.list should hold lists of ids, or texts with '\|' between"):
            shop([0.5, 1.0, 1.5, 2.0])

    def test_ids_of_another_type_than_the_items(self) -> None:
        with pytest.raises(DataError, match=r"the items' are String and interactions\.list holds List\(Int64\)"):
            shop([[1], [2], [3], [4]])

    def test_numbers_with_another_separator_between(self) -> None:
        clicks = {"user": [1, 2], "sku": [7, 8], "list": ["7", "7,8"]}
        with pytest.raises(DataError, match=r"whole numbers with '\|' between, .* row 1 holds '7,8' \(1 such rows\)"):
            Dataset(clicks, query_id="user", item_id="sku", shown="list")

    def test_lists_of_which_no_item_is_known(self) -> None:
        with pytest.raises(DataError, match=r"None of the items that interactions\.list .*: 'TEA', 'JAM'\. Check"):
            Shown.of(shop([["TEA"], ["JAM"], [], None]))


def test_the_role_is_part_of_the_fingerprint() -> None:
    assert shop().fingerprint() != shop(shown=None).fingerprint()


def test_data_without_the_role_has_the_fingerprint_that_bundles_from_before_it_hold() -> None:
    clicks = {"user": ["ann", "bob"], "sku": ["tea", "jam"], "at": [1, 2]}
    fingerprint = Dataset(clicks, query_id="user", item_id="sku", time="at").fingerprint()
    assert fingerprint == "b15656c6220512cd21a3e86388a76d96b08f0b9d9bc169b203ae70273ea8b940"


@pytest.mark.parametrize("lists", [[[], [], [], []], [None] * 4, [[], None, [], None]], ids=str)
def test_a_column_in_which_nothing_was_ever_shown_is_one_of_empty_lists(lists: list[Any]) -> None:
    assert rows(shop(lists)) == [[], [], [], []]


def test_items_that_were_only_shown_want_a_table_of_items() -> None:
    data = shop([["rum"], [], [], []], items=None)
    with pytest.raises(DataError, match=r"is in the catalogue: 'rum'\. Without a table of items the catalogue is what"):
        Shown.of(data)

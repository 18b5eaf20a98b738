import itertools

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.features import Categories, Numbers, RowLists, Rows
from shortlist.models import Bag, Columns
from shortlist.models.embeddings import PooledLists

LISTS = st.lists(st.lists(st.integers(0, 99), max_size=5), min_size=1, max_size=12)


def ragged(lists: list[list[int]]) -> RowLists:
    flat = np.array([value for values in lists for value in values], np.int32)
    return RowLists.of_lengths(flat, np.array([len(values) for values in lists], np.int64))


@settings(deadline=None, max_examples=60)
@given(lists=LISTS, data=st.data())
def test_taken_lists_equal_plain_indexing(lists: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=15))
    bag = Columns({"tags": ragged(lists)}).take(torch.tensor(rows, dtype=torch.int64))["tags"]
    assert isinstance(bag, Bag)
    starts = np.cumsum([0, *bag.lengths.tolist()])
    taken = [bag.rows[start:stop].tolist() for start, stop in itertools.pairwise(starts)]
    assert taken == [lists[row] for row in rows]
    assert bag.owner.tolist() == [place for place, row in enumerate(rows) for _ in lists[row]]
    assert bag.rows.dtype == bag.owner.dtype == torch.int64


@settings(deadline=None, max_examples=20)
@given(lists=LISTS)
def test_mean_over_a_bag_equals_the_mean_of_each_list(lists: list[list[int]]) -> None:
    table = PooledLists(Categories("x", width=2).fit(pl.Series([[str(n) for n in range(98)]])))
    torch.nn.init.normal_(table.weight)
    bag = Columns({"tags": ragged(lists)}).take(torch.arange(len(lists)))["tags"]
    assert isinstance(bag, Bag)
    for values, mean in zip(lists, table(bag), strict=True):
        expected = table.weight[values].mean(dim=0) if values else torch.zeros(2)
        torch.testing.assert_close(mean, expected)


def test_rows_and_numbers_are_gathered_as_they_stand() -> None:
    columns = Columns(
        {"a": Rows(np.array([4, 5, 6], np.int32)), "b": Numbers(np.array([[0.5, 1], [2, 3], [4, 5]], np.float32))}
    )
    taken = columns.take(torch.tensor([2, 0, 2]))
    assert isinstance(taken["a"], torch.Tensor)
    assert isinstance(taken["b"], torch.Tensor)
    assert taken["a"].tolist() == [6, 4, 6]
    assert taken["b"].tolist() == [[4, 5], [0.5, 1], [4, 5]]


def test_row_beyond_the_table_is_an_error() -> None:
    with pytest.raises(IndexError, match="out of"):
        Columns({"a": Rows(np.array([4], np.int32))}).take(torch.tensor([1]))

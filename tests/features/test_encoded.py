import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.features import Numbers, RowLists, Rows


@settings(deadline=None, max_examples=40)
@given(lists=st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=8))
def test_padded_lists_are_the_lists_filled_up_to_the_longest(lists: list[list[int]]) -> None:
    rows = np.array([row for one in lists for row in one], np.int32)
    encoded = RowLists.of_lengths(rows, np.array([len(one) for one in lists], np.int64))
    longest = max([1, *map(len, lists)])
    assert len(encoded) == len(lists)
    assert encoded.offsets.dtype == np.int64
    assert encoded.padded().shape == (len(lists), longest)
    assert encoded.padded().tolist() == [one + [0] * (longest - len(one)) for one in lists]


def test_another_padding_may_be_asked_for() -> None:
    encoded = RowLists.of_lengths(np.array([5], np.int32), np.array([0, 1]))
    assert encoded.padded(-1).tolist() == [[-1], [5]]


def test_rows_and_numbers_are_as_long_as_their_table() -> None:
    assert len(Rows(np.array([1, 2], np.int32))) == 2
    assert len(Numbers(np.zeros((3, 1), np.float32))) == 3

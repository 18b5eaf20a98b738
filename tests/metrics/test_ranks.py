from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.metrics import Ranks, count_rivals


def plain_rivals(scores: npt.NDArray[Any], true: npt.NDArray[Any], counts: list[int]) -> tuple[list[int], list[int]]:
    """Every candidate of every row looked at in turn; a vector that n items share is n candidates."""
    higher, ties = [], []
    for row_scores, own in zip(scores, true[:, 0], strict=True):
        higher.append(sum(count for score, count in zip(row_scores, counts, strict=True) if score > own))
        ties.append(sum(count for score, count in zip(row_scores, counts, strict=True) if score == own))
    return higher, ties


@st.composite
def worlds(draw: st.DrawFn) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], list[int]]:
    """Scores from three values, so that most tie, and vectors that several items share."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    values = st.sampled_from([-1.0, 0.0, 2.5])
    scores = draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
    true = draw(st.lists(values, min_size=rows, max_size=rows))
    counts = draw(st.lists(st.integers(1, 4), min_size=columns, max_size=columns))
    return np.array(scores, np.float32).reshape(rows, columns), np.array(true, np.float32)[:, None], counts


@settings(deadline=None, max_examples=120)
@given(world=worlds())
def test_counts_equal_a_plain_loop_in_numpy_and_in_torch(world: Any) -> None:
    scores, true, counts = world
    expected = plain_rivals(scores, true, counts)
    for dtype in (np.float32, np.float64):
        higher, ties = count_rivals(scores, true, np.array(counts, dtype))
        assert (higher.tolist(), ties.tolist()) == expected
        assert higher.dtype == ties.dtype == np.int64
        higher, ties = count_rivals(
            torch.from_numpy(scores), torch.from_numpy(true), torch.from_numpy(np.array(counts, dtype))
        )
        assert (higher.tolist(), ties.tolist()) == expected
        assert higher.dtype == ties.dtype == torch.int64


@settings(deadline=None, max_examples=60)
@given(world=worlds())
def test_items_that_share_no_vector_need_no_counts(world: Any) -> None:
    scores, true, _ = world
    expected = plain_rivals(scores, true, [1] * scores.shape[1])
    for kind in (np.asarray, torch.from_numpy):
        higher, ties = count_rivals(kind(scores), kind(true))
        assert (higher.tolist(), ties.tolist()) == expected
        assert str(higher.dtype).endswith("int64")


def test_nothing_is_made_on_another_device_than_the_scores() -> None:
    # The "meta" device holds shapes without numbers, and refuses to meet tensors of another one, as a GPU does.
    scores, true, counts = (torch.ones(shape, device="meta") for shape in ((2, 3), (2, 1), (3,)))
    for of in (counts, None):
        higher, ties = count_rivals(scores, true, of)
        assert higher.shape == ties.shape == (2,)
        assert higher.device.type == ties.device.type == "meta"


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_minus_zero_ties_with_zero(kind: Any) -> None:
    higher, ties = count_rivals(kind(np.array([[0.0, -0.0, -1.0]], np.float32)), kind(np.array([[-0.0]], np.float32)))
    assert (higher.tolist(), ties.tolist()) == ([0], [2])


@pytest.mark.parametrize("true", [0, 1, 2])
def test_ranks_by_hand(true: int) -> None:
    # Vector 0 is one item's, vector 1 three items', vector 2 two items'; scores 5, 7, 5.
    # A true item among vectors 0 and 2: three above, and three of the same score; among vector 1: none, and three.
    scores = np.array([[5.0, 7, 5]])
    higher, ties = count_rivals(scores, scores[:, true : true + 1], np.array([1.0, 3, 2]))
    assert (higher.tolist(), ties.tolist()) == [([3], [3]), ([0], [3]), ([3], [3])][true]


def test_expected_place_is_the_middle_of_the_ties() -> None:
    ranks = Ranks(higher=np.array([0, 3]), ties=np.array([0, 5]))
    assert len(ranks) == 2
    assert ranks.expected.tolist() == [0.0, 5.5]


def places_in_one_list(scores: list[int], owner: list[int], own: list[int], last: bool) -> list[int]:
    """Each owner's items sorted by score, its true ones before the others of the same score, or behind them."""
    places = [0] * len(own)
    for user in set(owner):
        true = {item for item, of in zip(own, owner, strict=True) if of == user}
        order = sorted(range(len(scores)), key=lambda item: (-scores[item], (item in true) == last, item))
        for row, (item, of) in enumerate(zip(own, owner, strict=True)):
            if of == user:
                places[row] = order.index(item)
    return places


@settings(deadline=None, max_examples=100)
@given(
    scores=st.lists(st.integers(0, 2), min_size=1, max_size=7),
    pairs=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=1),
    last=st.booleans(),
)
def test_true_items_of_one_list_stand_where_a_sort_puts_them(
    scores: list[int], pairs: set[tuple[int, int]], last: bool
) -> None:
    asked = [(user, item) for user, item in pairs if item < len(scores)] or [(0, 0)]
    owner, own = [user for user, _ in asked], [item for _, item in asked]
    of_rows = np.array([scores] * len(own))
    higher, ties = count_rivals(of_rows, of_rows[np.arange(len(own)), own][:, None])
    ties -= 1  # the true item itself
    found = Ranks(higher, ties).in_one_list(np.array(owner), "pessimistic" if last else "optimistic")
    assert found.ties.tolist() == [0] * len(own)
    expected = places_in_one_list(scores, owner, own, last)
    for user in set(owner):  # which of two that tie comes first is left open
        rows = [row for row, of in enumerate(owner) if of == user]
        assert sorted(found.higher[rows].tolist()) == sorted(expected[row] for row in rows)
        assert all(higher[row] <= found.higher[row] <= higher[row] + ties[row] for row in rows)


def test_true_items_of_two_lists_do_not_move_each_other() -> None:
    # Owners 5 and 2 in turn: 5 has two of four that tie, 2 has one, and one more below four others.
    ranks = Ranks(higher=np.array([0, 0, 0, 4]), ties=np.array([3, 3, 3, 0]))
    owner = np.array([5, 2, 5, 2])
    assert ranks.in_one_list(owner, "optimistic").higher.tolist() == [0, 0, 1, 4]
    assert ranks.in_one_list(owner, "pessimistic").higher.tolist() == [3, 3, 2, 4]

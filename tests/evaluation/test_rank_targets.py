import importlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.seen import Seen
from shortlist.errors import DivergedError
from shortlist.evaluation import VectorScores, rank_targets
from shortlist.evaluation.ranking import rank
from shortlist.evaluation.scoring import QueryEncoder, UserScores, distinct_rows
from shortlist.metrics import Ranks

RANKING = importlib.import_module("shortlist.evaluation.ranking")
Floats = npt.NDArray[np.float32]


def plain_ranks(
    queries: Floats, items: Floats, item_rows: list[int], user_rows: list[int], seen: list[set[int]] | None
) -> tuple[list[int], list[int]]:
    """Every item of the catalogue looked at for every target."""
    higher, ties = [], []
    for query, true, user in zip(queries, item_rows, user_rows, strict=True):
        scores = [max(float(interest @ item) for interest in query) for item in items]
        left_out = set() if seen is None else seen[user] - {true}
        rivals = [scores[item] for item in range(len(items)) if item != true and item not in left_out]
        higher.append(sum(score > scores[true] for score in rivals))
        ties.append(sum(score == scores[true] for score in rivals))
    return higher, ties


def as_seen(sets: list[set[int]]) -> Seen:
    offsets = np.cumsum([0, *(len(items) for items in sets)])
    return Seen(offsets, np.array([item for items in sets for item in sorted(items)], np.int64))


def both_kinds(
    queries: Floats, items: Floats, item_rows: list[int], user_rows: list[int], seen: Seen | None
) -> list[Ranks]:
    own, users = np.array(item_rows), np.array(user_rows)
    on_numpy = rank_targets(lambda rows: queries[rows], items, own, user_rows=users, seen=seen)
    tensors = torch.from_numpy(queries)
    on_torch = rank_targets(lambda rows: tensors[rows], torch.from_numpy(items), own, user_rows=users, seen=seen)
    return [on_numpy, on_torch]


@settings(deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 2**32 - 1),
    targets=st.integers(1, 12),
    num_items=st.integers(1, 9),
    interests=st.integers(1, 3),
    width=st.integers(1, 3),
    excluded=st.booleans(),
    rows=st.sampled_from([1, 3, 1_024]),
    blocks=st.sampled_from([1, 2, 1_024]),
    columns=st.sampled_from([1, 2, 5, 2_048]),
    places=st.sampled_from([1, 4, 1 << 22]),
)
def test_ranks_equal_a_plain_double_loop(
    seed: int,
    targets: int,
    num_items: int,
    interests: int,
    width: int,
    excluded: bool,
    rows: int,
    blocks: int,
    columns: int,
    places: int,
) -> None:
    # Whole numbers, so that every order of summation gives the same score; few values, so that many tie and repeat.
    generator = np.random.default_rng(seed)
    queries = generator.integers(-1, 2, size=(targets, interests, width)).astype(np.float32)
    items = generator.integers(-1, 2, size=(num_items, width)).astype(np.float32)
    items[generator.random(items.shape) < 0.2] *= -1  # some zeros become -0.0
    item_rows = generator.integers(num_items, size=targets).tolist()
    user_rows = generator.integers(4, size=targets).tolist()
    sets = [set(np.flatnonzero(generator.random(num_items) < 0.4).tolist()) for _ in range(4)]
    expected = plain_ranks(queries, items, item_rows, user_rows, sets if excluded else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VectorScores, "tile_rows", rows)
        patch.setattr(RANKING, "BLOCK_TARGETS", blocks)
        patch.setattr(RANKING, "BLOCK_COLUMNS", columns)
        patch.setattr(RANKING, "SEEN_PLACES", places)
        for ranks in both_kinds(queries, items, item_rows, user_rows, as_seen(sets) if excluded else None):
            assert (ranks.higher.tolist(), ranks.ties.tolist()) == expected


def test_identical_vectors_tie_whatever_the_rounding() -> None:
    # 37 copies of one random vector among 400, wide enough that block sums differ by place in a matrix product.
    generator = np.random.default_rng(0)
    items = generator.normal(size=(400, 96)).astype(np.float32)
    copies = generator.choice(400, 37, replace=False)
    items[copies] = items[copies[0]]
    queries = generator.normal(size=(37, 1, 96)).astype(np.float32)
    for ranks in both_kinds(queries, items, copies.tolist(), [0] * 37, None):
        assert ranks.ties.tolist() == [36] * 37


def test_true_item_that_was_seen_never_leaves_itself_out() -> None:
    # Scores 3, 2, 1; the user has seen items 0 and 1 and both are asked for: each is ranked without the other.
    items, queries = np.array([[3.0], [2], [1]], np.float32), np.ones((2, 1, 1), np.float32)
    for ranks in both_kinds(queries, items, [0, 1], [0, 0], as_seen([{0, 1}])):
        assert ranks.higher.tolist() == [0, 0]
        assert ranks.ties.tolist() == [0, 0]


def test_seen_twin_of_the_true_item_is_no_tie() -> None:
    items, queries = np.ones((4, 1), np.float32), np.ones((1, 1, 1), np.float32)
    for ranks in both_kinds(queries, items, [2], [0], as_seen([{0, 2}])):
        assert ranks.ties.tolist() == [2]


def test_highest_interest_decides() -> None:
    # Interests [1, 0] and [0, 1]: items score 2, 3 and 1, where the first interest alone gives 2, 0 and 1.
    items = np.array([[2.0, 1], [0, 3], [1, 1]], np.float32)
    for ranks in both_kinds(np.eye(2, dtype=np.float32)[None], items, [0], [0], None):
        assert ranks.higher.tolist() == [1]


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    targets=st.integers(1, 12),
    num_items=st.integers(1, 9),
    rows=st.sampled_from([1, 3, 1_024]),
    blocks=st.sampled_from([1, 2, 1_024]),
    columns=st.sampled_from([2, 5, 2_048]),
)
def test_targets_that_share_a_query_rank_as_if_each_had_its_own(
    seed: int, targets: int, num_items: int, rows: int, blocks: int, columns: int
) -> None:
    generator = np.random.default_rng(seed)
    users, own = generator.integers(4, size=targets), generator.integers(num_items, size=targets)
    of_users = generator.integers(-1, 2, size=(4, 1, 2)).astype(np.float32)
    items = generator.integers(-1, 2, size=(num_items, 2)).astype(np.float32)
    sets = [
        set(np.flatnonzero(generator.random(num_items) < 0.4).tolist()) - set(own[users == user].tolist())
        for user in range(4)
    ]
    expected = plain_ranks(of_users[users], items, own.tolist(), users.tolist(), sets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VectorScores, "tile_rows", rows)
        patch.setattr(RANKING, "BLOCK_TARGETS", blocks)
        patch.setattr(RANKING, "BLOCK_COLUMNS", columns)
        for kind in (np.asarray, torch.from_numpy):
            scoring = VectorScores(encoder_of(kind, of_users[users]), kind(items))
            of_users_scores = UserScores(lambda rows: of_users[rows, 0] @ items.T, users, num_items)
            for scores in (scoring, of_users_scores):
                ranks = rank(scores, own, query_of=users, user_rows=users, seen=as_seen(sets))
                assert (ranks.higher.tolist(), ranks.ties.tolist()) == expected


def encoder_of(kind: Any, queries: Floats) -> QueryEncoder:
    return lambda rows: kind(queries[rows])


def test_each_query_is_encoded_once_however_many_targets_ask_by_it() -> None:
    asked: list[int] = []

    def encode(places: npt.NDArray[np.int64]) -> Floats:
        asked.extend(places)
        return np.ones((len(places), 1, 2), np.float32)

    scoring = VectorScores(encode, np.eye(2, dtype=np.float32))
    rank(scoring, np.zeros(8, np.int64), query_of=np.array([5, 5, 2, 5, 2, 9, 9, 9]))
    assert asked == [2, 0, 5]
    asked.clear()
    rank_targets(encode, np.eye(2, dtype=np.float32), np.zeros(8, np.int64))
    assert asked == list(range(8))


def test_equal_scores_of_different_items_tie_in_whatever_block_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    # Items that differ only where the query is 0 score the same; 96 wide, and many blocks of columns.
    generator = np.random.default_rng(0)
    items = np.repeat(generator.normal(size=(1, 96)).astype(np.float32), 300, axis=0)
    items[:, 0] = generator.normal(size=300)
    queries = generator.normal(size=(50, 1, 96)).astype(np.float32)
    queries[:, :, 0] = 0
    monkeypatch.setattr(RANKING, "BLOCK_COLUMNS", 64)
    on_numpy, on_torch = both_kinds(queries, items, list(range(50)), [0] * 50, None)
    assert on_torch.ties.tolist() == [299] * 50
    # OpenBLAS rounds equal sums in two ways on some processors, within one product, and then nothing can tie.
    if all(len(np.unique(row)) == 1 for row in queries[:, 0] @ items.T):
        assert on_numpy.ties.tolist() == [299] * 50


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_item_vector_that_is_no_number_is_refused(bad: float, kind: Any) -> None:
    items = np.ones((5, 2), np.float32)
    items[3, 1] = items[4, 0] = bad
    with pytest.raises(DivergedError, match="2 of 5 item vectors hold NaN or infinity, the first in row 3"):
        rank_targets(lambda rows: kind(items[rows, None]), kind(items), np.array([0]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_query_vector_that_is_no_number_is_refused(bad: float, kind: Any) -> None:
    queries = np.ones((3, 2, 2), np.float32)
    queries[1, 1, 0] = bad
    with pytest.raises(DivergedError, match="1 of 3 query vectors hold NaN or infinity, the first in row 1"):
        rank_targets(lambda rows: kind(queries[rows]), kind(np.ones((4, 2), np.float32)), np.zeros(3, np.int64))


def same_groups(vectors: npt.NDArray[Any], column_of: npt.NDArray[np.int64], first: npt.NDArray[np.int64]) -> bool:
    """Whether rows share a number exactly if they are equal, and `first` is where each number stands first."""
    texts = [tuple(row) for row in vectors.tolist()]
    wanted = {text: texts.index(text) for text in texts}
    return first[column_of].tolist() == [wanted[text] for text in texts] and len(first) == len(wanted)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 30), width=st.integers(1, 4))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_distinct_rows_are_the_rows_that_differ(dtype: type, seed: int, rows: int, width: int) -> None:
    vectors: npt.NDArray[Any] = np.random.default_rng(seed).integers(-1, 2, size=(rows, width)).astype(dtype)
    assert same_groups(vectors, *distinct_rows(vectors))


def test_zeros_of_either_sign_are_the_same_row() -> None:
    vectors = np.array([[0.0, 1], [-0.0, 1], [0, -1]], np.float32)
    column_of, first = distinct_rows(vectors)
    assert first[column_of].tolist() == [0, 0, 2]
    assert np.signbit(vectors[1, 0]), "the caller's array stays as it was"


class OneForAll:
    """A generator whose multipliers are all 1, so that rows with the same numbers in another order collide."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def integers(self, high: int, *, size: int, dtype: type) -> npt.NDArray[Any]:
        assert high > 0
        return np.zeros(size, dtype)  # made odd, and so 1, by the caller


def test_rows_that_share_a_sum_of_bits_are_told_apart_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.array([[1, 2], [2, 1], [1, 2], [3, 3], [2, 1]], np.float32)
    monkeypatch.setattr(np.random, "default_rng", OneForAll)
    column_of, first = distinct_rows(vectors)
    assert same_groups(vectors, column_of, first)
    assert column_of.shape == (5,)


def test_rows_of_a_turned_array_are_told_apart() -> None:
    vectors = np.array([[1, 2, 1], [3, 4, 3]], np.float32).T
    column_of, first = distinct_rows(vectors)
    assert first[column_of].tolist() == [0, 1, 0]

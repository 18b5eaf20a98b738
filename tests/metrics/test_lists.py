import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.metrics import RankedLists, Ranks

METRICS = ("recall", "precision", "ndcg", "hit_rate", "average_precision")


def plain(metric: str, order: tuple[int, ...], true: set[int], k: int) -> float:
    """A metric from its definition, for a list whose order is settled."""
    hits = [item in true for item in order]
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(true))))
    return {
        "recall": sum(hits[:k]) / len(true),
        "precision": sum(hits[:k]) / k,
        "ndcg": sum(1 / math.log2(place + 2) for place in range(k) if hits[place]) / ideal,
        "hit_rate": float(any(hits[:k])),
        "average_precision": sum(sum(hits[: place + 1]) / (place + 1) for place in range(k) if hits[place])
        / min(len(true), k),
        "reciprocal_rank": 1 / (hits.index(True) + 1),
    }[metric]


def orders(scores: npt.NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Every order of the items with falling scores: all orders of the ties."""
    every = itertools.permutations(range(len(scores)))
    return [order for order in every if all(np.diff(scores[list(order)]) <= 0)]


def ranks_of(scores: npt.NDArray[np.int64], true: list[int]) -> Ranks:
    higher = [int((scores > scores[item]).sum()) for item in true]
    ties = [int((scores == scores[item]).sum()) - 1 for item in true]
    return Ranks(np.array(higher), np.array(ties))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_every_metric_is_the_mean_over_all_orders_of_the_ties(data: st.DataObject) -> None:
    lists = []
    for _ in range(data.draw(st.integers(1, 2))):
        scores = np.array(data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=6)))
        true = data.draw(st.sets(st.integers(0, len(scores) - 1), min_size=1))
        lists.append((scores, sorted(true)))
    k = data.draw(st.integers(1, min(len(scores) for scores, _ in lists)))
    each = [ranks_of(scores, true) for scores, true in lists]
    together = Ranks(np.concatenate([r.higher for r in each]), np.concatenate([r.ties for r in each]))
    owner = np.repeat(np.arange(len(lists)), [len(true) for _, true in lists])
    mixed = data.draw(st.permutations(range(len(owner))))  # the order of the targets means nothing
    found = RankedLists(Ranks(together.higher[mixed], together.ties[mixed]), owner[mixed])
    for metric in (*METRICS, "reciprocal_rank"):
        values = [[plain(metric, order, set(true), k) for order in orders(scores)] for scores, true in lists]
        expected = [sum(of_list) / len(of_list) for of_list in values]
        got = found.reciprocal_rank() if metric == "reciprocal_rank" else getattr(found, metric)(k)
        np.testing.assert_allclose(got, expected, atol=1e-12, err_msg=metric)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_optimistic_and_pessimistic_ties_are_the_best_and_the_worst_order(data: st.DataObject) -> None:
    scores = np.array(data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=6)))
    true = sorted(data.draw(st.sets(st.integers(0, len(scores) - 1), min_size=1)))
    k = data.draw(st.integers(1, len(scores)))
    ranks, owner = ranks_of(scores, true), np.zeros(len(true), np.int64)
    best, worst = (RankedLists.under(ranks, owner, rule) for rule in ("optimistic", "pessimistic"))
    for metric in METRICS:
        values = [plain(metric, order, set(true), k) for order in orders(scores)]
        assert getattr(best, metric)(k)[0] == pytest.approx(max(values)), metric
        assert getattr(worst, metric)(k)[0] == pytest.approx(min(values)), metric
    firsts = [plain("reciprocal_rank", order, set(true), k) for order in orders(scores)]
    assert best.reciprocal_rank()[0] == pytest.approx(max(firsts))
    assert worst.reciprocal_rank()[0] == pytest.approx(min(firsts))


def test_two_true_items_among_four_that_tie_by_hand() -> None:
    # Two of four places are theirs, every pair equally likely: {1,2} {1,3} {1,4} {2,3} {2,4} {3,4}.
    lists = RankedLists(Ranks(np.array([0, 0]), np.array([3, 3])), np.array([0, 0]))
    assert lists.hit_rate(2)[0] == pytest.approx(5 / 6)
    assert lists.recall(2)[0] == pytest.approx(1 / 2)
    assert lists.precision(2)[0] == pytest.approx(1 / 2)
    assert lists.reciprocal_rank()[0] == pytest.approx((3 * 1 + 2 * 1 / 2 + 1 / 3) / 6)
    firsts = [1 + 1, 1 + 2 / 3, 1 + 2 / 4, 1 / 2 + 2 / 3, 1 / 2 + 2 / 4, 1 / 3 + 2 / 4]
    assert lists.average_precision(4)[0] == pytest.approx(sum(firsts) / 2 / 6)


def test_a_long_run_of_ties_costs_no_more_than_its_length() -> None:
    lists = RankedLists(Ranks(np.array([7] * 3), np.array([99_999] * 3)), np.zeros(3, np.int64))
    assert lists.hit_rate(1_000)[0] == pytest.approx(1 - (1 - 993 / 100_000) ** 3, rel=1e-3)
    assert 0 < lists.reciprocal_rank()[0] < 1e-3

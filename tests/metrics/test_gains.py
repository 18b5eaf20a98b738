import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.metrics import Gains, Ranks, top_k_discounted, top_k_hits
from shortlist.metrics.ranking import ideal_discounted
from shortlist.settings.evaluation import TieRule

FAMILIES = {"hits": top_k_hits, "discounted": top_k_discounted}


def gain_at(family: str, k: int, place: int) -> float:
    """The gain of one place from the definition of its metric."""
    if place >= k:
        return 0.0
    return {"hits": 1.0, "discounted": 1 / math.log2(place + 2)}[family]


def gain(gains: Gains, higher: int, ties: int, rule: TieRule) -> float:
    return float(gains.of(Ranks(np.array([higher]), np.array([ties])), rule)[0])


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, max_examples=40)
@given(higher=st.integers(0, 6), ties=st.integers(0, 5), k=st.integers(1, 9))
def test_expected_gain_is_the_mean_over_all_orders_of_the_ties(family: str, higher: int, ties: int, k: int) -> None:
    # The tied items are 0..ties; item 0 is the true one. Every order of them is equally likely.
    orders = list(itertools.permutations(range(ties + 1)))
    places = [higher + order.index(0) for order in orders]
    gains = [gain_at(family, k, place) for place in places]
    made = FAMILIES[family](k)
    assert gain(made, higher, ties, "expected") == pytest.approx(sum(gains) / len(gains), abs=1e-12)
    assert gain(made, higher, ties, "optimistic") == pytest.approx(max(gains), abs=1e-12)
    assert gain(made, higher, ties, "pessimistic") == pytest.approx(min(gains), abs=1e-12)


def test_hits_at_the_edge_by_hand() -> None:
    # Two higher and three ties: places 2 to 5. Of the first 4 places the run holds 2, so 2/4.
    assert gain(top_k_hits(4), 2, 3, "expected") == 0.5
    assert gain(top_k_hits(4), 2, 3, "optimistic") == 1
    assert gain(top_k_hits(4), 2, 3, "pessimistic") == 0


def test_discounted_gain_by_hand() -> None:
    # Places 0 to 2: (1 / log2 2 + 1 / log2 3 + 1 / log2 4) / 3, but only two of them within the first 2.
    assert gain(top_k_discounted(2), 0, 2, "expected") == pytest.approx((1 + 1 / math.log2(3)) / 3)


def test_places_beyond_the_list_gain_nothing() -> None:
    for rule in ("expected", "optimistic", "pessimistic"):
        assert gain(top_k_hits(3), 3, 10, rule) == 0


def test_without_ties_the_rules_agree() -> None:
    ranks = Ranks(np.arange(12), np.zeros(12, np.int64))
    expected = [gain_at("discounted", 7, place) for place in range(12)]
    for rule in ("expected", "optimistic", "pessimistic"):
        np.testing.assert_allclose(top_k_discounted(7).of(ranks, rule), expected, atol=1e-15)


def test_ideal_gain_by_hand() -> None:
    # One true item: 1. Two: 1 + 1 / log2 3. Five true items in three places: 1 + 1 / log2 3 + 1 / log2 4.
    ideal = ideal_discounted(np.array([1, 2, 5]), 3)
    np.testing.assert_allclose(ideal, [1, 1 + 1 / math.log2(3), 1.5 + 1 / math.log2(3)])

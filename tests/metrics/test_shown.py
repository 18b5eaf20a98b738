import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.metrics import ShownItems

# Three users and four items; training touched item 0 six times, item 1 once, the others never.
SHOWN = ShownItems([np.array([0, 1]), np.array([0, 2]), np.array([0])], np.array([6, 1, 0, 0], np.float32))


def test_figures_by_hand() -> None:
    assert SHOWN.coverage(1) == 1 / 4
    assert SHOWN.coverage(2) == 3 / 4
    # Shown 3, 1, 1 and 0 times: mean absolute difference over all pairs, over twice the mean.
    times = [3, 1, 1, 0]
    spread = sum(abs(a - b) for a, b in itertools.product(times, times)) / 16
    assert SHOWN.gini(2) == pytest.approx(spread / (2 * 5 / 4))
    assert SHOWN.average_popularity(2) == (6 + 1 + 6 + 0 + 6) / 5
    # One event more for each item: shares 7/11, 2/11, 1/11, 1/11.
    assert SHOWN.novelty(1) == pytest.approx(-math.log2(7 / 11))
    assert SHOWN.novelty(2) == pytest.approx(-(3 * math.log2(7 / 11) + math.log2(2 / 11) + math.log2(1 / 11)) / 5)
    # Ordered pairs share item 0: six, over 2 + 2 + 1 places with two other users each.
    assert SHOWN.overlap(2) == 6 / (5 * 2)


def test_everybody_sees_the_same_and_nobody_does() -> None:
    same = ShownItems([np.array([0, 1])] * 5, np.ones(4, np.float32))
    assert (same.overlap(2), same.coverage(2), same.gini(2)) == (1, 0.5, 0.5)
    apart = ShownItems([np.array([0, 1]), np.array([2, 3])], np.ones(4, np.float32))
    assert (apart.overlap(2), apart.coverage(2), apart.gini(2)) == (0, 1, 0)
    assert ShownItems([np.array([0])], np.ones(2, np.float32)).overlap(1) == 1


LISTS = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), min_size=1, max_size=5)


@given(LISTS, st.integers(1, 7))
def test_figures_lie_within_their_bounds(lists: list[list[int]], k: int) -> None:
    shown = ShownItems([np.array(rows) for rows in lists], np.arange(6, dtype=np.float32))
    assert 0 < shown.coverage(k) <= 1
    assert 0 <= shown.gini(k) < 1
    assert 0 <= shown.overlap(k) <= 1
    assert 0 <= shown.average_popularity(k) <= 5
    assert math.log2(21 / 6) <= shown.novelty(k) + 1e-12
    assert shown.novelty(k) <= math.log2(21) + 1e-12

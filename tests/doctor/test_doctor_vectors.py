"""Each figure about vectors, worked by hand, and blockwise as whole."""

import numpy as np
import pytest

from shortlist.doctor import vectors as figures


def _random(rows: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def test_the_effective_rank_is_the_exponential_of_the_entropy_of_singular_values() -> None:
    # Singular values 3 and 1: shares 3/4 and 1/4, entropy -(3/4 ln 3/4 + 1/4 ln 1/4) = 0.56234, e^0.56234 = 1.7548.
    assert figures.effective_rank(np.diag([3.0, 1.0]).astype(np.float32)) == pytest.approx(1.7548, abs=1e-4)
    assert figures.effective_rank(np.ones((5, 4), np.float32)) == pytest.approx(1, abs=1e-6)
    assert figures.effective_rank(np.zeros((5, 4), np.float32)) == 0.0


def test_the_effective_rank_is_that_of_a_plain_decomposition() -> None:
    vectors = _random(500, 16) @ _random(16, 16, 1)
    singular = np.linalg.svd(vectors.astype(np.float64), compute_uv=False)
    shares = singular / singular.sum()
    assert figures.effective_rank(vectors) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)


def test_skewness_is_the_third_standardised_moment() -> None:
    # 1, 1, 4: mean 2, deviations -1, -1, 2; variance 2, third moment (-1 - 1 + 8) / 3 = 2; 2 / 2^1.5 = 0.7071.
    assert figures.skewness(np.array([1, 1, 4])) == pytest.approx(0.70711, abs=1e-5)
    assert figures.skewness(np.array([3, 3])) is None


def test_equal_vectors_are_found_and_near_ones_are_not() -> None:
    vectors = _random(8, 3)
    vectors[5], vectors[7], vectors[2] = vectors[1], vectors[1], vectors[0]
    vectors[3] = np.nextafter(vectors[0], np.float32(9))
    alike = figures.alike_rows(vectors)
    assert (alike.items, alike.groups, alike.largest.tolist()) == (5, 2, [1, 5, 7])
    assert figures.alike_rows(_random(8, 3)).items == 0


def test_rows_of_one_hash_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_hashes", lambda block: np.zeros(len(block), np.uint64))
    vectors = np.array([[1.0], [1.0], [2.0], [3.0], [3.0], [3.0]], np.float32)
    assert figures.alike_rows(vectors).largest.tolist() == [3, 4, 5]
    assert figures.alike_rows(vectors).items == 5


def test_vectors_equal_to_one_but_for_rounding_are_counted() -> None:
    one = np.array([3.0, 4.0], np.float32)  # length 5: within 5e-5
    vectors = np.array([[3, 4], [3.00004, 4], [3.0001, 4], [4, 3]], np.float32)
    assert figures.near_rows(vectors, one) == 2


@pytest.mark.parametrize("block", [1, 3, 7, 100])
def test_blocks_give_what_the_whole_gives(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = _random(50, 5)
    vectors[10:20], vectors[33, 2], vectors[40] = vectors[0], np.nan, vectors[41]
    finite = vectors[np.isfinite(vectors).all(axis=1)]
    whole = (
        figures.finite_rows(vectors), figures.norms(finite), figures.effective_rank(finite),
        figures.near_rows(finite, finite[0]), figures.alike_rows(finite),
    )  # fmt: skip
    monkeypatch.setattr(figures, "BLOCK_ROWS", block)
    assert figures.finite_rows(vectors).tolist() == whole[0].tolist()
    assert figures.norms(finite).tolist() == whole[1].tolist()
    assert figures.effective_rank(finite) == pytest.approx(whole[2], rel=1e-9)
    assert figures.near_rows(finite, finite[0]) == whole[3] == 11
    alike = figures.alike_rows(finite)
    assert (alike.items, alike.groups, alike.largest.tolist()) == (13, 2, [0, *range(10, 20)])
    assert alike.largest.tolist() == whole[4].largest.tolist()

"""Figures about vectors: how long, how many directions, which ones alike. All in blocks, so that memory stays small."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["Alike", "alike_rows", "effective_rank", "finite_rows", "near_rows", "norms", "skewness"]

# Rows that are turned to float64 at once: 2^16 of width 64 are 32 MB.
BLOCK_ROWS = 1 << 16

# Two libraries compute one tower to about 1e-6 of the vector's length.
NEAR = 1e-5

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def _blocks(vectors: Vectors) -> Iterator[Vectors]:
    for start in range(0, len(vectors), BLOCK_ROWS):
        yield vectors[start : start + BLOCK_ROWS]


def finite_rows(vectors: Vectors) -> npt.NDArray[np.bool_]:
    """Which vectors [N, D] hold neither NaN nor infinity [N]."""
    return np.concatenate([np.isfinite(block).all(axis=1) for block in _blocks(vectors)])


def norms(vectors: Vectors) -> Floats:
    """The length of each vector [N], in float64.

    >>> norms(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [5.0, 0.0]
    """
    return np.concatenate([np.linalg.norm(block.astype(np.float64), axis=1) for block in _blocks(vectors)])


def near_rows(vectors: Vectors, one: Vectors) -> int:
    """How many of the vectors [N, D] are `one` [D], but for rounding."""
    reach = NEAR * float(np.linalg.norm(one))
    return sum(int((np.abs(block - one).max(axis=1) <= reach).sum()) for block in _blocks(vectors))


def effective_rank(vectors: Vectors) -> float:
    """How many directions the vectors [N, D] really use: 1 to D, and 0 where all are zero.

    The exponential of the entropy of the singular values' shares (Roy and Vetterli 2007, "The effective rank"), from
    the eigenvalues of the [D, D] matrix of dot products between columns.

    >>> round(effective_rank(np.eye(3, dtype=np.float32)), 6)  # three equal singular values
    3.0
    """
    width = vectors.shape[1]
    products = np.zeros((width, width))
    for block in _blocks(vectors):
        wide = block.astype(np.float64)
        products += wide.T @ wide
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(products), 0))
    if singular.sum() == 0:
        return 0.0
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def skewness(counts: npt.NDArray[np.int64]) -> float | None:
    """The third standardised moment E[(x - mean)^3] / deviation^3; None where all are equal.

    >>> round(skewness(np.array([0, 0, 0, 4])), 4)  # mean 1, deviation √3: (3·(-1) + 27) / 4 / 3√3
    1.1547
    """
    centred = counts - counts.mean()
    deviation = np.sqrt((centred**2).mean())
    return float((centred**3).mean() / deviation**3) if deviation > 0 else None


@dataclasses.dataclass(frozen=True)
class Alike:
    """Items whose vectors are equal, number by number, to another's: `items` of them in `groups`, the largest first."""

    items: int
    groups: int
    largest: Rows


def alike_rows(vectors: Vectors) -> Alike:
    """Which vectors [N, D] stand there more than once.

    Each row is hashed to 64 bits, so that a million rows need 8 MB to sort, and rows of one hash are compared.

    >>> alike_rows(np.array([[1, 2], [3, 4], [1, 2], [-0.0, 1], [0.0, 1], [1, 2]], np.float32))
    Alike(items=5, groups=2, largest=array([0, 2, 5]))
    """
    hashes = np.concatenate([_hashes(block) for block in _blocks(vectors)])
    order = np.argsort(hashes, kind="stable")
    same = np.zeros(len(order), np.bool_)  # whether a row in this order equals the one before it
    for start in range(1, len(order), BLOCK_ROWS):
        here, before = order[start : start + BLOCK_ROWS], order[start - 1 : start - 1 + BLOCK_ROWS]
        close = np.flatnonzero(hashes[here] == hashes[before[: len(here)]])
        same[start + close] = (vectors[here[close]] == vectors[before[close]]).all(axis=1)
    starts = np.flatnonzero(~same)
    sizes = np.diff(np.append(starts, len(order)))
    several = sizes > 1
    if not several.any():
        return Alike(0, 0, np.empty(0, np.int64))
    largest = int(sizes.argmax())
    return Alike(
        items=int(sizes[several].sum()),
        groups=int(several.sum()),
        largest=np.sort(order[starts[largest] : starts[largest] + sizes[largest]]),
    )


def _hashes(block: Vectors) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each row: its bits times odd numbers of a fixed seed, summed and mixed modulo 2^64."""
    bits = np.ascontiguousarray(block + np.float32(0)).view(np.uint32).astype(np.uint64)  # + 0 makes -0 the same as 0
    odd = np.random.default_rng(0).integers(1 << 63, size=block.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    mixed: npt.NDArray[np.uint64] = (bits * odd).sum(axis=1, dtype=np.uint64)
    return mixed ^ (mixed >> np.uint64(32))

"""How fast indexes answer, timed in turn so that whatever else the machine does meets all of them alike."""

import dataclasses
import statistics
import time
from collections.abc import Mapping

import numpy as np

from shortlist.index.index import Floats, Index

__all__ = ["Speed", "measure_speed"]

BATCH = 256
# Single queries and batches that are timed, after a few that are not.
SINGLES, BATCHES, WARM = 200, 5, 3


@dataclasses.dataclass(frozen=True)
class Speed:
    """Milliseconds of a single query, median and 99th percentile, and queries a second in batches of up to 256."""

    p50_ms: float
    p99_ms: float
    queries_per_second: float


def measure_speed(indexes: Mapping[str, Index], queries: Floats, k: int) -> dict[str, Speed]:
    """The speed of each index by its name, for the k best of queries [Q, H, D]: each query asks all in turn."""
    singles: dict[str, list[float]] = {name: [] for name in indexes}
    batches: dict[str, list[float]] = {name: [] for name in indexes}
    batch = queries[:BATCH]
    for number in range(-WARM, SINGLES):
        place = number % len(queries)
        for name, index in indexes.items():
            seconds = _seconds(index, queries[place : place + 1], k)
            if number >= 0:
                singles[name].append(seconds)
    for number in range(-1, BATCHES):
        for name, index in indexes.items():
            seconds = _seconds(index, batch, k)
            if number >= 0:
                batches[name].append(seconds)
    return {name: _speed(singles[name], batches[name], len(batch)) for name in indexes}


def _seconds(index: Index, queries: Floats, k: int) -> float:
    start = time.perf_counter()
    index.search(queries, k)
    return time.perf_counter() - start


def _speed(singles: list[float], batches: list[float], batch_size: int) -> Speed:
    median, high = (1000 * float(value) for value in np.quantile(singles, [0.5, 0.99]))
    return Speed(median, high, batch_size / statistics.median(batches))

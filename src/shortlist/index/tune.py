"""An inverted file whose lists and probes are chosen for a recall, and measured on queries that had no say in it."""

import dataclasses
import math
import time
from collections.abc import Iterator

import numpy as np

from shortlist.errors import SettingsError
from shortlist.index.exact import ExactIndex
from shortlist.index.index import Floats, Found, Index
from shortlist.index.ivf import IvfIndex, Quantizer
from shortlist.index.recall import recall_at_k
from shortlist.index.speed import Speed, measure_speed

__all__ = ["Measured", "Tuned", "measure_beside_exact", "tune_ivf"]

# Lists that are tried: so many times the square root of the number of items.
LISTS = (1, 2, 4)
# How candidates are kept and fetched, the cheapest first: the next is tried where no number of probes is enough.
FETCHES: tuple[tuple[Quantizer, float], ...] = (("int8", 1.25), ("int8", 2.0), ("int8", 4.0), ("none", 2.0))
BATCH = 256
# Queries of either half at least, below which a recall says little.
LEAST_QUERIES = 8


@dataclasses.dataclass(frozen=True)
class Measured:
    """An approximate index beside an exact one, on queries that did not choose its settings.

    `recall` is the mean over the queries of the share of the exact k that was found, `recall_p1` and `recall_p5` what
    1 and 5 % of them fall below. `build_seconds` is what the chosen index took to make.
    """

    k: int
    num_queries: int
    recall: float
    recall_p1: float
    recall_p5: float
    exact: Speed
    approximate: Speed
    build_seconds: float

    @property
    def times_faster(self) -> float:
        """How many times as fast as exact search a single query is, by the medians; below 1 it is slower."""
        return self.exact.p50_ms / self.approximate.p50_ms

    @property
    def faster_than_exact(self) -> bool:
        """Whether the approximate index is worth its misses at all: faster for one query and in batches."""
        return self.times_faster > 1 and self.approximate.queries_per_second > self.exact.queries_per_second

    def to_json(self) -> dict[str, object]:
        faster = {"times_faster": self.times_faster, "faster_than_exact": self.faster_than_exact}
        return dataclasses.asdict(self) | faster


@dataclasses.dataclass(frozen=True)
class Tuned:
    """The index that was chosen, and what it is worth."""

    index: IvfIndex
    measured: Measured


def tune_ivf(vectors: Floats, queries: Floats, *, k: int, target_recall: float, seed: int = 0) -> Tuned:
    """The `IvfIndex` that reaches a recall@k with the fewest dot products, and its measure beside exact search.

    `queries` [Q, H, D] are split in two. On one half the lists, the probes, what is fetched beyond k and whether 8 bits
    do are chosen: the mean recall must be above `target_recall` (between 0 and 1) by two standard errors, so that
    other queries reach it too. The other half gives what is measured. Queries that the index would answer exactly, its
    lists being too short for k, count as missed in the choice.

    Raises `SettingsError` for a target that cannot be, for fewer than 16 queries, and where nothing reaches the
    target, with the best that was reached.
    """
    if not 0 < target_recall <= 1:
        raise SettingsError(f"target_recall should be above 0 and at most 1, but it is {target_recall!r}.")
    if k >= len(vectors):
        raise SettingsError(
            f"k should be less than the number of items, but it is {k} of {len(vectors)}, and a list of all of them is "
            "searched exactly. Ask for fewer."
        )
    if len(queries) < 2 * LEAST_QUERIES:
        raise SettingsError(
            f"queries should be {2 * LEAST_QUERIES} or more, one half to choose by and one to measure, but there are "
            f"{len(queries)}."
        )
    order = np.random.default_rng(seed).permutation(len(queries))
    choosing, held_out = (queries[np.sort(half)] for half in np.array_split(order, 2))
    found = _search(ExactIndex(vectors), choosing, k)
    index, build_seconds = _Tuning(vectors, choosing, found, k, target_recall, seed).choose()
    return Tuned(index, measure_beside_exact(index, vectors, held_out, k, build_seconds=build_seconds))


def measure_beside_exact(
    index: Index, vectors: Floats, queries: Floats, k: int, *, build_seconds: float = 0.0
) -> Measured:
    """What an index over these vectors misses of an exact search for queries [Q, H, D], and how fast both are."""
    exact = ExactIndex(vectors)
    recall = recall_at_k(_search(index, queries, k), _search(exact, queries, k))
    speed = measure_speed({"exact": exact, "approximate": index}, queries, k)
    low, lower = (float(value) for value in np.quantile(recall, [0.05, 0.01]))
    return Measured(
        k, len(queries), float(recall.mean()), lower, low, speed["exact"], speed["approximate"], build_seconds
    )


@dataclasses.dataclass
class _Tuning:
    """A search for the settings that meet a target on some queries, for which `exact` is right."""

    vectors: Floats
    queries: Floats
    exact: Found
    k: int
    target: float
    seed: int
    best: float = 0.0
    made: dict[tuple[Quantizer, int], tuple[IvfIndex, float]] = dataclasses.field(default_factory=dict)

    def choose(self) -> tuple[IvfIndex, float]:
        """The index and the seconds that it took to make."""
        for quantizer, overfetch in FETCHES:
            met = list(self._of_each_size(quantizer, overfetch))
            if met:
                return min(met, key=lambda found: self._work(found[0]))
        raise SettingsError(
            f"No inverted file over these {len(self.vectors)} items reaches recall@{self.k} {self.target:g} with two "
            f"standard errors to spare: the best was {self.best:.4f}. Lower target_recall, or keep an exact index."
        )

    def _of_each_size(self, quantizer: Quantizer, overfetch: float) -> Iterator[tuple[IvfIndex, float]]:
        """Of each number of lists the index with the fewest probes that meet the target, where some do."""
        sizes = {max(min(round(times * math.sqrt(len(self.vectors))), len(self.vectors)), 1) for times in LISTS}
        for num_lists in sorted(sizes):
            index, seconds = self._with_lists(quantizer, num_lists)
            num_probes = self._least_probes(index, num_lists, overfetch)
            if num_probes is not None:
                yield index.changed(num_probes=num_probes, overfetch=overfetch), seconds

    def _with_lists(self, quantizer: Quantizer, num_lists: int) -> tuple[IvfIndex, float]:
        """An index and the seconds that it took to make, made once however it is asked then."""
        if (quantizer, num_lists) not in self.made:
            start = time.perf_counter()
            index = IvfIndex(self.vectors, num_lists=num_lists, num_probes=1, quantizer=quantizer, seed=self.seed)
            self.made[quantizer, num_lists] = index, time.perf_counter() - start
        return self.made[quantizer, num_lists]

    def _least_probes(self, index: IvfIndex, num_lists: int, overfetch: float) -> int | None:
        """The least number of probes that meets the target, by doubling and then halving; None where all do not."""
        high = 1
        while not self._meets(index.changed(num_probes=high, overfetch=overfetch)):
            if high == num_lists:
                return None
            high = min(2 * high, num_lists)
        low = high // 2  # too few, or none at all
        while high - low > 1:
            middle = (low + high) // 2
            if self._meets(index.changed(num_probes=middle, overfetch=overfetch)):
                high = middle
            else:
                low = middle
        return high

    def _meets(self, index: IvfIndex) -> bool:
        found = _search(index, self.queries, self.k)
        recall = np.where(found.exact, 0, recall_at_k(found, self.exact))
        self.best = max(self.best, float(recall.mean()))
        return bool(recall.mean() - 2 * recall.std() / math.sqrt(len(recall)) >= self.target)

    def _work(self, index: IvfIndex) -> float:
        """Dot products for a query: with every list's centre, and with the items of those probed."""
        num_lists, num_probes = index.settings["num_lists"], index.settings["num_probes"]
        return float(num_lists + num_probes * len(self.vectors) / num_lists)


def _search(index: Index, queries: Floats, k: int) -> Found:
    """The answers to any number of queries, a batch at a time."""
    parts = [index.search(queries[start : start + BATCH], k) for start in range(0, len(queries), BATCH)]
    return Found(
        [rows for part in parts for rows in part.rows],
        [scores for part in parts for scores in part.scores],
        np.concatenate([part.exact for part in parts]),
    )

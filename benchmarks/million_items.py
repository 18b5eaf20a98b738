"""How long does a search among a million items take, exact and by lists, beside FAISS and the bare product?

Items of width 64 in clusters of 500 on average: a centre of normal numbers, and around it normal numbers of the given
spread; how many items a cluster has is exponential, directions have length 1, and an item's own length is
log-normal (sigma 0.1), as a popular item's is longer. Queries are made likewise, from clusters in proportion to their
items. All roads take the same queries in turn, the best 100 of each: batches of 256 and single ones, on as many threads
as the machine has cores. The bars: exact search at most 1.5 times FAISS's IndexFlatIP, and the tuned lists at a
recall@100 of 0.95 at least 20 times as fast as exact search. `work` says what a batch must cost at least: the
product, and reading the vectors once.

    scripts/bench million_items         # ten minutes and 3 GB of memory on two cores
    scripts/bench million_items --quick # seconds, to see that it runs
"""

import argparse
import dataclasses
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version

import faiss
import numpy as np
import numpy.typing as npt

from measure import Part, Road, Times, about, added_memory, interleaved, machine_rates
from shortlist.index import ExactIndex, Index, IvfIndex, tune_ivf
from shortlist.index.catalogue import Precision

Floats = npt.NDArray[np.float32]

WIDTH, BATCH, K, TARGET = 64, 256, 100, 0.95
ITEMS_PER_CLUSTER = 500
QUERIES = 2_048
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8")
# Scores of a block in the bare product: 8 MB, as exact search holds.
BLOCK_ITEMS = 8_192


def main() -> None:
    """Measure, print the ratios to stderr and one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--spread", type=float, default=0.7)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--quick", action="store_true", help="50,000 items and few rounds")
    options = parser.parse_args()
    num_items = 50_000 if options.quick else options.items
    rounds = 2 if options.quick else options.rounds
    items, queries = world(num_items, options.spread)
    rates = machine_rates(quick=options.quick)
    tuned = tune_ivf(items, queries[:, None], k=K, target_recall=TARGET)
    indexes: dict[str, Index] = {name: ExactIndex(items, precision=name) for name in PRECISIONS}
    times = {
        "batch": interleaved(batch_roads(indexes, tuned.index, items, queries[:BATCH]), rounds),
        "single": interleaved(single_roads(indexes, tuned.index, items, queries), rounds),
    }
    work = (Part(operations=2 * BATCH * num_items * WIDTH, bytes=items.nbytes),)
    row = {
        **about("million_items"),
        "faiss": version("faiss-cpu"),
        "cores": os.cpu_count(),
        "quick": options.quick,
        "world": {
            "items": num_items,
            "width": WIDTH,
            "clusters": num_items // ITEMS_PER_CLUSTER,
            "spread": options.spread,
            "seed": 0,
        },
        "batch_size": BATCH,
        "k": K,
        "rates": dataclasses.asdict(rates),
        "work": rates.compare(times["batch"]["float32"].median, work),
        "seconds": {kind: {name: its.to_json() for name, its in roads.items()} for kind, roads in times.items()},
        "ratios": ratios(times),
        "memory": {name: memory(index, queries[:BATCH]) for name, index in indexes.items()},
        "ivf": {"settings": tuned.index.settings, "bytes": len(tuned.index.to_bytes()), **tuned.measured.to_json()},
    }
    print(json.dumps(row["ratios"], indent=2), f"recall@{K} {tuned.measured.recall:.4f}", file=sys.stderr)
    print(json.dumps(row))


def world(num_items: int, spread: float) -> tuple[Floats, Floats]:
    """Items [N, D] and queries [Q, D]."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((num_items // ITEMS_PER_CLUSTER, WIDTH), np.float32)
    shares = generator.exponential(size=len(centres))
    shares /= shares.sum()

    def near(count: int) -> Floats:
        vectors: Floats = generator.standard_normal((count, WIDTH), np.float32)
        vectors *= np.float32(spread)
        vectors += centres[generator.choice(len(centres), count, p=shares)]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    items, queries = near(num_items), near(QUERIES)
    items *= generator.lognormal(0, 0.1, (num_items, 1)).astype(np.float32)
    return items, queries


def batch_roads(indexes: Mapping[str, Index], ivf: IvfIndex, items: Floats, queries: Floats) -> dict[str, Road]:
    """A batch by every index, by FAISS's exact one and by the product alone."""
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(items)
    block = np.empty((BLOCK_ITEMS, len(queries)), np.float32)

    def product() -> None:
        for start in range(0, len(items), BLOCK_ITEMS):
            vectors = items[start : start + BLOCK_ITEMS]
            np.matmul(vectors, queries.T, out=block[: len(vectors)])

    ours = {name: searching(index, queries) for name, index in {**indexes, "ivf": ivf}.items()}
    roads = {**ours, "faiss_flat": lambda: flat.search(queries, K), "product": product}
    return {name: Road(run) for name, run in roads.items()}


def single_roads(indexes: Mapping[str, Index], ivf: IvfIndex, items: Floats, queries: Floats) -> dict[str, Road]:
    """One query after another by every index, by FAISS's exact one and by the product alone."""
    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(items)
    numbers = itertools.cycle(range(len(queries)))

    def following() -> Floats:
        query: Floats = queries[next(numbers)][None]
        return query

    def search(index: Index) -> Callable[[], object]:
        return lambda: index.search(following()[:, None], K)

    roads = {name: search(index) for name, index in {**indexes, "ivf": ivf}.items()}
    roads |= {"faiss_flat": lambda: flat.search(following(), K), "product": lambda: items @ following()[0]}
    return {name: Road(run, repeat=10) for name, run in roads.items()}


def searching(index: Index, queries: Floats) -> Callable[[], object]:
    """The search of one index for these queries [B, D]."""
    return lambda: index.search(queries[:, None], K)


def ratios(times: Mapping[str, Mapping[str, Times]]) -> dict[str, dict[str, float]]:
    """What the bars are about, by the medians and by the fastest runs."""
    found = {}
    for kind, roads in times.items():
        for name in ("median", "fastest"):
            seconds = {road: its.median if name == "median" else min(its.samples) for road, its in roads.items()}
            found[f"{kind}_{name}"] = {
                "exact_to_faiss_flat": seconds["float32"] / seconds["faiss_flat"],
                "exact_to_product": seconds["float32"] / seconds["product"],
                "exact_to_ivf": seconds["float32"] / seconds["ivf"],
                "float16_to_float32": seconds["float16"] / seconds["float32"],
                "int8_to_float32": seconds["int8"] / seconds["float32"],
            }
    return found


def memory(index: Index, queries: Floats) -> dict[str, float]:
    """MiB of the vectors as they are kept, and what a batch's search takes besides."""
    catalogue = index._catalogue  # type: ignore[attr-defined]
    scales = 0 if catalogue.scales is None else catalogue.scales.nbytes
    added = added_memory(searching(index, queries))["added_mib"]
    return {"kept_mib": (catalogue.numbers.nbytes + scales) / 2**20, "search_mib": added}


if __name__ == "__main__":
    main()

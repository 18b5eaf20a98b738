"""How long a whole evaluation takes, and in how much memory: every metric, interval and slice.

Two questions: 20,000 test rows of MovieLens 100K, and 10,000 rows over a million items of width 64, beside the time
of the matrix products alone, on NumPy arrays and on tensors.

    scripts/bench evaluation # about three minutes on two cores
"""

import argparse
import json
import resource
import sys
import time

import numpy as np
import torch

import shortlist as sl
from measure import Road, about, interleaved
from shortlist.baselines import popularity
from shortlist.data.seen import Seen
from shortlist.evaluation import Assessment, Beside, Targets, VectorScores, default_slices, evaluate
from shortlist.evaluation.ranking import BLOCK_COLUMNS, BLOCK_TARGETS, rank

WIDTH = 64


def main() -> None:
    """Print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    million = {kind: many_items(kind, options) for kind in ("numpy", "torch")}
    print(json.dumps({**about("evaluation"), "movielens": movielens(), "million": million}))


def movielens() -> dict[str, float]:
    """The split of seed 42, a model of random vectors of width 32; every metric with its interval, and the slices."""
    data = sl.datasets.movielens_100k()
    split = sl.split_random(data, test=0.2, seed=42)
    generator = np.random.default_rng(0)
    users = generator.normal(size=(data.num_users, 1, 32)).astype(np.float32)
    items = generator.normal(size=(data.num_items, 32)).astype(np.float32)
    started = time.perf_counter()
    targets, seen = Targets.of(split.test), split.seen_before(split.test)
    counts = popularity(split.train)
    model = evaluate(
        VectorScores(lambda rows: users[targets.user_rows[rows]], items),
        targets,
        protocol=sl.Protocol(),
        seen=seen,
        popularity=counts,
    )
    ranked = time.perf_counter() - started
    user_events = np.bincount(split.train.user_rows, minlength=data.num_users)
    assessment = Assessment(model, Beside({"itself": model}), default_slices(targets, user_events, counts, seen))
    assessment.to_json()
    whole = time.perf_counter() - started
    return {"ranking_s": ranked, "whole_s": whole}


def many_items(kind: str, options: argparse.Namespace) -> dict[str, float]:
    """Targets over many items of width 64, on NumPy arrays or on tensors; medians of rounds in turn.

    The products alone are those of the same blocks, 1,024 rows by 2,048 columns, into memory that is used again: the
    least that scoring every pair costs. The whole ranks, and makes and measures the lists of 1,000 users.
    """
    generator = np.random.default_rng(0)
    convert = torch.from_numpy if kind == "torch" else np.asarray
    items = convert(generator.standard_normal(size=(options.items, WIDTH), dtype=np.float32))
    queries = convert(generator.standard_normal(size=(options.targets, 1, WIDTH), dtype=np.float32))
    rows = np.arange(options.targets)
    targets = Targets(rows, rows, generator.integers(options.items, size=options.targets), absent=0, repeated=0)
    nothing = Seen(np.zeros(options.targets + 1, np.int64), np.zeros(0, np.int64))
    scoring = VectorScores(lambda places: queries[places], items)
    scores = convert(np.empty((BLOCK_TARGETS, BLOCK_COLUMNS), np.float32))

    def products() -> None:
        for start in range(0, options.targets, BLOCK_TARGETS):
            tile = queries[start : start + BLOCK_TARGETS, 0]
            for first in range(0, options.items, BLOCK_COLUMNS):
                block = items[first : first + BLOCK_COLUMNS]
                xp = torch if kind == "torch" else np
                xp.matmul(tile, block.T, out=scores[: len(tile), : len(block)])

    def ranks() -> None:
        rank(scoring, targets.item_rows)

    def whole() -> None:
        evaluate(
            VectorScores(lambda places: queries[places], items),
            targets, protocol=sl.Protocol(), seen=nothing, popularity=np.ones(options.items, np.float32),
        )  # fmt: skip

    before = peak_mib()
    times = interleaved({"products": Road(products), "ranks": Road(ranks), "whole": Road(whole)}, options.rounds)
    seconds = {f"{name}_s": of.median for name, of in times.items()}
    return {
        **seconds,
        "ranks_ratio": seconds["ranks_s"] / seconds["products_s"],
        "ratio": seconds["whole_s"] / seconds["products_s"],
        "added_mib": peak_mib() - before,
        "vectors_mib": options.items * WIDTH * 4 / 2**20,
    }


def peak_mib() -> float:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    main()

"""How long a whole evaluation takes, and in how much memory: every metric, interval and slice.

Two questions: 20,000 test rows of MovieLens 100K, and 10,000 rows over a million items of width 64, beside the time
of the matrix products alone.

    scripts/bench evaluation
"""

import json
import resource
import sys
import time

import numpy as np

import shortlist as sl
from shortlist.baselines import popularity
from shortlist.data.seen import Seen
from shortlist.evaluation import Assessment, Beside, Targets, VectorScores, default_slices, evaluate


def main() -> None:
    """Print one JSON row."""
    print(json.dumps({"movielens": movielens(), "million": million()}))


def movielens() -> dict[str, float]:
    """The split of seed 42, a model of random vectors of width 32; every metric with its interval, and the slices."""
    data = sl.datasets.movielens_100k()
    split = sl.split_random(data, test=0.2, seed=42)
    generator = np.random.default_rng(0)
    users = generator.normal(size=(data.num_users, 1, 32)).astype(np.float32)
    items = generator.normal(size=(data.num_items, 32)).astype(np.float32)
    started = time.perf_counter()
    targets = Targets.of(split.test)
    counts = popularity(split.train)
    model = evaluate(
        VectorScores(lambda rows: users[targets.user_rows[rows]], items),
        targets,
        protocol=sl.Protocol(),
        seen=split.seen_before(split.test),
        popularity=counts,
    )
    ranked = time.perf_counter() - started
    user_events = np.bincount(split.train.user_rows, minlength=data.num_users)
    assessment = Assessment(model, Beside({"itself": model}), default_slices(targets, user_events, counts))
    assessment.to_json()
    whole = time.perf_counter() - started
    return {"ranking_s": ranked, "whole_s": whole}


def million() -> dict[str, float]:
    """10,000 targets over a million items of width 64."""
    num_items, num_targets, width = 1_000_000, 10_000, 64
    generator = np.random.default_rng(0)
    items = generator.normal(size=(num_items, width)).astype(np.float32)
    queries = generator.normal(size=(num_targets, 1, width)).astype(np.float32)
    rows = np.arange(num_targets)
    targets = Targets(rows, rows, generator.integers(num_items, size=num_targets), absent=0, repeated=0)
    nothing = Seen(np.zeros(num_targets + 1, np.int64), np.zeros(0, np.int64))
    started = time.perf_counter()
    for start in range(0, num_targets, 8):
        queries[start : start + 8, 0] @ items.T
    products = time.perf_counter() - started
    before = peak_mib()
    started = time.perf_counter()
    evaluate(
        VectorScores(lambda rows: queries[rows], items),
        targets,
        protocol=sl.Protocol(),
        seen=nothing,
        popularity=np.ones(num_items, np.float32),
    )
    seconds = time.perf_counter() - started
    return {"products_s": products, "whole_s": seconds, "ratio": seconds / products, "added_mib": peak_mib() - before,
            "vectors_mib": items.nbytes / 2**20}  # fmt: skip


def peak_mib() -> float:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    main()

"""Several seeds of a model beside the baselines, on validation events or the test. Not a benchmark itself."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

import shortlist as sl
from measure import about
from shortlist.evaluation.verdict import verdict_of

__all__ = ["METRIC", "seeds_beside_baselines"]

METRIC = "top_100_accuracy"


def seeds_beside_baselines(
    name: str, description: str | None, split: sl.Split, train: Callable[[sl.Split, int, bool], sl.Run]
) -> None:
    """Train with each seed of the command line, rank the test, print one JSON row.

    `train` is given the split, a seed, and whether to refit; with `--choose` it does not, and the validation is ranked.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else None)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--choose", action="store_true", help="measure on validation events instead of the test's")
    options = parser.parse_args()
    runs, seconds, beside = [], [], None
    for seed in options.seed:
        started = time.perf_counter()
        run = train(split, seed, not options.choose)
        seconds.append(time.perf_counter() - started)
        assessment = run.evaluate(split.validation if options.choose else None, beside=beside)
        beside = assessment.beside
        runs.append(assessment.model)
        print(seed, seconds[-1], run.history.best_epoch, runs[-1].value(METRIC), file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                **about(name),
                "events": "validation" if options.choose else "test",
                "seeds": options.seed,
                "training_seconds": seconds,
                "mean": statistics.fmean(run.value(METRIC) for run in runs),
                "runs": [run.value(METRIC) for run in runs],
                "slices": [part.to_json() for part in assessment.slices],
                "baselines": {name: found.value(METRIC) for name, found in assessment.baselines.items()},
                "settings": assessment.beside.settings,
                "verdicts": [str(verdict_of(runs, found, "the model")) for found in assessment.baselines.values()],
            }
        )
    )

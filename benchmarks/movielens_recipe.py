"""What does the recipe reach on MovieLens 100K, one model under both rules about seen films, beside the baselines?

Trains the preset of the data set with each seed, its epoch chosen on validation events, and asks the 20,000 test events
once: top-100 accuracy with seen films included and excluded, means over the seeds. Prints one JSON row.

    scripts/bench movielens_recipe  # about ten minutes on two cores
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any, Literal

import shortlist as sl
from measure import about
from shortlist.evaluation import Evaluation
from shortlist.evaluation.verdict import verdict_of

METRIC = "top_100_accuracy"
RULES: Sequence[Literal["included", "excluded"]] = ("included", "excluded")


def main() -> None:
    """Train, evaluate twice, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    experiment = sl.load_preset("movielens-100k")
    data = experiment.data.load()
    found: dict[str, list[Evaluation]] = {rule: [] for rule in RULES}
    beside: dict[str, Any] = {}
    seconds = []
    for seed in options.seed:
        started = time.perf_counter()
        chosen = experiment.override({"training": {"schedule": {"seed": seed}}})
        run = sl.run_experiment(chosen, data=data, progress=False)
        seconds.append(time.perf_counter() - started)
        for rule in RULES:
            protocol = dataclasses.replace(run.protocol, seen=rule)
            assessment = run.evaluate(protocol=protocol, beside=beside.get(rule))
            beside.setdefault(rule, assessment.beside)
            found[rule].append(assessment.model)
        print(seed, seconds[-1], {rule: runs[-1].value(METRIC) for rule, runs in found.items()}, file=sys.stderr)
    rows = {
        rule: {
            "mean": statistics.fmean(run.value(METRIC) for run in runs),
            "runs": [run.value(METRIC) for run in runs],
            "baselines": {name: run.value(METRIC) for name, run in beside[rule].baselines.items()},
            "settings": beside[rule].settings,
            "verdicts": [str(verdict_of(runs, baseline, "the recipe")) for baseline in beside[rule].baselines.values()],
        }
        for rule, runs in found.items()
    }
    print(json.dumps({**about("movielens_recipe"), "seeds": options.seed, "training_seconds": seconds, "seen": rows}))


if __name__ == "__main__":
    main()

"""What does a model reach on MovieLens 100K cut in time, where three of four test users are new, beside the baselines?

The last fifth in time is the test, histories and seen films frozen at the cut. What the model reads was chosen on the
last tenth of the training events; each seed's epoch is chosen on them too, then the model trains anew on all training
events and the test is asked once: top-100 accuracy, seen films excluded. Prints one JSON row.

    scripts/bench movielens_time  # some minutes on two cores
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time

import shortlist as sl
from measure import about
from shortlist.evaluation.verdict import verdict_of

METRIC = "top_100_accuracy"
TEST, VALIDATION = 0.2, 0.08  # of all events
EPOCHS = 8


def main() -> None:
    """Train with each seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--choose", action="store_true", help="measure on validation events instead of the test's")
    options = parser.parse_args()
    split = sl.split_by_time(sl.datasets.movielens_100k(), test=TEST, validation=VALIDATION)
    runs, seconds, beside = [], [], None
    for seed in options.seed:
        started = time.perf_counter()
        run = train(split, seed, refit=not options.choose)
        seconds.append(time.perf_counter() - started)
        assessment = run.evaluate(split.validation if options.choose else None, beside=beside)
        beside = assessment.beside
        runs.append(assessment.model)
        print(seed, seconds[-1], run.history.best_epoch, runs[-1].value(METRIC), file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                **about("movielens_time"),
                "events": "validation" if options.choose else "test",
                "seeds": options.seed,
                "training_seconds": seconds,
                "mean": statistics.fmean(run.value(METRIC) for run in runs),
                "runs": [run.value(METRIC) for run in runs],
                "baselines": {name: found.value(METRIC) for name, found in assessment.baselines.items()},
                "settings": assessment.beside.settings,
                "verdicts": [str(verdict_of(runs, found, "the model")) for found in assessment.baselines.values()],
            }
        )
    )


def train(split: sl.Split, seed: int, *, refit: bool) -> sl.Run:
    """What gender and age like, and when: hardly anybody of the test is known by anything else.

    A test event comes after all of training and falls into the last fifth of its events.
    """
    times = sl.Bucketize("timestamp", boundaries=5, width=8, method="quantiles")
    features = sl.fit_features(
        [sl.Lookup("gender", width=4, dropout=0.3), sl.Normalize("age"), times],
        [sl.Lookup("item_id", width=64)],
        on=split.train,
    )
    training = sl.Training(epochs=EPOCHS, batch_size=1_024, decay="cosine", patience=EPOCHS, refit=refit, seed=seed)
    return sl.train(
        sl.TwoTower(features, layers=[32, 16], activation="gelu", item_bias=True),
        split,
        loss=sl.FullSoftmax(),
        optimizer=sl.AdamW(0.01, weight_decay=0.0),
        training=training,
        protocol=dataclasses.replace(sl.load_preset("movielens-100k").evaluation.protocol, seen="excluded"),
        progress=False,
    )


if __name__ == "__main__":
    main()

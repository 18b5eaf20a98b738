"""Are films found that training never saw, by their genres, year and words of their titles alone?

MovieLens 100K, a tenth of the films held out with all their events: each such event asks for its film among all 1,682,
those that training knows included. Top-100 accuracy beside the baselines, of which content-kNN alone knows new films.
What the model reads was chosen on another tenth of the films (`--choose` measures it there), and so is each seed's
epoch; then it trains anew with these and the test is asked once. Prints one JSON row.

    scripts/bench movielens_cold  # some minutes on two cores
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
from shortlist.features import AnyFeature

METRIC = "top_100_accuracy"
TEST, VALIDATION = 0.1, 0.1  # of the films
EPOCHS = 12


def main() -> None:
    """Train with each seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--choose", action="store_true", help="measure on validation films instead of the test's")
    options = parser.parse_args()
    split = sl.split_cold_items(sl.datasets.movielens_100k(), test=TEST, validation=VALIDATION, seed=0)
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
                **about("movielens_cold"),
                "events": "validation" if options.choose else "test",
                "seeds": options.seed,
                "training_seconds": seconds,
                "mean": statistics.fmean(run.value(METRIC) for run in runs),
                "runs": [run.value(METRIC) for run in runs],
                "slices": [part.to_json() for part in assessment.slices],
                "baselines": {name: found.value(METRIC) for name, found in assessment.baselines.items()},
                "not_computed": dict(assessment.beside.not_computed),
                "verdicts": [str(verdict_of(runs, found, "the model")) for found in assessment.baselines.values()],
            }
        )
    )


def train(split: sl.Split, seed: int, *, refit: bool) -> sl.Run:
    """Films by what is said of them, and users by the films that they saw, as the item tower reads these.

    Half of the films' ids are dropped, so that what is said of a film does for one whose id says nothing.
    """
    query: list[AnyFeature] = [
        sl.History("item_id", shared=True, pooling="sqrt", dropout=0.5, forget=0.2),
        sl.Bucketize("age", boundaries=10, width=8, method="quantiles"),
        sl.Lookup("gender", width=4),
        sl.Lookup("occupation", width=8),
    ]
    item: list[AnyFeature] = [
        sl.Lookup("item_id", width=64, dropout=0.5),
        sl.Text("title", width=32, pooling="sqrt", dropout=0.3),
        sl.Categories("genres", width=32, pooling="sqrt"),
        sl.Bucketize("year", boundaries=20, width=16, method="quantiles"),
    ]
    features = sl.fit_features(query, item, on=split.train)
    training = sl.Training(epochs=EPOCHS, batch_size=1_024, decay="cosine", patience=EPOCHS, refit=refit, seed=seed)
    return sl.train(
        sl.TwoTower(features, layers=[64], normalize=True, learned_temperature=0.1),
        split,
        loss=sl.FullSoftmax(),
        optimizer=sl.AdamW(0.003, weight_decay=0.1),
        training=training,
        protocol=dataclasses.replace(sl.load_preset("movielens-100k").evaluation.protocol, seen="excluded"),
        progress=False,
    )


if __name__ == "__main__":
    main()

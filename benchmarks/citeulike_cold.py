"""How well are articles found that training never saw, by their tags alone?

CiteULike-a, the cold fold of DropoutNet (Volkovs et al. 2017): each user's cold articles are ranked among all 3,396 of
them, by a model whose item tower reads tags and no id, beside content-kNN and popularity. Recall@100, the mean over
users. The model is the recipe's; nothing is chosen on the test. Prints one JSON row.

    scripts/bench citeulike_cold --data FOLDER  # needs FOLDER/citeulike-a/; some minutes on two cores
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

import shortlist as sl
from measure import about
from shortlist.baselines import BASELINES
from shortlist.data import GivenParts
from shortlist.data.seen import Seen
from shortlist.data.splits import Split
from shortlist.data.splits import split as cut
from shortlist.evaluation import Targets, VectorScores, evaluate
from shortlist.evaluation.scoring import UserScores
from shortlist.experiment.vectors import events_of, query_encoder
from shortlist.features import AnyFeature

K = 100
TAGS_OF_ITEMS = 2  # a tag of one article only says nothing of another


def main() -> None:
    """Train with each seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    split = cut(read(options.data / "citeulike-a"), GivenParts("part"))
    cold = np.unique(split.test.item_rows)
    targets = Targets.of(split.test)
    runs = []
    for seed in options.seed:
        started = time.perf_counter()
        run = train(split, seed, options.epochs)
        runs.append({"seed": seed, "seconds": time.perf_counter() - started,
                     "recall": recall(model_scores(run, targets, cold), targets, cold)})  # fmt: skip
        print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    beside = {
        name: recall(baseline_scores(name, split, targets, cold), targets, cold)
        for name in ("popularity", "content_knn")
    }
    print(
        json.dumps(
            {
                **about("citeulike_cold"),
                "targets": len(targets),
                "users": len(np.unique(targets.user_rows)),
                "cold_items": len(cold),
                "runs": runs,
                f"recall_{K}": statistics.fmean(run["recall"] for run in runs),
                "baselines": beside,
            }
        )
    )


def read(folder: Path) -> sl.Dataset:
    """Users, articles with their tags, and which part each event belongs to."""
    if not (folder / "cold_train.csv").is_file():
        raise SystemExit(f"This needs {folder}/cold_train.csv, cold_test.csv and item-tag.dat.")
    parts = []
    for part in ("train", "test"):
        frame = pl.read_csv(folder / f"cold_{part}.csv", has_header=False, new_columns=["user", "item", "one"])
        parts.append(frame.select("user", "item", part=pl.lit(part)))
    events = pl.concat(parts)
    lines = [line.split()[1:] for line in (folder / "item-tag.dat").read_text().splitlines()]
    count = max(len(lines), int(events["item"].max()))  # type: ignore[arg-type]
    tags = pl.Series(lines + [[]] * (count - len(lines)), dtype=pl.List(pl.String))
    return sl.Dataset(
        events, items=pl.DataFrame({"item": np.arange(count) + 1, "tags": tags}), query_id="user", item_id="item"
    )


def train(split: Split, seed: int, epochs: int) -> sl.Run:
    """The recipe with tags for the item, and no id that a new article could not have."""
    query: list[AnyFeature] = [
        sl.Lookup("user", width=32, dropout=0.5),
        sl.History("item", width=128, pooling="sqrt", dropout=0.5, forget=0.3),
    ]
    item = [sl.Categories("tags", width=256, min_count=TAGS_OF_ITEMS)]
    features = sl.fit_features(query, item, on=split.train)
    return sl.train(
        sl.TwoTower(features, layers=[256, 64], activation="gelu", dropout=0.4),
        split,
        loss=sl.InBatchSoftmax(log_q=True, uniform_negatives=2_048, remove_accidental_hits=True),
        optimizer=sl.AdamW(0.006, weight_decay=0.1),
        training=sl.Training(epochs=epochs, batch_size=1_024, decay="cosine", watch="nothing", seed=seed),
        progress=False,
    )


def model_scores(run: sl.Run, targets: Targets, cold: npt.NDArray[np.int64]) -> VectorScores:
    """The model's scores of the cold articles."""
    encode = query_encoder(run.model, events_of(run.split, run.split.test, run.tables), targets.event_rows)
    return VectorScores(encode, torch.from_numpy(run.item_vectors()[cold]))


def baseline_scores(name: str, split: Split, targets: Targets, cold: npt.NDArray[np.int64]) -> UserScores:
    """A baseline's scores of the cold articles."""
    scorer = BASELINES[name].fit(split.train)
    return UserScores(lambda users: scorer(users)[:, cold], targets.user_rows, len(cold))


def recall(scoring: Any, targets: Targets, cold: npt.NDArray[np.int64]) -> float:
    """Recall@100 over the cold articles, ties expected; no user has seen one of them."""
    places = dataclasses.replace(targets, item_rows=np.searchsorted(cold, targets.item_rows))
    nothing = Seen(np.zeros(int(targets.user_rows.max()) + 2, np.int64), np.empty(0, np.int64))
    protocol = sl.Protocol(ks=(K,), seen="included")
    found = evaluate(scoring, places, protocol=protocol, seen=nothing, alarm=False)
    return found.value(f"recall_{K}")


if __name__ == "__main__":
    main()

"""How well are articles found that training never saw, by their tags alone?

CiteULike-a, the cold fold of DropoutNet (Volkovs et al. 2017): each user's cold articles are ranked among all 3,396 of
them, by a model whose item tower knows none of their ids, beside content-kNN and popularity. Recall@100, the mean over
users. The settings were chosen on a fifth of the training articles, held out in the same way (`--choose` measures them
there); nothing is chosen on the test. Prints one JSON row.

    scripts/bench citeulike_cold --data FOLDER           # needs FOLDER/citeulike-a/; some minutes on two cores
    scripts/bench citeulike_cold --data FOLDER --choose  # on held-out training articles alone
"""

import argparse
import dataclasses
import json
import re
import statistics
import sys
import time
from collections.abc import Sequence
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
from shortlist.evaluation import Evaluation, Targets, VectorScores, bootstrap_interval, evaluate
from shortlist.evaluation.scoring import UserScores
from shortlist.evaluation.verdict import mean_samples
from shortlist.experiment.vectors import events_of, query_encoder
from shortlist.features import AnyFeature

METRIC = "recall_100"
BESIDE = ("popularity", "content_knn")
TAGS_OF_ITEMS = 2  # a tag of one article only says nothing of another
WORD = re.compile("[a-z0-9]+")  # of a tag: "neural_networks" and "networks" have one in common
HELD_OUT = 0.2  # of the training articles, to choose by


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What was chosen on held-out training articles."""

    columns: tuple[str, ...] = ("tags", "words")
    width: int = 128
    layers: tuple[int, ...] = (128,)
    dropout: float = 0.0
    tag_dropout: float = 0.5
    history_dropout: float = 0.5
    rarity: float = 1.0
    temperature: float = 0.1
    learning_rate: float = 0.003
    weight_decay: float = 0.0
    epochs: int = 3
    batch_size: int = 1_024


def main() -> None:
    """Train with each seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--choose", action="store_true", help="measure on training articles that are held out")
    for field in dataclasses.fields(Recipe):
        many = "+" if isinstance(field.default, tuple) else None
        kind = type(field.default[0] if isinstance(field.default, tuple) else field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, nargs=many, default=field.default)
    options = parser.parse_args()
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)})
    data = read(options.data / "citeulike-a")
    split = held_out(data) if options.choose else cut(data, GivenParts("part"))
    cold = np.unique(split.test.item_rows)
    targets = Targets.of(split.test)
    runs: list[Evaluation] = []
    seconds: list[float] = []
    for seed in options.seed:
        started = time.perf_counter()
        run = train(split, recipe, seed)
        seconds.append(time.perf_counter() - started)
        runs.append(ranked(model_scores(run, targets, cold), targets, cold))
        print(seed, seconds[-1], runs[-1].value(METRIC), file=sys.stderr, flush=True)
    beside = {name: ranked(baseline_scores(name, split, targets, cold), targets, cold) for name in BESIDE}
    print(
        json.dumps(
            {
                **about("citeulike_cold"),
                "recipe": dataclasses.asdict(recipe),
                "articles": "held out of training" if options.choose else "cold",
                "targets": len(targets),
                "users": len(np.unique(targets.user_rows)),
                "cold_items": len(cold),
                "seeds": options.seed,
                "training_seconds": seconds,
                "runs": [run.value(METRIC) for run in runs],
                METRIC: statistics.fmean(run.value(METRIC) for run in runs),
                "baselines": {name: found.value(METRIC) for name, found in beside.items()},
                "above": {name: above(runs, found) for name, found in beside.items()},
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
    names = [name.lower() for name in (folder / "tags.dat").read_text().splitlines()]
    tags = [
        [names[int(tag)] for tag in line.split()[1:]] for line in (folder / "item-tag.dat").read_text().splitlines()
    ]
    count = max(len(tags), int(events["item"].max()))  # type: ignore[arg-type]
    tags += [[]] * (count - len(tags))
    words = [sorted({word for tag in of_item for word in WORD.findall(tag)}) for of_item in tags]
    texts = pl.List(pl.String)
    items = {"item": np.arange(count) + 1, "tags": pl.Series(tags, dtype=texts), "words": pl.Series(words, dtype=texts)}
    return sl.Dataset(events, items=items, query_id="user", item_id="item")


def held_out(data: sl.Dataset) -> Split:
    """The training events alone, those with a fifth of the articles as the test."""
    events = data.interactions.filter(pl.col("part") == "train").drop("part")
    training = sl.Dataset(events, items=data.items, query_id="user", item_id="item")
    return sl.split_cold_items(training, test=HELD_OUT, seed=0)


def train(split: Split, recipe: Recipe, seed: int) -> sl.Run:
    """An article is its tags and their words, and a user the articles that they have, as the item tower reads them."""
    history = sl.History("item", shared=True, pooling="sqrt", dropout=recipe.history_dropout)
    item: list[AnyFeature] = [
        sl.Categories(
            column,
            width=recipe.width,
            min_count=TAGS_OF_ITEMS,
            pooling="sqrt",
            rarity=recipe.rarity,
            dropout=recipe.tag_dropout,
        )
        for column in recipe.columns
    ]
    features = sl.fit_features([history], item, on=split.train)
    return sl.train(
        sl.TwoTower(
            features,
            layers=recipe.layers,
            activation="gelu",
            dropout=recipe.dropout,
            normalize=True,
            learned_temperature=recipe.temperature,
        ),
        split,
        loss=sl.FullSoftmax(untouched_negatives=False),  # nobody has had the chance to touch the others
        optimizer=sl.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay),
        training=sl.Training(
            epochs=recipe.epochs, batch_size=recipe.batch_size, decay="cosine", watch="nothing", seed=seed
        ),
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


def ranked(scoring: Any, targets: Targets, cold: npt.NDArray[np.int64]) -> Evaluation:
    """The targets' places among the cold articles, ties expected; no user has seen one of them."""
    places = dataclasses.replace(targets, item_rows=np.searchsorted(cold, targets.item_rows))
    nothing = Seen(np.zeros(int(targets.user_rows.max()) + 2, np.int64), np.empty(0, np.int64))
    protocol = sl.Protocol(ks=(100,), seen="included")
    return evaluate(scoring, places, protocol=protocol, seen=nothing, alarm=False)


def above(runs: Sequence[Evaluation], baseline: Evaluation) -> dict[str, Any]:
    """How much higher the mean of the runs is, with the 95 % interval over users."""
    values, users = mean_samples(runs, METRIC)
    differences = values - baseline.samples(METRIC)[0]
    return {"difference": float(differences.mean()), "interval": bootstrap_interval(differences, users)}


if __name__ == "__main__":
    main()

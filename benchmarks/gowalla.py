"""How good is the two-tower model on Gowalla, the largest standard benchmark of retrieval without features?

LightGCN's split: for each user all items but the training ones are ranked, Recall@20 and NDCG@20, means over users. The
settings were chosen on a twentieth of the training events (`--choose` measures them there); then the model trains on
all of them for as many epochs and the test events are asked once. Prints one JSON row, with the popularity that checks
the evaluator.

    scripts/bench gowalla --data FOLDER           # needs FOLDER/gowalla/; see docs/recipe.md for the time it takes
    scripts/bench gowalla --data FOLDER --choose  # on validation events alone
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

import shortlist as sl
from baselines import path_in, read_lists
from measure import about
from shortlist.data import GivenParts
from shortlist.data.splits import Split
from shortlist.data.splits import split as cut

K = 20
METRICS = (f"recall_{K}", f"ndcg_{K}")
PROTOCOL = sl.Protocol(ks=(K,), seen="excluded", baselines=("popularity",))
CHOICE_SHARE = 0.05  # of all events, for the validation


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What was chosen on validation events."""

    width: int = 64
    epochs: int = 8
    batch_size: int = 2_048
    learning_rate: float = 0.003
    temperature: float = 0.07
    uniform_negatives: int = 4_096
    history_dropout: float = 0.6


def main() -> None:
    """Train with each seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--choose", action="store_true", help="measure on validation events instead of the test's")
    for field in dataclasses.fields(Recipe):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    options = parser.parse_args()
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)})
    split = cut(read(options.data), GivenParts("part", validation=CHOICE_SHARE if options.choose else 0.0))
    runs = []
    for seed in options.seed:
        started = time.perf_counter()
        run = train(split, recipe, seed, watch=options.choose)
        seconds = time.perf_counter() - started
        found = run.evaluate(split.validation if options.choose else split.test)
        figures = {name: found.model.value(name) for name in METRICS}
        popularity = {name: found.baselines["popularity"].value(name) for name in METRICS}
        runs.append({"seed": seed, "seconds": seconds, **figures})
        print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    means = {name: statistics.fmean(run[name] for run in runs) for name in METRICS}
    print(
        json.dumps(
            {
                **about("gowalla"),
                "recipe": dataclasses.asdict(recipe),
                "events": "validation" if options.choose else "test",
                "runs": runs,
                "means": means,
                "popularity": popularity,
            }
        )
    )


def read(folder: Path) -> sl.Dataset:
    """All pairs, with the part that each belongs to."""
    parts = [
        read_lists(path_in(folder, f"gowalla/{part}.txt")).with_columns(part=pl.lit(part)) for part in ("train", "test")
    ]
    events = pl.concat(parts)
    num_items = 1 + int(events["item"].to_numpy().max())
    return sl.Dataset(events, items={"item": np.arange(num_items)}, query_id="user", item_id="item")


def train(split: Split, recipe: Recipe, seed: int, *, watch: bool) -> sl.Run:
    """A user is what else he touched, in the item tower's embeddings, and one dense layer a side follows.

    Cosines against the batch and uniform draws, corrected for how often each item is drawn. A user's id beside the
    history is learnt by heart.
    """
    history = sl.History("item", shared=True, pooling="sqrt", dropout=recipe.history_dropout)
    features = sl.fit_features([history], [sl.Lookup("item", width=recipe.width)], on=split.train)
    return sl.train(
        sl.TwoTower(features, layers=[recipe.width], normalize=True),
        split,
        loss=sl.InBatchSoftmax(
            temperature=recipe.temperature,
            uniform_negatives=recipe.uniform_negatives,
            log_q=True,
            remove_accidental_hits=True,
        ),
        optimizer=sl.LazyAdam(recipe.learning_rate),
        training=sl.Training(
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            decay="linear",
            watch="validation" if watch else "nothing",
            precision="bfloat16",
            seed=seed,
        ),
        protocol=PROTOCOL,
        progress=False,
        on_epoch=lambda epoch: print(epoch, file=sys.stderr, flush=True),
    )


if __name__ == "__main__":
    main()

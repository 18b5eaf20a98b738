"""How good is the two-tower model on Gowalla, the largest standard benchmark of retrieval without features?

LightGCN's split: for each user all items but the training ones are ranked, Recall@20 and NDCG@20, means over users. The
files keep each user's items in the order of time and the test holds the last of them, so that the settings were chosen
on the last tenth of each user's training events (`--choose` measures them there); then the model trains on all of them
for as many epochs and the test events are asked once. The model knows no order, as those that it is compared with.
Prints one JSON row, with the popularity that checks the evaluator.

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
import numpy.typing as npt
import polars as pl
from scipy import sparse

import shortlist as sl
from baselines import path_in, read_lists
from measure import about
from shortlist.data import GivenParts
from shortlist.data.splits import Split
from shortlist.data.splits import split as cut

Rows = npt.NDArray[np.int64]

K = 20
METRICS = (f"recall_{K}", f"ndcg_{K}")
PROTOCOL = sl.Protocol(ks=(K,), seen="excluded", baselines=("popularity",))
CHOICE_SHARE = 0.1  # of each user's training events, the last ones
BLOCK = 1_000  # items whose neighbours are looked for together


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What was chosen on validation events."""

    width: int = 64
    neighbors: int = 10
    epochs: int = 4
    batch_size: int = 2_048
    learning_rate: float = 0.01
    temperature: float = 0.1
    uniform_negatives: int = 2_048
    history_dropout: float = 0.5
    neighbor_dropout: float = 0.3


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
    split = read(options.data, recipe, choose=options.choose)
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


def read(folder: Path, recipe: Recipe, *, choose: bool) -> Split:
    """All pairs, cut into the parts, and each item with its neighbours in the training part."""
    train, test = (read_lists(path_in(folder, f"gowalla/{part}.txt")) for part in ("train", "test"))
    place, count = pl.int_range(pl.len()).over("user"), pl.len().over("user")
    last = place >= count - (CHOICE_SHARE * count).round().clip(1)
    part = pl.when(last).then(pl.lit("validation")).otherwise(pl.lit("train")) if choose else pl.lit("train")
    events = pl.concat([train.with_columns(part=part), test.with_columns(part=pl.lit("test"))])
    items = pl.DataFrame({"item": np.arange(1 + int(events["item"].to_numpy().max()))})
    known = events.filter(pl.col("part") == "train")
    near = neighbors(known["user"].to_numpy(), known["item"].to_numpy(), len(items), recipe.neighbors)
    items = items.with_columns(near=pl.Series(near.tolist()))
    return cut(sl.Dataset(events, items=items, query_id="user", item_id="item"), GivenParts("part"))


def neighbors(users: Rows, items: Rows, num_items: int, count: int) -> Rows:
    """The `count` nearest of each item [N, count]: those most often reached by going to one of its users and on.

    Users count by the power -3/4 of how many items they have, items by the power -2/5 of how many users.
    """
    pairs = sparse.csr_array((np.ones(len(users), np.float32), (users, items)), shape=(users.max() + 1, num_items))
    of_users, of_items = (np.maximum(np.asarray(pairs.sum(axis=axis)), 1) for axis in (1, 0))
    weighed = (pairs @ sparse.diags_array(of_items**-0.4)).tocsr()
    back = (weighed.T @ sparse.diags_array(of_users**-0.75)).tocsr()
    found = []
    for start in range(0, num_items, BLOCK):
        reached = (back[start : start + BLOCK] @ weighed).toarray()
        row = np.arange(len(reached))
        reached[row, row + start] = -1
        found.append(np.argpartition(-reached, count, axis=1)[:, :count])
    return np.concatenate(found)


def train(split: Split, recipe: Recipe, seed: int, *, watch: bool) -> sl.Run:
    """An item is its id and its neighbours, and a user what else they touched, in the item tower's embeddings.

    One dense layer a side; cosines against the batch and uniform draws, corrected for how often each item is drawn.
    What the user touched is no negative: a history makes it score high, and training would undo that. A user's id
    beside the history is learnt by heart.
    """
    history = sl.History("item", shared=True, pooling="sqrt", dropout=recipe.history_dropout)
    near = sl.Categories("near", width=recipe.width, pooling="sqrt", dropout=recipe.neighbor_dropout)
    features = sl.fit_features([history], [sl.Lookup("item", width=recipe.width), near], on=split.train)
    return sl.train(
        sl.TwoTower(features, layers=[recipe.width], normalize=True, item_bias=True),
        split,
        loss=sl.InBatchSoftmax(
            temperature=recipe.temperature,
            uniform_negatives=recipe.uniform_negatives,
            log_q=True,
            remove_accidental_hits=True,
            remove_known_positives=True,
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

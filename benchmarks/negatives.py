"""What does each way to choose negatives cost a step?

The tutorial's model on events with MovieLens' tail of popularity, one epoch after another in turn: plain in-batch
negatives, and one setting more each time. A step is an epoch of `train` over its number, so that all is in it. Beside
them stands what it costs to count the pairs that are no honest negatives, which every training does.

    scripts/bench negatives         # some minutes
    scripts/bench negatives --quick # a few seconds, to see that it runs
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import shortlist as sl
from measure import Road, about, interleaved
from shortlist.experiment.train import train
from shortlist.experiment.vectors import events_of
from shortlist.settings import AnyLoss
from shortlist.training import PairRates, Tables
from steps import MOVIELENS, World

# How many items are shown with an event, in the road that has some.
SHOWN = 10
PLAIN = sl.InBatchSoftmax(shown_weight=0.0)
LOSSES: dict[str, AnyLoss] = {
    "in-batch": PLAIN,
    "log_q": dataclasses.replace(PLAIN, log_q=True),
    "log_q = streaming": dataclasses.replace(PLAIN, log_q="streaming"),
    "remove_known_positives": dataclasses.replace(PLAIN, remove_known_positives=True),
    "hard_negatives = 10": dataclasses.replace(PLAIN, hard_negatives=10),
    "hard_negatives = 100": dataclasses.replace(PLAIN, hard_negatives=100),
    "memory_batches = 4": dataclasses.replace(PLAIN, memory_batches=4),
    f"{SHOWN} shown with each event": dataclasses.replace(PLAIN, shown_weight=1.0),
    "whole catalogue": sl.FullSoftmax(shown_weight=0.0),
}


def main() -> None:
    """Time every way and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch-size", type=int, default=2_048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few events and rounds")
    options = parser.parse_args()
    world = dataclasses.replace(MOVIELENS, num_events=8_192 if options.quick else MOVIELENS.num_events)
    split = shown_split(world)
    steps = -(-split.train.num_events // options.batch_size)
    roads = {name: Road(epoch_of(split, loss, options.batch_size)) for name, loss in LOSSES.items()}
    times = interleaved(roads, 1 if options.quick else options.rounds)
    print(
        json.dumps(
            {
                **about("negatives"),
                "quick": options.quick,
                "batch_size": options.batch_size,
                "steps": steps,
                "step_ms": {name: 1e3 * found.median / steps for name, found in times.items()},
                "pairs_ms": pairs_ms(split, options.batch_size),
            }
        )
    )


def shown_split(world: World) -> sl.Split:
    """The world's events, with items drawn at random as shown beside each."""
    plain, generator = world.data(), np.random.default_rng(1)
    shown = generator.integers(world.num_items, size=(plain.num_events, SHOWN))
    events = plain.interactions.with_columns(shown=shown)
    data = sl.Dataset(events, items=plain.items, query_id="user", item_id="item", shown="shown")
    return sl.split_random(data, test=0.001)


def epoch_of(split: sl.Split, loss: AnyLoss, batch_size: int) -> Callable[[], object]:
    """Something that trains a new model of the tutorial's for one epoch."""
    features = sl.fit_features([sl.Lookup("user", width=32)], [sl.Lookup("item", width=32)], on=split.train)
    model = sl.TwoTower(features, layers=[32])
    training = sl.Training(epochs=1, batch_size=batch_size, watch="nothing")
    return lambda: train(model, split, loss=loss, training=training, progress=False)


def pairs_ms(split: sl.Split, batch_size: int) -> dict[str, Any]:
    """What counting pairs costs a step, and the first step of an epoch, in which known positives are looked for."""
    features = sl.fit_features([sl.Lookup("user", width=32)], [sl.Lookup("item", width=32)], on=split.train)
    events = events_of(split, split.train, Tables(features, split.train), PLAIN)
    batch = next(events.epoch(batch_size, torch.Generator(), None))
    rates = PairRates(events)
    roads = {name: Road(lambda first=first: rates.add(batch, first=first), repeat=5)  # type: ignore[misc]
             for name, first in (("every step", False), ("first of an epoch", True))}  # fmt: skip
    return {name: 1e3 * found.median for name, found in interleaved(roads, 10).items()}


if __name__ == "__main__":
    main()

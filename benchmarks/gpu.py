"""What does a GPU give, beside the processor of the same machine, in training and evaluation? Not run without a GPU.

Every training runs twice through `shortlist.train`, on the processor and on the GPU, with one seed and nothing else at
random, so that losses and metrics should agree but for the order of sums. Adagrad; users and items are known by their
ids, films by the words of their titles too. An epoch's time is the median of those after the first ones, in which the
GPU's step becomes a graph. Then ranks and a whole evaluation over many items on both.

    scripts/bench gpu         # about five minutes on an H100 and 16 cores
    scripts/bench gpu --quick # less than a minute, to see that it runs
"""

import argparse
import dataclasses
import gc
import itertools
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch

import shortlist as sl
from measure import Rates, Road, about, interleaved, machine_rates
from shortlist.data.seen import Seen
from shortlist.evaluation import Targets, VectorScores, evaluate
from shortlist.evaluation.ranking import BLOCK_COLUMNS, BLOCK_COLUMNS_ON_GPU, BLOCK_TARGETS, rank
from shortlist.settings import AnyLoss
from steps import World

Device = Literal["cpu", "cuda"]
LOSSES: dict[str, AnyLoss] = {"in_batch_softmax": sl.InBatchSoftmax(), "full_softmax": sl.FullSoftmax()}
METRIC = "top_100_accuracy"
LEARNING_RATE = 0.03
TEST = 0.05
# Epochs before a time counts: on a processor memory is touched first; on a GPU a shape of batch becomes a graph when it
# comes for the fourth time, which takes four epochs where it comes once in each.
WARM_UP = {"cpu": 1, "cuda": 4}
PRODUCT_COLUMNS = {"cpu": BLOCK_COLUMNS, "cuda": BLOCK_COLUMNS_ON_GPU}


@dataclasses.dataclass(frozen=True)
class Case:
    """A table of events, and what is trained on it: every loss with every depth and batch.

    Both devices train `epochs`, after which the test events are ranked; the GPU goes on to `gpu_epochs`.
    """

    name: str
    split: sl.Split
    features: sl.Features
    losses: Sequence[str]
    layers: Sequence[tuple[int, ...]]
    batch_sizes: Sequence[int]
    epochs: int
    gpu_epochs: int

    def trainings(self) -> Iterator[tuple[str, tuple[int, ...], int]]:
        """Loss, layers and batch of each training."""
        return itertools.product(self.losses, self.layers, self.batch_sizes)


def main() -> None:
    """Train and evaluate on both devices, and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=2, help="of each evaluation")
    parser.add_argument("--quick", action="store_true", help="small tables and one batch")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit(f"gpu: torch {torch.__version__} sees no GPU here, so that nothing was run.")
    rates = {"cpu": machine_rates(quick=options.quick), "cuda": gpu_rates()}
    items, targets = (20_000, 2_000) if options.quick else (1_000_000, 10_000)
    evaluation = evaluations(items, targets, options.rounds)
    print(json.dumps(evaluation), file=sys.stderr, flush=True)
    trainings = []
    for make in (small_case, full_case, *([] if options.quick else [large_case])):
        case = make(options.quick)
        for loss, layers, batch_size in case.trainings():
            trainings.append(both(case, loss, layers, batch_size))
            print(json.dumps(trainings[-1]), file=sys.stderr, flush=True)
    device = torch.cuda.get_device_properties(0)
    print(
        json.dumps(
            {
                **about("gpu"),
                "quick": options.quick,
                "gpu": {
                    "name": device.name,
                    "memory_gib": device.total_memory / 2**30,
                    "cuda": torch.version.cuda,
                },
                "rates": {name: dataclasses.asdict(of_device) for name, of_device in rates.items()},
                "trainings": trainings,
                "evaluation": evaluation,
            }
        )
    )


# --- Training ----------------------------------------------------------------------------------------------------


def small_case(quick: bool) -> Case:
    """MovieLens 100K: 80,000 training events, 1,682 films."""
    split = sl.split_random(sl.datasets.movielens_100k(), test=0.2, seed=42)
    features = sl.fit_features(
        [sl.Lookup("user_id", width=32)], [sl.Lookup("item_id", width=32), sl.Text("title", width=32)], on=split.train
    )
    layers, sizes = ([(32,)], [1_024]) if quick else ([(32,), (128, 64, 32)], [1_024, 8_192, 65_536])
    return Case("MovieLens 100K", split, features, list(LOSSES), layers, sizes, epochs=8, gpu_epochs=8)


def full_case(quick: bool) -> Case:
    """As many items as full softmax is for, with a tail as MovieLens has it; 131,072 training events."""
    world = World(20_000, 1_000, 2_000, skew=5.0) if quick else World(137_970, 50_000, 20_000, skew=5.0)
    layers: list[tuple[int, ...]] = [(64,)] if quick else [(64,), (256, 128, 64)]
    return made_case("20,000 items", world, list(LOSSES), layers, [1_024] if quick else [1_024, 8_192, 65_536])


def large_case(_: bool) -> Case:
    """A million items with the same chance, so that nearly all items of a batch are different."""
    world = World(137_970, 100_000, 1_000_000)
    return made_case("a million items", world, ["in_batch_softmax"], [(64,)], [1_024, 8_192, 65_536])


def made_case(
    name: str, world: World, losses: list[str], layers: list[tuple[int, ...]], batch_sizes: list[int]
) -> Case:
    """A made table, whose ids share no row of a table as large as there are ids, but for the chances of a hash."""
    split = sl.split_random(world.data(), test=TEST, seed=0)
    features = sl.fit_features(
        [sl.Hash("user", num_rows=world.num_users, width=64)],
        [sl.Hash("item", num_rows=world.num_items, width=64)],
        on=split.train,
    )
    return Case(name, split, features, losses, layers, batch_sizes, epochs=2, gpu_epochs=7)


def both(case: Case, loss: str, layers: tuple[int, ...], batch_size: int) -> dict[str, Any]:
    """One training on the processor and on the GPU, and how far apart they end."""
    sides = {device: trained(case, loss, layers, batch_size, device) for device in WARM_UP}
    cpu, gpu = sides["cpu"], sides["cuda"]
    return {
        "table": case.name,
        "events": case.split.train.num_events,
        "items": case.split.train.num_items,
        "loss": loss,
        "layers": ",".join(map(str, layers)),
        "batch_size": batch_size,
        **sides,
        "epoch_ratio": cpu["epoch_s"] / gpu["epoch_s"],
        "validation_ratio": cpu["validation_s"] / gpu["validation_s"],
        "loss_difference": max(
            abs(theirs - ours) / ours for ours, theirs in zip(cpu["losses"], gpu["losses"], strict=True)
        ),
        "metric_difference": abs(gpu["metric"] - cpu["metric"]),
    }


def trained(case: Case, loss: str, layers: tuple[int, ...], batch_size: int, device: str) -> dict[str, Any]:
    """One training: times, the losses of the epochs that both devices make, and the metric after these."""
    on_gpu = device == "cuda"
    if on_gpu:
        gc.collect()  # the model of the training before
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    run = sl.train(
        sl.TwoTower(case.features, layers=layers),
        case.split,
        loss=LOSSES[loss],
        optimizer=sl.Adagrad(LEARNING_RATE, initial_accumulator=0.0),  # so that a mean over a batch moves much
        training=sl.Training(
            epochs=case.gpu_epochs if on_gpu else case.epochs,
            batch_size=batch_size,
            validate_every=case.epochs,
            watch="test",
            seed=1,
            device="cuda" if on_gpu else "cpu",
        ),
        progress=False,
    )
    epochs = run.history.epochs
    validated = [epoch for epoch in epochs if epoch.metrics]
    metrics = {name.partition("/")[0]: value for name, value in validated[0].metrics.items()}
    return {
        "epoch_s": statistics.median(epoch.seconds for epoch in epochs[WARM_UP[device] :]),
        "first_epoch_s": epochs[0].seconds,
        "validation_s": validated[-1].validation_seconds,
        "losses": [epoch.loss for epoch in epochs[: case.epochs]],
        "metric": metrics[METRIC],
        **({"peak_mib": torch.cuda.max_memory_reserved() / 2**20} if on_gpu else {}),
    }


# --- Evaluation --------------------------------------------------------------------------------------------------


def evaluations(num_items: int, num_targets: int, rounds: int) -> dict[str, Any]:
    """Targets over many items of width 64 on both devices, and how many of them stand at the same rank on both."""
    found = {device: evaluated(device, num_items, num_targets, rounds) for device in WARM_UP}
    ranks = [found[device].pop("ranks") for device in WARM_UP]
    apart = np.abs(ranks[0] - ranks[1])
    return {
        "items": num_items,
        "targets": num_targets,
        **found,
        **{f"{name}_ratio": found["cpu"][f"{name}_s"] / found["cuda"][f"{name}_s"] for name in ("ranks", "whole")},
        "same_ranks": float((apart == 0).mean()),
        "furthest_rank": int(apart.max()),
    }


def evaluated(device: str, num_items: int, num_targets: int, rounds: int) -> dict[str, Any]:
    """The bare products of every query with every item, the ranks, and a whole evaluation with 1,000 users' lists."""
    generator = np.random.default_rng(0)
    items = torch.from_numpy(generator.standard_normal(size=(num_items, 64), dtype=np.float32)).to(device)
    queries = torch.from_numpy(generator.standard_normal(size=(num_targets, 1, 64), dtype=np.float32)).to(device)
    rows = np.arange(num_targets)
    targets = Targets(rows, rows, generator.integers(num_items, size=num_targets), absent=0, repeated=0)
    nothing = Seen(np.zeros(num_targets + 1, np.int64), np.zeros(0, np.int64))
    width = PRODUCT_COLUMNS[device]
    scores = torch.empty((BLOCK_TARGETS, width), device=device)
    scoring = VectorScores(lambda places: queries[torch.from_numpy(places).to(device)], items)

    def products() -> None:
        for start in range(0, num_targets, BLOCK_TARGETS):
            tile = queries[start : start + BLOCK_TARGETS, 0]
            for first in range(0, num_items, width):
                block = items[first : first + width]
                torch.matmul(tile, block.T, out=scores[: len(tile), : len(block)])

    def whole() -> None:
        evaluate(
            VectorScores(lambda places: queries[torch.from_numpy(places).to(device)], items),
            targets, protocol=sl.Protocol(), seen=nothing, popularity=np.ones(num_items, np.float32),
        )  # fmt: skip

    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    roads = {"products": products, "ranks": lambda: rank(scoring, targets.item_rows), "whole": whole}
    times = interleaved({name: Road(waited_for(run, device)) for name, run in roads.items()}, rounds)
    return {
        **{f"{name}_s": of_road.median for name, of_road in times.items()},
        "ranks_ratio": times["ranks"].median / times["products"].median,
        "ranks": rank(scoring, targets.item_rows).higher,
        **({"peak_mib": torch.cuda.max_memory_reserved() / 2**20} if device == "cuda" else {}),
    }


# --- The GPU -----------------------------------------------------------------------------------------------------


def waited_for(run: Callable[[], object], device: str) -> Callable[[], object]:
    """The same, ended only when the GPU's work is."""

    def to_the_end() -> None:
        run()
        if device == "cuda":
            torch.cuda.synchronize()

    return to_the_end


def gpu_rates() -> Rates:
    """As `machine_rates`, of sizes that fill a GPU; products in whole float32, as the library makes them."""
    size, length = 8_192, 1 << 28
    left, right, product = torch.rand(3, size, size, device="cuda")
    source, target = torch.ones(2, length, device="cuda")
    times = interleaved(
        {
            "product": Road(waited_for(lambda: torch.mm(left, right, out=product), "cuda"), repeat=2),
            "copy": Road(waited_for(lambda: target.copy_(source), "cuda"), repeat=2),
        },
        rounds=5,
    )
    best = {name: min(seconds.samples) for name, seconds in times.items()}
    return Rates(
        threads=0,
        gflop_per_s=2 * size**3 / best["product"] / 1e9,
        gb_per_s=2 * source.nbytes / best["copy"] / 1e9,
    )


if __name__ == "__main__":
    main()

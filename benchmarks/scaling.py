"""How does the cost of a step grow: with batch, vocabulary, catalogue, events, width, depth and threads?

One curve for each, of which all points are timed in turn, beside what they must cost: floating-point operations and
bytes (`steps.step_parts`) over the rates of a large product and a large copy on as many threads. Where memory is
measured, each point runs once more in a fresh process: counted is the peak above what was resident with the data alone.

    scripts/bench scaling                     # ten minutes and 6 GB of memory on two cores
    scripts/bench scaling --curve width depth # half a minute
    scripts/bench scaling --quick             # tiny, to see that it runs: a minute
"""

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from measure import Part, Rates, Road, about, added_memory, in_fresh_process, interleaved, machine_rates
from shortlist.evaluation.ranking import rank_targets
from shortlist.losses import in_batch_softmax
from shortlist.settings.training import Training
from shortlist.training import Events, fit
from steps import MOVIELENS, OPTIMIZERS, Choice, Trainer, World

ROUNDS, FEW_ROUNDS = 20, 5  # the latter where a run takes seconds
MEMORY_RUNS = 3
TIMED_ROWS = 16_384  # smaller batches are timed several times a round, up to so many rows


@dataclasses.dataclass(frozen=True)
class Job:
    """What a point times once all is built, what that must cost at least, and what else is worth knowing of it."""

    run: Callable[[], object]
    parts: list[Part]
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Point:
    """One measurement: its place on the curve, which line it belongs to, how its data and its job are made.

    `prepare` makes the data, which is no part of its memory, and `start` the job. `threads` None: as torch has them.
    """

    x: int
    line: str
    prepare: Callable[[], Any]
    start: Callable[[Any], Job]
    repeat: int = 1
    threads: int | None = None


@dataclasses.dataclass(frozen=True)
class Curve:
    """`setting` says what stays the same. The points of each line are timed in turn, line by line where `apart`."""

    setting: str
    points: list[Point]
    rounds: int = ROUNDS
    memory: bool = False
    apart: bool = False


def main() -> None:
    """Measure the curves asked for and print one JSON row; with --memory-of only one point's memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--curve", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes and few rounds, to see that it runs")
    parser.add_argument("--memory-of", type=int, metavar="POINT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of is not None:
        point = CURVES[options.curve[0]](options.quick).points[options.memory_of]
        print(json.dumps(memory_of(point)))
        return
    curves = {}
    for name in options.curve:
        print(f"{name} …", file=sys.stderr, flush=True)
        curves[name] = measure(name, CURVES[name](options.quick), quick=options.quick)
    print(json.dumps({**about("scaling"), "quick": options.quick, "curves": curves}))


# --- Measuring ---------------------------------------------------------------------------------------------------


def measure(name: str, curve: Curve, *, quick: bool) -> dict[str, Any]:
    """Every point of the curve with its times, its limit and, where asked for, its memory."""
    counts = {point.threads or torch.get_num_threads() for point in curve.points}
    rates = {threads: rates_on(threads, quick=quick) for threads in sorted(counts)}
    groups = [curve.points]
    if curve.apart:
        lines = dict.fromkeys(point.line for point in curve.points)
        groups = [[point for point in curve.points if point.line == line] for line in lines]
    rows = [row for points in groups for row in timed(points, rates, rounds=2 if quick else curve.rounds)]
    if curve.memory:
        arguments = ["--curve", name, *(["--quick"] if quick else [])]
        for number, row in enumerate(rows):
            row |= in_fresh_process(__file__, "--memory-of", str(number), *arguments)
    of_machine = [dataclasses.asdict(of_threads) for of_threads in rates.values()]
    return {"setting": curve.setting, "rates": of_machine, "points": rows}


def timed(points: list[Point], rates: dict[int, Rates], *, rounds: int) -> list[dict[str, Any]]:
    """The points, timed in turn."""
    default = torch.get_num_threads()
    jobs = {f"{point.line}/{point.x}": point.start(point.prepare()) for point in points}
    roads = {}
    for point, (key, job) in zip(points, jobs.items(), strict=True):
        roads[key] = Road(functools.partial(run_on, point.threads or default, job.run), repeat=point.repeat)
    times = interleaved(roads, rounds)
    torch.set_num_threads(default)
    rows = []
    for point, (key, job) in zip(points, jobs.items(), strict=True):
        measured = times[key]
        compared = rates[point.threads or default].compare(measured.median, job.parts)
        rows.append({"x": point.x, "line": point.line, **measured.to_json(), **compared, **job.notes})
    return rows


def run_on(threads: int, run: Callable[[], object]) -> None:
    """Run on so many threads."""
    torch.set_num_threads(threads)
    run()


def memory_of(point: Point) -> dict[str, float]:
    """What the point adds to this process, from building to the end of a few runs."""
    data = point.prepare()

    def run() -> None:
        job = point.start(data)
        for _ in range(MEMORY_RUNS):
            job.run()

    return added_memory(run)


def thread_counts() -> list[int]:
    """1, 2, 4, … up to as many as torch uses of itself, and these."""
    most = torch.get_num_threads()
    return sorted({1 << power for power in range(most.bit_length())} | {most})


def rates_on(threads: int, *, quick: bool) -> Rates:
    """The machine's rates on so many threads."""
    default = torch.get_num_threads()
    torch.set_num_threads(threads)
    rates = machine_rates(quick=quick)
    torch.set_num_threads(default)
    return rates


# --- Jobs --------------------------------------------------------------------------------------------------------


@functools.cache
def data_of(world: World) -> Any:
    """The world's data, made once for all points of a curve."""
    return world.data()


def step_point(x: int, line: str, world: World, choice: Choice, *, threads: int | None = None) -> Point:
    """A step of training; see `Trainer` on the gathering of its batch."""
    repeat = max(1, min(5, TIMED_ROWS // choice.batch_size))
    return Point(x, line, lambda: choice.events(data_of(world)), functools.partial(start_step, choice), repeat, threads)


def start_step(choice: Choice, events: Events) -> Job:
    """A model, its optimiser, and steps on the events."""
    trainer = Trainer(events, choice)
    notes = {"batch_size": choice.batch_size, "unique_items": trainer.unique_items()}
    return Job(trainer.step, list(trainer.parts().values()), notes)


def epoch_point(x: int, choice: Choice) -> Point:
    """A whole epoch by the training loop."""
    world = dataclasses.replace(MOVIELENS, num_events=x)
    return Point(x, "an epoch", lambda: choice.events(data_of(world)), functools.partial(start_epoch, choice))


def start_epoch(choice: Choice, events: Events) -> Job:
    """A model that trains for one epoch more at each run; its limit is that of a whole batch, by the events."""
    trainer = Trainer(events, choice)
    training = Training(epochs=1, batch_size=choice.batch_size, watch="nothing")
    share = len(events) / choice.batch_size
    parts = [Part(part.operations * share, part.bytes * share) for part in trainer.parts().values()]

    def run() -> None:
        fit(trainer.model, events, loss=in_batch_softmax, optimizer=trainer.optimizer, training=training)

    return Job(run, parts)


def ranking_point(x: int, *, line: str, targets: int, width: int = 64, threads: int | None = None) -> Point:
    """The ranks of some targets among x items, from vectors that are there."""
    return Point(
        x if threads is None else threads,
        line,
        functools.partial(draw_vectors, x, targets, width),
        start_ranking,
        threads=threads,
    )


Vectors = tuple[torch.Tensor, torch.Tensor, npt.NDArray[np.int64]]


def draw_vectors(num_items: int, num_targets: int, width: int) -> Vectors:
    """Query vectors [E, 1, D], item vectors [N, D] and the true items [E], all drawn."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(num_targets, 1, width, generator=generator)
    items = torch.randn(num_items, width, generator=generator)
    return queries, items, np.random.default_rng(0).integers(num_items, size=num_targets)


def start_ranking(vectors: Vectors) -> Job:
    """Ranking must make E × N scores, 2·E·N·D operations, and read every vector once."""
    queries, items, item_rows = vectors
    operations = 2 * len(queries) * items.numel()
    size = queries.element_size() * (queries.numel() + items.numel())
    return Job(
        lambda: rank_targets(lambda targets: queries[torch.from_numpy(targets)], items, item_rows),
        [Part(operations=operations, bytes=size)],
    )


# --- Curves ------------------------------------------------------------------------------------------------------


def batch(quick: bool) -> Curve:
    """Rows of a batch, where items seldom repeat and where they often do."""
    sizes = (64, 256) if quick else (512, 2_048, 8_192, 32_768, 65_536)
    num_items = 10_000 if quick else 1_000_000
    events = 2 * sizes[-1]
    worlds = {
        f"{num_items:,} items, all alike": (World(events, 1_000, num_items), Choice(item_rows=num_items)),
        "1,682 items with a long tail": (dataclasses.replace(MOVIELENS, num_events=events), Choice()),
    }
    points = [
        step_point(size, line, world, dataclasses.replace(choice, batch_size=size))
        for line, (world, choice) in worlds.items()
        for size in sizes
    ]
    return Curve("width 32, layers [32], Adagrad", points, rounds=FEW_ROUNDS, memory=True)


def vocabulary(quick: bool) -> Curve:
    """Rows of the users' table, for each optimiser; AdamW, which moves them all, up to a million."""
    sizes = (1_000, 10_000) if quick else (10_000, 100_000, 1_000_000, 10_000_000)
    events = 20_480 if quick else 409_600
    world = dataclasses.replace(MOVIELENS, num_events=events, num_users=10_000_000)
    points = [
        step_point(size, name, world, Choice(optimizer=optimizer, user_rows=size))
        for name, optimizer in OPTIMIZERS.items()
        for size in sizes
        if name != "adamw" or size <= 1_000_000
    ]
    setting = "batch 2,048, width 32, layers [32], 1,682 items; users drawn from ten million"
    return Curve(setting, points, memory=True, apart=True)


def catalogue(quick: bool) -> Curve:
    """Items of an evaluation."""
    sizes = (500, 1_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    targets = 256 if quick else 2_048
    points = [ranking_point(size, line="an evaluation", targets=targets) for size in sizes]
    return Curve(f"ranks of {targets:,} targets, vectors of width 64", points, rounds=FEW_ROUNDS, memory=True)


def events(quick: bool) -> Curve:
    """Events of an epoch."""
    sizes = (2_048, 8_192) if quick else (10_000, 30_000, 100_000, 300_000, 1_000_000)
    points = [epoch_point(size, Choice()) for size in sizes]
    setting = "batch 2,048, width 32, layers [32], Adagrad, 1,682 items with a long tail"
    return Curve(setting, points, rounds=FEW_ROUNDS, memory=True)


def width(quick: bool) -> Curve:
    """Width of embeddings and vectors."""
    widths = (16, 32) if quick else (16, 32, 64, 128, 256)
    points = [step_point(size, "a step", MOVIELENS, Choice(layers=(size,), width=size)) for size in widths]
    return Curve("batch 2,048, one layer as wide as the embeddings, Adagrad, 1,682 items with a long tail", points)


def depth(quick: bool) -> Curve:
    """Layers of both towers."""
    depths = (1, 2) if quick else (1, 2, 3, 4)
    points = [step_point(layers, "a step", MOVIELENS, Choice(layers=(128,) * layers)) for layers in depths]
    return Curve("batch 2,048, embeddings of width 32, layers of 128, Adagrad, 1,682 items with a long tail", points)


def threads(quick: bool) -> Curve:
    """Threads of torch, for a small model, a deep one, and an evaluation."""
    counts = thread_counts()
    choices = {"a step, layers [32]": Choice(), "a step, layers [128, 64, 32]": Choice(layers=(128, 64, 32))}
    points = [
        step_point(count, line, MOVIELENS, choice, threads=count)
        for line, choice in choices.items()
        for count in counts
    ]
    targets = 256 if quick else 20_000
    line = f"an evaluation of {targets:,} targets"
    points += [ranking_point(1_682, line=line, targets=targets, width=32, threads=count) for count in counts]
    return Curve("batch 2,048, width 32, Adagrad, 1,682 items with a long tail", points)


CURVES: dict[str, Callable[[bool], Curve]] = {
    "batch": batch,
    "vocabulary": vocabulary,
    "catalogue": catalogue,
    "events": events,
    "width": width,
    "depth": depth,
    "threads": threads,
}


if __name__ == "__main__":
    main()

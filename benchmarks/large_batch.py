"""Does a batch of 65,536 rows on a catalogue of a million items fit, and what does a row cost?

Every item has the same chance, so that nearly all items of a batch are different and the softmax grows with the square
of the batch: a row must cost more operations in a large batch. Width 64, one layer of 64, Adagrad, 100,000 users.

Memory: a fresh process imports, makes and encodes the data, then builds model and optimiser and trains; counted is what
that adds at its peak. The bar: 1.5 GB. Time: steps of both batches in turn, in another process.

    scripts/bench large_batch         # three minutes on two cores
    scripts/bench large_batch --quick # some seconds, to see that it runs
"""

import argparse
import dataclasses
import json
import sys
from typing import Any

from measure import Road, about, added_memory, in_fresh_process, interleaved, machine_rates
from shortlist.training import Events
from steps import Choice, Trainer, World

MEMORY_STEPS = 3


def main() -> None:
    """Measure memory and time and print one JSON row; with --memory-of only the former, of this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20,000 items and a batch of 8,192")
    parser.add_argument("--memory-of", type=int, metavar="ROWS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    num_items, sizes = (20_000, (512, 8_192)) if options.quick else (1_000_000, (2_048, 65_536))
    world = World(num_events=4 * sizes[1], num_users=num_items // 10, num_items=num_items)
    choice = Choice(layers=(64,), width=64, item_rows=num_items)
    events = choice.events(world.data())
    if options.memory_of:
        batch = dataclasses.replace(choice, batch_size=options.memory_of)
        print(json.dumps(added_memory(lambda: train(events, batch, MEMORY_STEPS))))
        return
    quick = ["--quick"] if options.quick else []
    batches = measure(events, choice, sizes, rounds=2 if options.quick else options.rounds)
    for row in batches:
        row |= in_fresh_process(__file__, "--memory-of", str(row["batch_size"]), *quick)
        print(json.dumps(row), file=sys.stderr, flush=True)
    small, large = batches
    time_growth = large["s_per_row"] / small["s_per_row"]
    operations_growth = large["operations_per_row"] / small["operations_per_row"]
    print(
        json.dumps(
            {
                **about("large_batch"),
                "quick": options.quick,
                "items": num_items,
                "width": 64,
                "optimizer": "adagrad",
                "batches": batches,
                "time_per_row_growth": time_growth,
                "operations_per_row_growth": operations_growth,
                "growth_ratio": time_growth / operations_growth,
                "added_gb": large["added_mib"] * 2**20 / 1e9,
            }
        )
    )


def train(events: Events, choice: Choice, steps: int) -> None:
    """Build model and optimiser, and take some steps."""
    trainer = Trainer(events, choice)
    for _ in range(steps):
        trainer.step()


def measure(events: Events, choice: Choice, sizes: tuple[int, int], *, rounds: int) -> list[dict[str, Any]]:
    """A step with each batch, timed in turn, and what a row costs in it."""
    trainers = {str(size): Trainer(events, dataclasses.replace(choice, batch_size=size)) for size in sizes}
    small, large = (trainers[str(size)] for size in sizes)
    times = interleaved({str(sizes[0]): Road(small.step, repeat=10), str(sizes[1]): Road(large.step)}, rounds)
    rates = machine_rates()
    rows = []
    for size in sizes:
        trainer, measured = trainers[str(size)], times[str(size)]
        compared = rates.compare(measured.median, trainer.parts().values())
        rows.append(
            {
                "batch_size": size,
                "unique_items": trainer.unique_items(),
                **measured.to_json(),
                **compared,
                "s_per_row": measured.median / size,
                "operations_per_row": compared["operations"] / size,
                "rates": dataclasses.asdict(rates),
            }
        )
    return rows


if __name__ == "__main__":
    main()

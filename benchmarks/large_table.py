"""What does a step cost with a table of 10 million rows, beside one of 10 thousand?

Two models that differ in the rows of the users' table alone train on the same events, batch 2,048, width 32, one layer
of 32, in turn; once for each optimiser that moves only the rows used. The events have more users than a cache holds
rows, so that the large table is read from memory, as it is in use. The bar: at most 1.3 times the time.

    scripts/bench large_table         # half a minute and 5 GB of memory on two cores
    scripts/bench large_table --quick # a few seconds, to see that it runs
"""

import argparse
import dataclasses
import json
import sys
from typing import Any

from measure import Rates, Road, about, interleaved, machine_rates
from steps import MOVIELENS, OPTIMIZERS, Choice, Trainer, World

LAZY = ("adagrad", "rowwise_adagrad", "lazy_adam")


def main() -> None:
    """Measure each optimiser and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="small tables and few rounds")
    options = parser.parse_args()
    sizes = (1_000, 100_000) if options.quick else (10_000, 10_000_000)
    rounds = 2 if options.quick else options.rounds
    num_events = 20_480 if options.quick else 409_600
    world = dataclasses.replace(MOVIELENS, num_events=num_events, num_users=10_000_000)
    rates = machine_rates(quick=options.quick)
    rows = []
    for optimizer in LAZY:
        rows.append({"optimizer": optimizer, **compare(world, sizes, optimizer, rounds, rates)})
        print(f"{optimizer}: {rows[-1]['ratio']:.2f}", file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                **about("large_table"),
                "quick": options.quick,
                "table_rows": sizes,
                "batch_size": 2_048,
                "width": 32,
                "rates": dataclasses.asdict(rates),
                "optimizers": rows,
            }
        )
    )


def compare(world: World, sizes: tuple[int, int], optimizer: str, rounds: int, rates: Rates) -> dict[str, Any]:
    """A step with either table, timed in turn, and the ratio of their medians."""
    data = world.data()
    trainers: dict[str, Trainer] = {}
    for name, size in zip(("small", "large"), sizes, strict=True):
        choice = Choice(optimizer=OPTIMIZERS[optimizer], user_rows=size)
        trainers[name] = Trainer(choice.events(data), choice)
    times = interleaved({name: Road(trainer.step, repeat=5) for name, trainer in trainers.items()}, rounds)
    figures: dict[str, Any] = {
        name: measured.to_json() | rates.compare(measured.median, trainers[name].parts().values())
        for name, measured in times.items()
    }
    return {**figures, "ratio": times["large"].median / times["small"].median}


if __name__ == "__main__":
    main()

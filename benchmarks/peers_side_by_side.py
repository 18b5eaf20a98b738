"""How long do an epoch and a validation of the tutorial take, and how much memory, beside three peers?

TensorFlow Recommenders, keras-rs, and a plain PyTorch port, each in a process of its own, in turn with shortlist, on
the same split; every round goes through all sides and depths. An epoch is 80,000 rows in batches of 2,048, a validation
ranks 20,000 rows over the catalogue. The memory is the process's peak, before any export or picture.

    scripts/bench peers_side_by_side                 # about 15 minutes on two cores
    scripts/bench peers_side_by_side --sides tfrs shortlist --epochs 5
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import about
from peers.processes import SIDES, make_environment, run_side, write_split


def main() -> None:
    """Run all sides in turn and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--layers", nargs="+", default=["32", "128,64,32"])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", nargs="*", default=[], help="side=python, for environments made before")
    options = parser.parse_args()
    given = dict(text.split("=", 1) for text in options.peer_python)
    pythons = {
        side: Path(given[side]) if side in given else make_environment(Path("build") / side, side)
        for side in options.sides
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_split(data)
        for seed in range(1, options.rounds + 1):
            for layers in options.layers:
                for side in options.sides:
                    settings = {"layers": layers, "epochs": options.epochs, "validate_every": 2, "seed": seed}
                    rows.append(measured(side, *run_side(side, pythons[side], data, **settings), layers))
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({**about("peers_side_by_side"), "epochs": options.epochs, "rows": rows}))


def measured(side: str, written: dict[str, Any], whole: float, memory: float, layers: str) -> dict[str, Any]:
    """The medians of one process, without its first epoch and validation, in which libraries set themselves up."""
    seconds = written["seconds"]
    return {
        "layers": layers,
        "side": side,
        "epoch_s": statistics.median(seconds["epoch"][1:]),
        "validation_s": statistics.median(seconds["validation"][1:]),
        "first_epoch_s": seconds["epoch"][0],
        "fit_s": seconds["fit"],
        "startup_s": seconds["startup"],
        "whole_s": whole,
        "peak_memory_mib": memory,
        "top_100_accuracy": written["top_100_accuracy"][-1],
    }


if __name__ == "__main__":
    main()

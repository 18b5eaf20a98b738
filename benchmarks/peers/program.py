"""What the peers' programs share: the tutorial's numbers, their flags, and the file that they write.

Standard library alone, for each program runs in an environment of its own and knows nothing of shortlist.
"""

import argparse
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = [
    "KS",
    "LEARNING_RATE",
    "TEST_BATCH",
    "TRAIN_BATCH",
    "WIDTH",
    "accuracy_name",
    "make_parser",
    "parse_options",
    "run",
    "seconds_of",
]

WIDTH = 32
LEARNING_RATE = 0.1
TRAIN_BATCH = 2_048
TEST_BATCH = 4_096
KS = (1, 5, 10, 50, 100)

Data = TypeVar("Data")


def accuracy_name(k: int) -> str:
    """What the result calls the accuracy at `k`."""
    return f"top_{k}_accuracy"


def make_parser(program: str, description: str) -> argparse.ArgumentParser:
    """The flags that all programs have; `program` is its module's name."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        epilog=f"example, in benchmarks/: python -m {program} --data ml100k --layers 64,32 --seed 1 --out result.json",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train.npz, test.npz and items.npz")
    parser.add_argument("--layers", type=_layer_widths, required=True, help="widths of the dense layers, as in 64,32")
    parser.add_argument("--epochs", type=_positive, default=300, help="how often to go through the training rows")
    parser.add_argument("--validate-every", type=_positive, default=5, help="epochs from one validation to the next")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and of the order of rows")
    parser.add_argument("--out", type=Path, required=True, help="file for the result, replaced if it exists")
    return parser


def parse_options(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options; ends the process with code 2 where they make no sense."""
    options = parser.parse_args(arguments)
    if options.validate_every > options.epochs:
        parser.error(f"--validate-every {options.validate_every} never comes within --epochs {options.epochs}")
    if not options.out.resolve().parent.is_dir():
        parser.error(f"--out {options.out}: its folder does not exist; make it first")
    return options


def run(
    options: argparse.Namespace,
    read: Callable[[Path], Data],
    train: Callable[[Data, argparse.Namespace], Mapping[str, Any]],
    library: str,
) -> None:
    """Read, train, write: the settings, what `train` measured, and the most memory that the process held at once."""
    try:
        data = read(options.data)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"tutorial.py: {error}")
    measured = train(data, options)
    settings = {name: getattr(options, name) for name in ("layers", "epochs", "validate_every", "seed")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / 1e6  # Linux counts it in KiB
    _write_json(options.out, {**settings, "library": library, **measured, "peak_memory_mb": round(peak, 1)})


def seconds_of(
    started: float, begun: float, ended: float, epochs: Sequence[float], validations: Sequence[float]
) -> dict[str, Any]:
    """The result's seconds, from when the process started and its fit began and ended by `time.perf_counter`."""
    return {
        "fit": round(ended - begun, 3),
        "startup": round(begun - started, 3),
        "epoch": [round(lap, 4) for lap in epochs],
        "validation": [round(lap, 4) for lap in validations],
    }


def _write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Puts the result in place at once, so that a reader never meets half a file."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(result) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected whole numbers above 0, got {text!r}")
    return int(text)


def _layer_widths(text: str) -> list[int]:
    """The widths of a tower's dense layers, first to last, from numbers set apart by commas."""
    return [_positive(part) for part in text.split(",")]

"""What the benchmarks share: timing in turn, peak memory, the machine and its rates. Not a benchmark itself.

A *road* is one way to do a job. Roads are timed in turn, round after round, so that whatever else the machine does
meets all of them alike. A *part* of a job is what it must cost at least; `Rates` turn parts into a limit in seconds.
"""

import ctypes
import dataclasses
import gc
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

__all__ = [
    "Part",
    "Rates",
    "Road",
    "Times",
    "about",
    "added_memory",
    "in_fresh_process",
    "interleaved",
    "machine_rates",
]

# What decides how torch's threads wait and how many there are, where the caller sets it.
SURROUNDINGS = ("GOMP_SPINCOUNT", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
STATUS = Path("/proc/self/status")


# --- Time --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Road:
    """A job to time, `repeat` times in each round.

    One that is timed more than once a round is run once more before, untimed: what it finds in the caches is then its
    own, as in a loop of its own. For a long job the caches do not matter.
    """

    run: Callable[[], object]
    repeat: int = 1


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of each timed run, in order."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def to_json(self) -> dict[str, float]:
        """Median and minimum in seconds, and of how many runs."""
        return {"median_s": self.median, "min_s": min(self.samples), "samples": len(self.samples)}


def interleaved(roads: Mapping[str, Road], rounds: int) -> dict[str, Times]:
    """The times of all roads by name, after one untimed run of each; every round starts with another road."""
    for road in roads.values():
        road.run()
    names = list(roads)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            samples[name] += _timed(roads[name])
    return {name: Times(tuple(seconds)) for name, seconds in samples.items()}


def _timed(road: Road) -> list[float]:
    if road.repeat > 1:
        road.run()
    marks = [time.perf_counter()]
    for _ in range(road.repeat):
        road.run()
        marks.append(time.perf_counter())
    return [later - earlier for earlier, later in itertools.pairwise(marks)]


# --- Memory ------------------------------------------------------------------------------------------------------


def added_memory(run: Callable[[], object]) -> dict[str, float]:
    """What is resident before `run` (`idle_mib`) and the most that it added to that (`added_mib`).

    Memory that was freed before but is kept for later is given back first, as far as the C library does so, or the run
    would live on it unseen. Linux alone can forget an earlier peak; elsewhere one that was higher counts too.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # proc_pid_clear_refs(5): resets the peak, VmHWM
    idle = _resident_mib("VmRSS")
    run()
    return {"idle_mib": idle, "added_mib": _resident_mib("VmHWM") - idle}


def _resident_mib(field: str) -> float:
    """VmRSS, what is resident now, or VmHWM, the most that was; the most for both where there is no /proc.

    Not `getrusage` on Linux: there a child starts with the peak of the process that started it.
    """
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def in_fresh_process(script: str, *arguments: str) -> dict[str, Any]:
    """The JSON object that a benchmark prints last when it is run with these arguments."""
    command = [sys.executable, script, *arguments]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return row


# --- The machine -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Part:
    """What a part of a job must cost: floating-point operations, and bytes read or written."""

    operations: float = 0
    bytes: float = 0


@dataclasses.dataclass(frozen=True)
class Rates:
    """What the machine can do: a large product of matrices, and a large copy (bytes read and bytes written)."""

    threads: int
    gflop_per_s: float
    gb_per_s: float

    def limit(self, parts: Iterable[Part]) -> float:
        """Seconds below which the parts, one after the other, cannot come: each by the slower of its two sides."""
        return sum(
            max(part.operations / (self.gflop_per_s * 1e9), part.bytes / (self.gb_per_s * 1e9)) for part in parts
        )

    def compare(self, seconds: float, parts: Iterable[Part]) -> dict[str, float]:
        """Operations and bytes in all, the limit, and how many times the limit `seconds` is."""
        parts = list(parts)
        limit = self.limit(parts)
        return {
            "operations": sum(part.operations for part in parts),
            "bytes": sum(part.bytes for part in parts),
            "limit_s": limit,
            "ratio": seconds / limit,
        }


def machine_rates(*, quick: bool = False) -> Rates:
    """The best of ten products of square matrices and of ten copies, on as many threads as torch uses now."""
    size, length = (256, 1 << 18) if quick else (2_048, 1 << 26)
    left, right, product = torch.rand(3, size, size)
    source, target = torch.ones(2, length)
    times = interleaved(
        {
            "product": Road(lambda: torch.mm(left, right, out=product), repeat=2),
            "copy": Road(lambda: target.copy_(source), repeat=2),
        },
        rounds=5,
    )
    best = {name: min(seconds.samples) for name, seconds in times.items()}
    return Rates(
        threads=torch.get_num_threads(),
        gflop_per_s=2 * size**3 / best["product"] / 1e9,
        gb_per_s=2 * source.nbytes / best["copy"] / 1e9,
    )


def about(benchmark: str) -> dict[str, Any]:
    """Where and with what a benchmark's figures were taken: the first fields of its row."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "benchmark": benchmark,
        "commit": commit,
        "machine": f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("shortlist", "torch", "numpy", "polars")},
        "threads": torch.get_num_threads(),
        "surroundings": {name: os.environ[name] for name in SURROUNDINGS if name in os.environ},
    }


def _processor() -> str:
    """The processor's architecture, and its name where Linux tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{platform.machine()} ({name})" if name else platform.machine()

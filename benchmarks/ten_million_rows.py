"""How fast, and in how much memory, a large table of events is read, described, split and encoded."""

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import shortlist as sl
from shortlist.data import Roles
from shortlist.features import encode

USERS, ITEMS = 500_000, 100_000
PART_ROWS = 1_000_000


def write_events(folder: Path, rows: int) -> None:
    """Parquet files of a million events each: users and items of a long tail as texts, times over two years."""
    generator = np.random.default_rng(0)
    start = np.datetime64("2025-01-01T00:00:00", "us")
    for part, first in enumerate(range(0, rows, PART_ROWS)):
        count = min(PART_ROWS, rows - first)
        users = (USERS * generator.random(count) ** 2).astype(np.int64)
        items = (ITEMS * generator.random(count) ** 3).astype(np.int64)
        seconds = generator.integers(0, 2 * 365 * 86_400, size=count)
        events = pl.DataFrame(
            {
                "user": pl.Series(users).cast(pl.String).str.zfill(8),
                "sku": pl.Series(items).cast(pl.String).str.zfill(8),
                "ts": start + seconds.astype("timedelta64[s]"),
                "page": generator.integers(0, 50, size=count),
            }
        )
        events.write_parquet(folder / f"part-{part:03}.parquet")


def peak_mib() -> float:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Write the tables where they are not there yet, and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="Where the tables are, or will be; temporary where left out.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.glob("*.parquet")):
            write_events(folder, arguments.rows)
        measure(folder, arguments.rows)


def measure(folder: Path, rows: int) -> None:
    """One JSON row on stdout."""
    idle = peak_mib()
    marks = [("idle", time.perf_counter(), idle)]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter(), peak_mib()))
        (_, before, _), (_, now, peak) = marks[-2:]
        print(
            f"{name:10} {now - before:6.1f} s  {rows / (now - before) / 1e6:6.2f} M rows/s  {peak:6.0f} MiB",
            file=sys.stderr,
        )

    source = sl.DataSource(interactions=str(folder), roles=Roles("user", "sku", time="ts"))
    data = source.load()
    mark("read")
    sl.describe(data)
    mark("describe")
    split = sl.split_by_time(data, test=0.1, validation=0.05)
    mark("split")
    features = sl.fit_features([sl.Lookup("user"), sl.Bucketize("ts", 1_000)], [sl.Lookup("sku")], on=split.train)
    mark("fit")
    for part in (split.train, split.validation, split.test):
        if part is not None:
            encode([*features.user, *features.event], part.events)
    mark("encode")
    seconds = {name: now - before for (_, before, _), (name, now, _) in itertools.pairwise(marks)}
    print(json.dumps({"rows": rows, "seconds": seconds, "peak_mib": peak_mib(), "idle_mib": idle}))


if __name__ == "__main__":
    main()

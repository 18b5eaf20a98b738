"""What do the results say? Writes docs/performance.md and its pictures from benchmarks/results/*.json.

A result is the row that a benchmark printed, in a file of the benchmark's name; `scaling` may lie in several files,
scaling.json and scaling-NAME.json, with other curves each. What has no file is said not to have run.

    scripts/bench large_table > benchmarks/results/large_table.json
    scripts/bench performance # then this
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from performance_page import Page, Results, summary_table
from performance_sections import SECTIONS
from shortlist.atomic import write_file

ROOT = Path(__file__).parent.parent

INTRODUCTION = """\
# Performance

What a step, an epoch and an evaluation cost, beside others and beside what they must cost. This page is written by
`scripts/bench performance` from the rows that the benchmarks printed; each section names the command that repeats it.

**All figures are of processors, but for those of [the one section on a GPU](#what-does-a-gpu-give).** Times are medians
of runs taken in turn. A *limit* is what a job must cost at least: its floating-point operations over the rate of a
large product of matrices, and the bytes of tables that it must read and write over the rate of a large copy, both
measured on the same threads (`benchmarks/steps.py` has the formulas). Exponentials, activations and the finding of a
batch's unique items are not in it, so nothing reaches it; how many times the limit a figure is says what is left to
win. Batches are gathered many at a time, so that the median of single steps leaves that out; epochs have it in.
"""

FAILURES = """\
## What was tried and failed

- **A compiled kernel for the loss.** It came to the speed of the one in PyTorch, and it would have cost a compiler at
  the user's, or wheels for every platform and version of torch ([decision 34](decisions.md)).
- **torch.compile for the loss.** The same speed, after seconds to start, and again once the number of unique items
  changes.
- **Letting idle threads sleep at once.** Passive waiting made the whole tutorial slower on quiet cores; the command
  line makes them wait for less long instead.
- **The softmax's tiles in two threads of their own,** which need not wait for each other within a tile: no faster, for
  they take turns at the interpreter's lock.
- **Adding to a table's rows in place.** Writing the moved rows takes less time on a table beyond the cache
  ([decision 37](decisions.md)).

[Experiments](experiments.md) has the figures of what failed.
"""


def main() -> None:
    """Read all results, and write the page and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    results = read_results(options.results)
    page = Page()
    for section in SECTIONS:
        section(results, page)
    lines = [INTRODUCTION, *summary_table(page.bars), *page.lines, FAILURES]
    images = options.docs / "images"
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("performance-*.svg"):
        old.unlink()
    for name, svg in page.pictures.items():
        write_file(images / f"performance-{name}.svg", svg.encode())
    write_file(options.docs / "performance.md", ("\n".join(lines).rstrip() + "\n").encode())


def read_results(folder: Path) -> Results:
    """Every result by the name of its file; curves of `scaling` from several files under one name."""
    results: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    for name in [name for name, row in results.items() if row.get("quick")]:
        print(f"{name}.json is of a run with --quick, whose figures say nothing; it is left out.", file=sys.stderr)
        del results[name]
    curves: dict[str, Any] = {}
    for name in [name for name in results if name.partition("-")[0] == "scaling"]:
        row = results.pop(name)
        about = {key: value for key, value in row.items() if key != "curves"}
        curves |= {curve: about | measured for curve, measured in row["curves"].items()}
    return results | ({"scaling": curves} if curves else {})


if __name__ == "__main__":
    main()

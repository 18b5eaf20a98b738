"""Does `recommended`, untouched, beat every baseline on a made shop that none of the code was written for?

Writes the tables of `made_retail` and goes the way of somebody without code: `shortlist init` proposes, `shortlist
train` trains once a seed and ranks the test beside all baselines, `shortlist report` makes the page. Prints one JSON
row.

    scripts/bench retail_tables --folder shop  # some five minutes a seed on two quiet cores
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from made_retail import make_shop
from measure import about

ORDERS, PRODUCTS, CUSTOMERS = "orders.parquet", "products.csv", "customers.parquet"
TABLES = [ORDERS, "--items", PRODUCTS, "--users", CUSTOMERS]
PROPOSED = "experiment.toml"


def main() -> None:
    """Make the shop, propose, train and measure with each seed, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, help="Where tables, runs and reports stay; temporary where left out.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        make_shop().write(folder)
        proposal = shortlist(folder, "init", *TABLES)
        (folder / PROPOSED).write_text(proposal)
        findings = json.loads(shortlist(folder, "doctor", PROPOSED, "--json"))
        runs = [run(folder, seed) for seed in options.seed]
    print(
        json.dumps(
            {
                **about("retail_tables"),
                "proposal": {name: tomllib.loads(proposal)[name] for name in ("split", "features", "evaluation")},
                "doubts": [line.removeprefix("# ") for line in proposal.splitlines() if line.startswith("# ")],
                "findings": [finding["name"] for finding in findings],
                "runs": runs,
            }
        )
    )


def run(folder: Path, seed: int) -> dict[str, Any]:
    """One training by the proposal beside all baselines, and its report: what they say."""
    name = f"seed-{seed}"
    started = time.perf_counter()
    found = json.loads(shortlist(folder, "train", PROPOSED, "--seed", str(seed), "--out", name, "--quiet", "--json"))
    took = time.perf_counter() - started
    shortlist(folder, "report", name)
    decisive = found["decisive"]
    row = {
        "seed": seed,
        "training_seconds": found["history"]["seconds"],
        "command_seconds": took,
        "best_epoch": found["history"]["best_epoch"],
        "metric": decisive,
        "model": found["metrics"][decisive],
        "interval": found["intervals"][decisive],
        "baselines": {name: metrics[decisive] for name, metrics in found["baselines"].items()},
        "settings": found["baseline_settings"],
        "not_computed": found["not_computed"],
        "verdict": found["verdict"],
        "shortfall": found["shortfall"],
        "verdicts": found["verdicts"],
        "counts": found["counts"],
        "slices": {part["name"]: [part["value"], part["baseline"], part["baseline_value"]] for part in found["slices"]},
    }
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def shortlist(folder: Path, *arguments: str) -> str:
    """What a command prints, run in the folder of the tables."""
    command = [sys.executable, "-c", "from shortlist.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()

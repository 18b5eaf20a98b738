"""How good are the baselines, on data sets and protocols for which others have published numbers?

Prints one JSON row for each data set and baseline. Settings are chosen on validation events cut from the training
events, for each rule about seen items apart; then the baseline is fitted again on all training events. Ties are
expected; published numbers are often optimistic, so that these stand beside them.

    scripts/bench baselines                                    # MovieLens 100K, downloaded; a minute on two cores
    scripts/bench baselines --data FOLDER --cases gowalla      # needs FOLDER/gowalla/train.txt and test.txt
    scripts/bench baselines --data FOLDER --cases ml_1m        # needs FOLDER/ml-1m/ml-1m.txt and the items' names
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import shortlist as sl
from shortlist.baselines import BASELINES, Baseline, Scorer
from shortlist.data.seen import Seen
from shortlist.evaluation import UserScores
from shortlist.evaluation.ranking import rank
from shortlist.metrics import Ranks, top_k_discounted, top_k_hits
from shortlist.metrics.ranking import ideal_discounted
from shortlist.settings.evaluation import TieRule

Values = dict[str, dict[str, float]]  # by rule about seen items, then by metric
TIES: tuple[TieRule, ...] = ("expected", "optimistic")


@dataclasses.dataclass(frozen=True)
class Case:
    """Training and test events, and training and validation events cut from the former alone.

    `metrics` names what to measure as (kind, k); the first decides the search. `senseless` says by name why a baseline
    means nothing here.
    """

    train: sl.Dataset
    test: sl.Dataset
    search_train: sl.Dataset
    validation: sl.Dataset
    metrics: tuple[tuple[str, int], ...]
    rules: tuple[str, ...] = ("included", "excluded")
    note: str = ""
    senseless: Mapping[str, str] = dataclasses.field(default_factory=dict)


def main() -> None:
    """Measure the cases and baselines asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["movielens_random", "movielens_time"])
    parser.add_argument("--baselines", nargs="+", choices=BASELINES, default=list(BASELINES))
    parser.add_argument("--data", type=Path, help="the folder with gowalla/ and ml-1m/")
    options = parser.parse_args()
    for name in options.cases:
        case = CASES[name](options.data)
        for baseline in options.baselines:
            print(f"{name}: {baseline} …", file=sys.stderr, flush=True)
            print(
                json.dumps(
                    about() | {"case": name, "baseline": baseline} | measure(baseline, case),
                    ensure_ascii=False,
                )
            )
            sys.stdout.flush()


def about() -> dict[str, Any]:
    """Where and with what the numbers were computed."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    versions = {module.__name__: module.__version__ for module in (np, pl)}
    return {
        "benchmark": "baselines",
        "commit": commit,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), **versions},
    }


# --- Choosing settings and measuring -----------------------------------------------------------------------------


def measure(name: str, case: Case) -> dict[str, Any]:
    """The baseline's settings and figures for each rule about seen items, or why there are none."""
    baseline = BASELINES[name]
    refusal = case.senseless.get(name) or baseline.why_not(case.train)
    if refusal:
        return {"not_computed": refusal}
    tried = [(settings, validated(baseline, case, settings)) for settings in baseline.grid]
    row: dict[str, Any] = {"data": case.note, "events": case.train.num_events, "targets": case.test.num_events}
    kind, k = case.metrics[0]
    for rule in case.rules:
        by_value = {found[rule][f"{kind}_{k}"]: settings for settings, found in tried}
        best = max(by_value, default=None)
        settings = {} if best is None else by_value[best]
        start = time.perf_counter()
        scorer = baseline.fit(case.train, **settings)
        seconds = time.perf_counter() - start
        found = evaluated(scorer, case.train, case.test, case.metrics, (rule,))[rule]
        row[rule] = {"settings": dict(settings), "validation": best, **found, "fit_seconds": round(seconds, 2)}
    return row


def validated(baseline: Baseline, case: Case, settings: Any) -> Values:
    """The deciding metric on the validation events."""
    scorer = baseline.fit(case.search_train, **settings)
    values = evaluated(scorer, case.search_train, case.validation, case.metrics[:1], case.rules)
    print(f"  {dict(settings)}: {values}", file=sys.stderr, flush=True)
    return values


def evaluated(
    scorer: Scorer,
    train: sl.Dataset,
    test: sl.Dataset,
    metrics: Sequence[tuple[str, int]],
    rules: Sequence[str],
) -> Values:
    """Every metric under every rule; a user's true items stand in one list, and none of them counts as seen."""
    pairs = np.unique(test.user_rows * test.num_items + test.item_rows)
    users, items = pairs // test.num_items, pairs % test.num_items
    seen = Seen.of(train).without(users, items, test.num_items)
    scoring = UserScores(scorer, users, test.num_items)
    found = {
        rule: rank(scoring, items, query_of=users, user_rows=users, seen=seen if rule == "excluded" else None)
        for rule in rules
    }
    return {
        rule: {
            f"{kind}_{k}{'' if ties == 'expected' else '_' + ties}": METRICS[kind](ranks, users, k, ties)
            for kind, k in metrics
            for ties in TIES
        }
        for rule, ranks in found.items()
    }


def accuracy(ranks: Ranks, _: npt.NDArray[np.int64], k: int, ties: TieRule) -> float:
    """The share of targets in the first k places."""
    return float(top_k_hits(k).of(ranks, ties).mean())


def recall(ranks: Ranks, users: npt.NDArray[np.int64], k: int, ties: TieRule) -> float:
    """The mean over users of the share of their targets in the first k places."""
    _, user, counts = np.unique(users, return_inverse=True, return_counts=True)
    return float((np.bincount(user, top_k_hits(k).of(ranks, ties)) / counts).mean())


def ndcg(ranks: Ranks, users: npt.NDArray[np.int64], k: int, ties: TieRule) -> float:
    """The mean over users of their discounted gains over the best that they could be."""
    _, user, counts = np.unique(users, return_inverse=True, return_counts=True)
    gains = np.bincount(user, top_k_discounted(k).of(ranks, ties))
    return float((gains / ideal_discounted(counts, k)).mean())


METRICS = {"top_accuracy": accuracy, "recall": recall, "ndcg": ndcg}


# --- Data sets ---------------------------------------------------------------------------------------------------


def movielens_random(_: Path | None) -> Case:
    """MovieLens 100K, a random fifth as the test; a random tenth of the training events validates."""
    split = sl.split_random(sl.datasets.movielens_100k(), test=0.2, seed=42)
    inner = sl.split_random(split.train, test=0.1, seed=42)
    note = "movielens-100k, split_random(test=0.2, seed=42), validation split_random(test=0.1, seed=42) of training"
    return Case(split.train, split.test, inner.train, inner.test, (("top_accuracy", 100),), note=note)


def movielens_time(_: Path | None) -> Case:
    """MovieLens 100K, the last fifth in time as the test; the last tenth of the training events validates."""
    split = sl.split_by_time(sl.datasets.movielens_100k(), test=0.2)
    inner = sl.split_by_time(split.train, test=0.1)
    note = "movielens-100k, split_by_time(test=0.2), validation split_by_time(test=0.1) of training"
    return Case(split.train, split.test, inner.train, inner.test, (("top_accuracy", 100),), note=note)


def gowalla(folder: Path | None) -> Case:
    """Gowalla in LightGCN's split; a random tenth of the training events validates."""
    parts = [read_lists(path_in(folder, f"gowalla/{name}.txt")) for name in ("train", "test")]
    events = pl.concat(parts)
    num_items = 1 + int(events["item"].to_numpy().max())
    data = sl.Dataset(events, items={"item": np.arange(num_items)}, query_id="user", item_id="item")
    train = data.take(np.arange(parts[0].height))
    test = data.take(np.arange(parts[0].height, data.num_events))
    inner = sl.split_random(train, test=0.1, seed=42)
    metrics = (("recall", 20), ("ndcg", 20))
    note = "gowalla, LightGCN's split, validation split_random(test=0.1, seed=42) of training"
    return Case(train, test, inner.train, inner.test, metrics, ("excluded",), note)


def ml_1m(folder: Path | None) -> Case:
    """MovieLens 1M as SASRec reads it: each user's last event is the test, the one before it validates."""
    lines = np.loadtxt(path_in(folder, "ml-1m/ml-1m.txt"), dtype=np.int64)
    events = {"user": lines[:, 0], "item": lines[:, 1], "line": np.arange(len(lines))}
    names = path_in(folder, "ml-1m/movies.dat").read_text("latin-1").splitlines()
    films = {int(number): (title, genres) for number, title, genres in (line.split("::") for line in names)}
    original = np.loadtxt(path_in(folder, "ml-1m/sas_to_original_items.txt"), dtype=np.int64)
    title, genres = zip(*(films[number] for number in original[:, 1].tolist()), strict=True)
    items = {"item": original[:, 0], "title": title, "genres": genres}
    data = sl.Dataset(events, items=items, query_id="user", item_id="item", time="line")
    split = sl.split_leave_last_out(data)
    inner = sl.split_leave_last_out(split.train)
    metrics = (("recall", 10), ("ndcg", 10))  # with one target a user, recall is the hit rate
    note = "ml-1m, split_leave_last_out, validation split_leave_last_out of training"
    senseless = {"recent_popularity": "the file orders the events within each user alone"}
    return Case(split.train, split.test, inner.train, inner.test, metrics, note=note, senseless=senseless)


CASES: dict[str, Callable[[Path | None], Case]] = {
    "movielens_random": movielens_random,
    "movielens_time": movielens_time,
    "gowalla": gowalla,
    "ml_1m": ml_1m,
}


def path_in(folder: Path | None, name: str) -> Path:
    """The file of that name; stops the benchmark where it is missing."""
    if folder is None:
        sys.exit(f"baselines: this case reads {name}; name the folder that holds it with --data FOLDER.")
    path = folder / name
    if not path.is_file():
        sys.exit(f"baselines: {path} is missing. The README of the data says where it comes from.")
    return path


def read_lists(path: Path) -> pl.DataFrame:
    """Lines `user item item …` as a table of events."""
    lists = [np.array(line.split(), np.int64) for line in path.read_text().splitlines()]
    users = np.repeat([line[0] for line in lists if len(line)], [len(line) - 1 for line in lists if len(line)])
    return pl.DataFrame({"user": users, "item": np.concatenate([line[1:] for line in lists])})


if __name__ == "__main__":
    main()

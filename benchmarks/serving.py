"""What does a recommendation take, in process and over HTTP, beside a bare FastAPI echo?

The bundle is MovieLens 100K's by its own preset, or another one of that data. Queries are its users in turn: by id, by
id and time, by features alone, and by id with a history and a condition. The vector of a query by id alone is kept, and
each user asks several times; the others go through the tower each time. In process each is timed alone. Over HTTP a
process of `shortlist serve` and one of a bare echo (`echo_server.py`) are saturated in turn, round after round, by as
many connections; then the server is asked at half of what it can take, each request at its time on a clock. The load
comes from this process, on the same machine. The bars: in process p50 below 1 ms; at half of capacity p50 below 3 ms
and p99 below 15 ms; at least 60 % of the echo's requests a second; ready in 1.5 s, below 250 MB, without torch.

    shortlist train movielens-100k --seed 1 --out films
    scripts/bench serving films         # two minutes on two cores
    scripts/bench serving films --quick # seconds, to see that it runs
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import shortlist as sl
from http_load import Load, Served, at_rate, post, saturate
from measure import about

CONNECTIONS = 16
# The queries that are put over HTTP, by id first: whose capacity is compared with the echo's.
OUTSIDE = ("by id", "by id and time")
Asked = dict[str, Any]


def main() -> None:
    """Measure, tell of it on stderr and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--quick", action="store_true", help="two rounds of half a second")
    options = parser.parse_args()
    rounds, seconds = (2, 0.5) if options.quick else (options.rounds, options.seconds)
    recommender = sl.Recommender.load(options.bundle)
    kinds = queries_of(recommender)
    inside = {kind: in_process(recommender, asked, 200 if options.quick else 2_000) for kind, asked in kinds.items()}
    outside = over_http(options.bundle, {kind: kinds[kind] for kind in OUTSIDE}, rounds, seconds)
    row = {**about("serving"), "quick": options.quick, "in_process_ms": inside, **outside}
    for kind, times in inside.items():
        print(f"in process, {kind}: p50 {times['p50']:.3f} ms, p99 {times['p99']:.3f}", file=sys.stderr)
    print(json.dumps(outside, indent=1), file=sys.stderr)
    print(json.dumps(row))


def queries_of(recommender: sl.Recommender) -> dict[str, list[Asked]]:
    """The same users asking in four ways, as bodies of `POST /recommend`."""
    generator = np.random.default_rng(0)
    users = [str(user) for user in recommender.bundle.users[recommender.query_id]]
    generator.shuffle(users)
    ids = [str(identifier) for identifier in recommender.catalogue.ids]
    features = [{**recommender.user(user).columns} for user in users]
    recent = [int(time) for time in generator.integers(880_000_000, 893_000_000, len(users))]
    condition = {"column": "year", "at_least": 1990}
    return {
        "by id": [{"query": {"user_id": user}} for user in users],
        "by id and time": [{"query": {"user_id": u, "timestamp": at}} for u, at in zip(users, recent, strict=True)],
        "by features": [{"query": of} for of in features],
        "history and condition": [
            {
                "query": {"user_id": user},
                "history": [str(item) for item in generator.choice(ids, 3, replace=False)],
                "where": condition,
            }
            for user in users
        ],
    }


def in_process(recommender: sl.Recommender, asked: list[Asked], count: int) -> dict[str, float]:
    """Percentiles of the milliseconds of a recommend."""
    times = []
    for number, body in enumerate(itertools.islice(itertools.cycle(asked), count + 20)):
        rest = {name: value for name, value in body.items() if name != "query"}
        began = time.perf_counter()
        recommender.recommend(body["query"], 10, **rest)
        if number >= 20:
            times.append((time.perf_counter() - began) * 1_000)
    p50, p99 = np.percentile(times, (50, 99))
    return {"p50": float(p50), "p99": float(p99)}


def over_http(bundle: Path, kinds: dict[str, list[Asked]], rounds: int, seconds: float) -> dict[str, Any]:
    """What each kind of query comes to beside the echo, and its times at half of what the server can take."""
    requests = {
        kind: [post("/recommend", json.dumps(body).encode()) for body in asked] for kind, asked in kinds.items()
    }
    command = str(Path(sys.executable).with_name("shortlist"))
    server = Served(command, "serve", str(bundle), "--port", "0", "--json")
    with server, Served(sys.executable, str(Path(__file__).with_name("echo_server.py"))) as echo:
        ready = {"ready_s": server.ready_seconds, "resident_mib": server.resident_mib}
        roads = {kind: (server.port, asked) for kind, asked in requests.items()}
        roads["echo"] = (echo.port, next(iter(requests.values())))
        for port, asked in roads.values():
            saturate(port, asked, CONNECTIONS, min(seconds, 1.0))
        per_second: dict[str, list[float]] = {road: [] for road in roads}
        for number in range(rounds):
            first = number % len(roads)
            for road in [*roads][first:] + [*roads][:first]:
                port, asked = roads[road]
                per_second[road].append(_answered(saturate(port, asked, CONNECTIONS, seconds)).per_second)
        told = {}
        for kind, asked in requests.items():
            capacity = statistics.median(per_second[kind])
            shares = [one / other for one, other in zip(per_second[kind], per_second["echo"], strict=True)]
            half = _answered(at_rate(server.port, asked, capacity / 2, 2 * CONNECTIONS, 4 * seconds))
            told[kind] = {
                "requests_per_s": capacity,
                "share_of_echo": statistics.median(shares),
                "shares": shares,
                "at_half_ms": half.milliseconds(),
            }
        return {
            **ready,
            "resident_mib_after": server.resident_mib,
            "torch_is_mapped": server.has_mapped("libtorch"),
            "echo_per_s": statistics.median(per_second["echo"]),
            "over_http": told,
        }


def _answered(load: Load) -> Load:
    if set(load.statuses) != {200} or load.lost:
        raise SystemExit(
            f"Every request should be answered with 200, but {load.statuses} came and {load.lost} were lost."
        )
    return load


if __name__ == "__main__":
    main()

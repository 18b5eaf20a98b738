"""What does a server do when too much is asked of it, and when its bundle changes under load?

Too much: the server is asked at twice the rate that it could answer, for a minute, by enough
connections that none waits for another. The bar: only 200 and 503, what the process holds does not grow, and right
after it the server answers as before. Changes: at half of capacity a bundle is staged, promoted and the other one
staged again, a swap a second. The bar: every request is answered with 200, and each answer is, item for item, what the
bundle that it names gives in process.

    shortlist train movielens-100k --seed 1 --out films
    shortlist retire films --item 50 --out films-2
    scripts/bench serving_under_load films films-2         # three minutes on two cores
    scripts/bench serving_under_load films films-2 --quick # seconds, to see that it runs
"""

import argparse
import collections
import dataclasses
import json
import secrets
import shutil
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

import shortlist as sl
from http_load import Load, Served, at_rate, percentiles, post, saturate
from measure import about
from serving import CONNECTIONS, queries_of

MANY_CONNECTIONS = 512
SECONDS_TO_STAGE = 10


@dataclasses.dataclass(frozen=True)
class Swapped:
    """Two bundles that take turns in a server, by their names and their versions, and the key that changes them."""

    key: str
    recommenders: dict[str, sl.Recommender]

    def wanted(self, asked: list[dict[str, Any]]) -> dict[str | None, list[Any]]:
        """What each query gets in process, by version."""
        return {
            each.version: [json.loads(json.dumps(each.recommend(body["query"]).to_json())) for body in asked]
            for each in self.recommenders.values()
        }


def main() -> None:
    """Measure, tell of it on stderr and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundles", type=Path, nargs=2)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="four seconds of each")
    options = parser.parse_args()
    seconds = 4.0 if options.quick else options.seconds
    with tempfile.TemporaryDirectory() as folder:
        names = ["one", "two"]
        for name, bundle in zip(names, options.bundles, strict=True):
            inner = bundle / "bundle" if (bundle / "bundle").is_dir() else bundle
            shutil.copytree(inner, Path(folder) / name)
        key = secrets.token_hex(16)
        keys = Path(folder) / "keys.txt"
        keys.write_text(key)
        command = [str(Path(sys.executable).with_name("shortlist")), "serve", str(Path(folder) / names[0])]
        with Served(*command, "--port", "0", "--api-keys", str(keys), "--json") as server:
            both = Swapped(key, {name: sl.Recommender.load(Path(folder) / name) for name in names})
            asked = queries_of(both.recommenders[names[0]])["by id and time"]
            requests = [post("/recommend", json.dumps(body).encode()) for body in asked]
            crowded = overload(server, requests, seconds)
            changed = swaps(server, both, asked, crowded["capacity_per_s"] / 2, seconds)
    for result in (crowded, changed):
        print(json.dumps(result, indent=1), file=sys.stderr)
    print(json.dumps({**about("serving_under_load"), "quick": options.quick, "overload": crowded, "swaps": changed}))


def overload(server: Served, requests: list[bytes], seconds: float) -> dict[str, Any]:
    """Twice the saturating rate for so long: what came back, memory before and after, and what comes right after it."""
    before = saturate(server.port, requests, CONNECTIONS, min(seconds, 10.0))
    calm = at_rate(server.port, requests, before.per_second / 2, CONNECTIONS, min(seconds, 10.0))
    resident = [server.resident_mib]
    watched = threading.Event()

    def watch() -> None:
        while not watched.wait(0.5):
            resident.append(server.resident_mib)

    watcher = threading.Thread(target=watch)
    watcher.start()
    crowd = at_rate(server.port, requests, 2 * before.per_second, MANY_CONNECTIONS, seconds)
    watched.set()
    watcher.join()
    after = at_rate(server.port, requests, before.per_second / 2, CONNECTIONS, min(seconds, 10.0))
    return {
        "capacity_per_s": before.per_second,
        "asked_per_s": sum(crowd.statuses.values()) / crowd.took,
        "statuses": told(crowd),
        "answered_per_s": crowd.statuses[200] / crowd.took,
        "answered_ms": percentiles(crowd.answered),
        "resident_mib": {"before": resident[0], "highest": max(resident), "after": resident[-1]},
        "half_load_before": {"statuses": told(calm), **calm.milliseconds()},
        "half_load_after": {"statuses": told(after), **after.milliseconds()},
    }


def swaps(server: Served, both: Swapped, asked: list[dict[str, Any]], rate: float, seconds: float) -> dict[str, Any]:
    """A swap a second under load; every answer is held against the bundle that it names."""
    requests = [post("/recommend", json.dumps(body).encode()) for body in asked]
    wanted, names = both.wanted(asked), list(both.recommenders)
    named: collections.Counter[str] = collections.Counter()
    wrong = 0

    def hear(place: int, body: bytes) -> None:
        nonlocal wrong
        answer = json.loads(body)
        named[answer["source"]["model"]] += 1
        wrong += answer != wanted[answer["source"]["model"]][place]

    ended, swapped = threading.Event(), [0]

    def keep_swapping() -> None:
        while not ended.wait(1.0):
            name = names[(swapped[0] + 1) % 2]
            change(server.port, both.key, "stage", {"name": name})
            change(server.port, both.key, "promote", {})
            swapped[0] += 1

    swapper = threading.Thread(target=keep_swapping)
    swapper.start()
    load = at_rate(server.port, requests, rate, 2 * CONNECTIONS, seconds, hear)
    ended.set()
    swapper.join()
    return {
        "swaps": swapped[0],
        "asked_per_s": rate,
        "statuses": told(load),
        "answers_by_version": dict(named),
        "wrong_answers": wrong,
        "milliseconds": load.milliseconds(),
    }


def change(port: int, key: str, what: str, body: dict[str, str]) -> None:
    """Change the server's bundles."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/bundles/{what}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=SECONDS_TO_STAGE) as answer:  # noqa: S310 -- localhost
        answer.read()


def told(load: Load) -> dict[str, int]:
    """How often each status came, and how many requests were lost."""
    return {**{str(status): count for status, count in sorted(load.statuses.items())}, "lost": load.lost}


if __name__ == "__main__":
    main()

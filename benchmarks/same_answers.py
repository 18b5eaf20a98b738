"""Do HTTP, the Recommender and the command line give the same answers?

Random requests of every kind over a MovieLens bundle: by id, by features, by history, strangers; exclusions,
allow-lists, conditions, any k, reasons; and neighbours of items. Each is put to a process of `shortlist serve`, to the
Recommender in this process, and to the command line with `--json`: in this process, for a start of its own takes a
second, and the first few in processes of their own. The bar: every answer the same, to the last digit.

    shortlist train movielens-100k --seed 1 --out films
    scripts/bench same_answers films         # three minutes on two cores
    scripts/bench same_answers films --quick # seconds, to see that it runs
"""

import argparse
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

import shortlist as sl
from http_load import Served
from measure import about
from shortlist.cli.main import app

SHORTLIST = str(Path(sys.executable).with_name("shortlist"))
OWN_PROCESSES = 20
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"column": "year", "at_least": 1990},
    {"all": [{"column": "genres", "has": "Drama"}, {"not": {"column": "year", "below": 1980}}]},
    {"any": [{"column": "genres", "has": "Sci-Fi"}, {"column": "year", "missing": True}]},
    {"column": "title", "one_of": ["Star Wars (1977)", "Fargo (1996)", "no such film"]},
)


def main() -> None:
    """Ask, tell of what differs on stderr, and print one JSON row; ends with 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fifty requests")
    options = parser.parse_args()
    recommender = sl.Recommender.load(options.bundle)
    generator = np.random.default_rng(options.seed)
    count = 50 if options.quick else options.requests
    asked = [random_request(generator, recommender) for _ in range(count)]
    different = 0
    kinds: dict[str, int] = {}
    with Served(SHORTLIST, "serve", str(options.bundle), "--port", "0", "--json") as server:
        for place, request in enumerate(asked):
            wanted = in_process(recommender, request)
            kinds[wanted["query"]] = kinds.get(wanted["query"], 0) + 1
            found = {"HTTP": over_http(server.port, request)}
            found["command line"] = on_the_command_line(options.bundle, request, alone=place < OWN_PROCESSES)
            for way, answer in found.items():
                if answer != wanted:
                    different += 1
                    print(f"{way} differs for {request}:\n {answer}\n {wanted}", file=sys.stderr)
    row = {"requests": count, "different": different, "answers_by_query": kinds}
    print(json.dumps({**about("same_answers"), "quick": options.quick, "seed": options.seed, **row}))
    sys.exit(bool(different))


def random_request(generator: np.random.Generator, recommender: sl.Recommender) -> dict[str, Any]:
    """A body of `POST /recommend`, or of `POST /similar`, which has an `item_id`."""
    ids = [str(identifier) for identifier in recommender.catalogue.ids]

    def some(most: int) -> list[str]:
        return [str(item) for item in generator.choice(ids, generator.integers(1, most + 1))]

    request: dict[str, Any] = {"k": int(generator.choice([1, 3, 10, 50, 1_000]))}
    if generator.random() < 0.3:
        request["exclude"] = some(20)
    if generator.random() < 0.2:
        request["allow"] = some(300)
    if generator.random() < 0.3:
        request["where"] = CONDITIONS[generator.integers(len(CONDITIONS))]
    if generator.random() < 0.2:
        return {"item_id": str(generator.choice(ids)), **request}
    query: dict[str, Any] = {}
    if generator.random() < 0.7:
        query["user_id"] = str(generator.integers(1, 1_000))
    if generator.random() < 0.4:
        query["timestamp"] = int(generator.integers(870_000_000, 900_000_000))
    if generator.random() < 0.3:
        query["age"] = int(generator.integers(7, 80))
    if generator.random() < 0.3:
        query["occupation"] = str(generator.choice(["artist", "student", "no such job"]))
    request["history"] = some(5) if not query or generator.random() < 0.3 else []
    return {
        "query": query,
        "exclude_seen": bool(generator.random() < 0.8),
        "explain": bool(generator.random() < 0.3),
        **request,
    }


def in_process(recommender: sl.Recommender, request: dict[str, Any]) -> dict[str, Any]:
    """What the Recommender answers, as JSON has it."""
    rest = {name: value for name, value in request.items() if name not in ("query", "item_id")}
    if "item_id" in request:
        answer = recommender.similar(request["item_id"], **rest)
    else:
        answer = recommender.recommend(request["query"], **rest)
    plain: dict[str, Any] = json.loads(json.dumps(answer.to_json()))
    return plain


def over_http(port: int, request: dict[str, Any]) -> dict[str, Any]:
    """What the server answers."""
    path = "similar" if "item_id" in request else "recommend"
    headers = {"Content-Type": "application/json"}
    post = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", json.dumps(request).encode(), headers)
    with urllib.request.urlopen(post) as answer:  # noqa: S310 -- localhost
        plain: dict[str, Any] = json.load(answer)
    return plain


def on_the_command_line(bundle: Path, request: dict[str, Any], *, alone: bool) -> dict[str, Any]:
    """What the command prints, in a process of its own where `alone`."""
    arguments = [str(bundle), "-k", str(request["k"]), "--json"]
    for option in ("exclude", "allow", "history"):
        arguments += [word for item in request.get(option, []) for word in (f"--{option}", item)]
    if "where" in request:
        arguments += ["--where", json.dumps(request["where"])]
    if "item_id" in request:
        arguments = ["similar", *arguments, "--item", request["item_id"]]
    else:
        arguments = ["recommend", *arguments]
        arguments += [word for name, value in request["query"].items() for word in ("--query", f"{name}={value}")]
        arguments += [] if request["exclude_seen"] else ["--include-seen"]
        arguments += ["--explain"] if request["explain"] else []
    if alone:
        text = subprocess.run([SHORTLIST, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    else:
        text = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    plain: dict[str, Any] = json.loads(text)
    plain.pop("item", None)  # the command says which item it took the text for
    return plain


if __name__ == "__main__":
    main()

"""Does any request that the OpenAPI document allows, or any that it does not, break the server?

A process of `shortlist serve`, with a key that is told, is fuzzed by schemathesis from its own `/openapi.json`:
examples, borders of every field, random bodies and sequences of calls, for ten minutes. A request that is not answered
in five seconds counts as a hang. The bar: no 5xx, no hang, no answer unlike its description, and the server answers as
before. The statuses are counted by the server's own `/metrics`.

    shortlist train movielens-100k --seed 1 --out films
    scripts/bench serving_fuzz films         # ten minutes
    scripts/bench serving_fuzz films --quick # half a minute
"""

import argparse
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from http_load import Served
from measure import about

# 422 answers what the schema allows and the catalogue does not hold, such as ids that no item has; 413 refuses a body
# that is too long, whatever is in it.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 413, 422]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
"""
HANG_SECONDS = 5


def main() -> None:
    """Fuzz, tell of failures on stderr, and print one JSON row; ends with 1 where there was any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="half a minute")
    options = parser.parse_args()
    seconds = 30 if options.quick else options.seconds
    bin_folder = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        inner = options.bundle / "bundle" if (options.bundle / "bundle").is_dir() else options.bundle
        shutil.copytree(inner, Path(folder) / "films")
        key = secrets.token_hex(16)
        (Path(folder) / "keys.txt").write_text(key)
        (Path(folder) / "schemathesis.toml").write_text(CONFIG)
        served = [str(bin_folder / "shortlist"), "serve", str(Path(folder) / "films"), "--port", "0", "--json"]
        with Served(*served, "--api-keys", str(Path(folder) / "keys.txt")) as server:
            before = server.resident_mib
            failed = subprocess.run(
                [
                    str(bin_folder / "schemathesis"),
                    *("--config-file", str(Path(folder) / "schemathesis.toml")),
                    *("run", f"http://127.0.0.1:{server.port}/openapi.json"),
                    *("--max-time", str(seconds), "--seed", str(options.seed), "--continue-on-failure"),
                    *("--request-timeout", str(HANG_SECONDS), "--header", f"Authorization: Bearer {key}"),
                    *("--checks", "all", "--exclude-checks", "ignored_auth"),
                ],
                stdout=sys.stderr,
                cwd=folder,  # it leaves a folder of its own behind
            ).returncode
            statuses = statuses_of(server.port)
            row = {"seconds": seconds, "seed": options.seed, "failed": failed, "statuses": statuses}
            row |= {
                "resident_mib": {"before": before, "after": server.resident_mib},
                "answers_after": answers(server.port),
            }
    print(json.dumps({**about("serving_fuzz"), "quick": options.quick, **row}))
    sys.exit(bool(failed or any(status.startswith("5") for status in statuses)))


def statuses_of(port: int) -> dict[str, int]:
    """How many requests the server answered, by status, as it counts them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    counted: dict[str, int] = {}
    for labels, count in re.findall(r"^shortlist_requests_total\{(.*)\} (\S+)$", text, flags=re.MULTILINE):
        status = re.findall(r'status="(\d+)"', labels)[0]
        counted[status] = counted.get(status, 0) + int(float(count))
    return dict(sorted(counted.items()))


def answers(port: int) -> bool:
    """Whether the server still recommends."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/recommend/42", timeout=HANG_SECONDS) as answer:
        found: dict[str, Any] = json.load(answer)
    return len(found["items"]) == 10


if __name__ == "__main__":
    main()

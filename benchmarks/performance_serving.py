"""The sections of docs/performance.md on what is served: requests, load, and a million items. Not a benchmark."""

from collections.abc import Mapping
from typing import Any

from performance_page import Bar, Page, Results, seconds_text

__all__ = ["million_items", "serving", "under_load"]

ROADS = {
    "float32": "exact",
    "float16": "exact, kept in float16",
    "int8": "exact, kept in int8",
    "ivf": "lists, tuned to a recall of 0.95",
    "faiss_flat": "FAISS, IndexFlatIP",
    "product": "the bare product",
}


def serving(results: Results, page: Page) -> None:
    """What a recommendation takes, in process and over HTTP."""
    row = results.get("serving")
    page.head("What does a recommendation take?", "serving films", row)
    if row is None:
        return
    inside, outside = row["in_process_ms"], row["over_http"]
    page.say(
        "MovieLens 100K by its own preset: 1,682 items of width 65, two towers of [256, 64], histories of 106 items on",
        "average. In process, one query after another:",
    )
    rows = [[kind, f"{times['p50']:.3f} ms", f"{times['p99']:.3f} ms"] for kind, times in inside.items()]
    page.table(["query", "p50", "p99"], rows)
    page.say(
        "A query by id alone is the same each time, so that its vector is kept, and each user here asks several",
        "times. The",
        "others are read and go through the tower anew. Over HTTP, one process, 16 connections that are kept,",
        "beside a bare",
        f"FastAPI echo of the body that answers {row['echo_per_s']:,.0f} requests a second; times are at half",
        "of what can be",
        "answered, from each request's time on a clock:",
    )
    rows = [
        [
            kind,
            f"{of['requests_per_s']:,.0f}",
            f"{of['share_of_echo']:.0%} ({min(of['shares']):.0%} to {max(of['shares']):.0%})",
            f"{of['at_half_ms']['p50']:.2f} ms",
            f"{of['at_half_ms']['p99']:.2f} ms",
        ]
        for kind, of in outside.items()
    ]
    page.table(["query", "requests a second", "of the echo's, over rounds", "p50", "p99"], rows)
    page.say(
        f"The process is ready after {row['ready_s']:.2f} s and holds {row['resident_mib_after']:.0f} MiB;",
        "torch is not",
        "loaded.",
    )
    page.bars.append(
        Bar("recommend in process, by id and time, p50", 1, inside["by id and time"]["p50"], at_most=True, unit="ms")
    )
    for kind, of in outside.items():
        half = of["at_half_ms"]
        page.bars += [
            Bar(f"over HTTP at half of capacity, {kind}, p50", 3, half["p50"], at_most=True, unit="ms"),
            Bar(f"over HTTP at half of capacity, {kind}, p99", 15, half["p99"], at_most=True, unit="ms"),
            Bar(f"requests a second over a bare FastAPI echo's, {kind}", 0.6, of["share_of_echo"]),
        ]
    page.bars += [
        Bar("server ready", 1.5, row["ready_s"], at_most=True, unit="s"),
        Bar("server's memory", 250, row["resident_mib_after"] * 2**20 / 1e6, at_most=True, unit="MB"),
    ]


def under_load(results: Results, page: Page) -> None:
    """What a server does when too much is asked, and when its bundle changes."""
    row = results.get("serving_under_load")
    page.head("And when too much is asked, or the bundle changes?", "serving_under_load films films-2", row)
    if row is None:
        return
    crowd, swaps = row["overload"], row["swaps"]
    before, after = crowd["half_load_before"], crowd["half_load_after"]
    statuses, memory = crowd["statuses"], crowd["resident_mib"]
    page.say(
        f"Asked {crowd['asked_per_s']:,.0f} times a second where {crowd['capacity_per_s']:,.0f} can be answered",
        "(by id and",
        f"time), for a minute over 512 connections, the server gave {told(statuses)}. Those inside were",
        "answered within",
        f"{crowd['answered_ms']['p99']:.0f} ms (p99); a refusal costs a third of an answer, so that",
        f"{crowd['answered_per_s']:,.0f} a second were. Memory went from {memory['before']:.0f} to",
        f"{memory['highest']:.0f} MiB and",
        f"stayed. At half of capacity p50 was {before['p50']:.1f} ms before and {after['p50']:.1f} ms right after.",
        "",
    )
    page.say(
        f"A swap a second under half of capacity, {swaps['swaps']} in all: {told(swaps['statuses'])},",
        f"{swaps['wrong_answers']}",
        "answers unlike what the bundle that they name gives in process.",
    )


def told(statuses: Mapping[str, int]) -> str:
    """How often each status came."""
    parts = [f"{count:,} times {status}" for status, count in statuses.items() if status != "lost"]
    return f"{' and '.join(parts)}, with {statuses['lost']} lost"


def million_items(results: Results, page: Page) -> None:
    """Searches among a million items."""
    row = results.get("million_items")
    page.head("What does a search among a million items take?", "million_items", row)
    if row is None:
        return
    world, ratios = row["world"], row["ratios"]["batch_median"]
    page.say(
        f"{world['items']:,} items of width {world['width']} in {world['clusters']:,} clusters, the best",
        f"{row['k']} of each",
        f"query, on {row['cores']} threads: in batches of {row['batch_size']}, and one by one. The limit of a batch is",
        f"{seconds_text(row['work']['limit_s'])}.",
    )
    batch, single = row["seconds"]["batch"], row["seconds"]["single"]
    rows = [
        [called, *(seconds_text(of[name][which]) for of in (batch, single) for which in ("median_s", "min_s"))]
        for name, called in ROADS.items()
    ]
    page.table(["search", "batch", "its fastest", "single", "its fastest"], rows)
    page.say(*_lists_told(row["ivf"]), *_memory_told(row["memory"]))
    page.bars += [
        Bar(
            "exact search of a million items over FAISS's flat index", 1.5, ratios["exact_to_faiss_flat"], at_most=True
        ),
        Bar("exact search over tuned lists at recall@100 of 0.95", 20, ratios["exact_to_ivf"]),
    ]


def _lists_told(found: Mapping[str, Any]) -> list[str]:
    settings = found["settings"]
    return [
        f"The lists ({settings['num_lists']:,} of them, {settings['num_probes']} probed, vectors in a byte a",
        "number) were",
        f"chosen on one half of the queries and find {found['recall']:.3f} of the exact list on the other half;",
        "1 % of the",
        f"queries find less than {found['recall_p1']:.2f}. They were made in",
        f"{seconds_text(found['build_seconds'])}, and take",
        f"{found['bytes'] / 2**20:.0f} MiB beside the vectors. Where exact searches come between, which drive",
        "the lists from",
        f"the cache, a single query takes {found['approximate']['p50_ms']:.2f} ms against",
        f"{found['exact']['p50_ms']:.1f}.",
    ]


def _memory_told(memory: Mapping[str, Any]) -> list[str]:
    kept = [f"{of['kept_mib']:.0f} MiB in {precision}" for precision, of in memory.items()]
    return [f"Vectors take {', '.join(kept)}; rounded ones save memory and no time."]

"""Runs to report, as the files hold them, and a reader of the page."""

import dataclasses
import html.parser
from typing import Any

from shortlist.report import Checks, ReportedRun, report_page, trained_run

RULES = "full/seen_excluded/ties_expected"
ACCURACY, SHORT, NDCG = f"top_10_accuracy/{RULES}", f"top_1_accuracy/{RULES}", f"ndcg_10/{RULES}"
BASELINES = {
    "popularity": {ACCURACY: 0.3125, SHORT: 0.0625, NDCG: 0.125},
    "ease": {ACCURACY: 0.4375, SHORT: 0.09375, NDCG: 0.1875},
}
COUNTS = {"targets": 2_048, "users": 128, "items": 96, "absent_targets": 3, "repeated_targets": 0, "seen_targets": 0}
VERDICT = (
    "the model beats ease: top 10 accuracy 0.500 against 0.438, a difference of +0.062 (95 % interval over users "
    "+0.031 to +0.094)."
)
EXPERIMENT = {
    "data": {"source": "clicks.parquet"},
    "model": {"two_tower": {"layers": [64, 32]}},
    "training": {
        "schedule": {"epochs": 4, "seed": 7, "watch": "test"},
        "loss": {"in_batch_softmax": {"remove_accidental_hits": True, "remove_known_positives": False}},
    },
    "features": {"query": [{"lookup": "user_id", "width": 8}]},
}


def a_slice(name: str, value: float, baseline: str, other: float, **changes: Any) -> dict[str, Any]:
    difference = value - other
    found = {
        "group": "users", "name": name, "targets": 1_024, "users": 64, "value": value, "low": value - 0.03125,
        "high": value + 0.03125, "baseline": baseline, "baseline_value": other, "difference": difference,
        "difference_low": difference - 0.015625, "difference_high": difference + 0.015625,
    }  # fmt: skip
    return found | changes


def evaluation(**changes: Any) -> dict[str, Any]:
    return {
        "metrics": {ACCURACY: 0.5, SHORT: 0.15625, NDCG: 0.25},
        "intervals": {ACCURACY: [0.46875, 0.53125], SHORT: [0.125, 0.1875], NDCG: None},
        "decisive": ACCURACY,
        "baselines": BASELINES,
        "not_computed": {"ials": "too many items"},
        "counts": COUNTS,
        "slices": [
            a_slice("light users", 0.625, "popularity", 0.375),
            a_slice("heavy users", 0.25, "ease", 0.5625),
            a_slice("new users", 0.75, "ease", 0.6875, low=None, high=None, difference_low=None, difference_high=None),
        ],
        "verdict": VERDICT,
        "verdicts": {"popularity": {"says": "the model beats popularity: by far."}, "ease": {"says": VERDICT}},
    } | changes


def history() -> list[dict[str, Any]]:
    values = {1: 0.21875, 2: 0.34375, 4: 0.40625}
    return [
        {"number": number, "loss": 1.0, "seconds": 2.0, "validation_seconds": 0.5,
         "metrics": {ACCURACY: values[number]} if number in values else {},
         "accidental_hits": 0.0015, "known_positives": 0.125}
        for number in (1, 2, 3, 4)
    ]  # fmt: skip


def trained(name: str = "films", **changes: Any) -> ReportedRun:
    return trained_run(
        name, EXPERIMENT, evaluation(**changes), history(), parameters=12_345, notes=["A note."]
    )  # fmt: skip


def comparison(**changes: Any) -> dict[str, Any]:
    rows = [
        {"layers": layers, "seed": seed, "metrics": {ACCURACY: value, SHORT: value / 4}, "parameters": parameters,
         "seconds": seconds, "peak_memory_mib": memory, "curve": {"5": value - 0.0625, "10": value}}
        for layers, parameters, runs in (
            ([32], 1_111, [(1, 0.25, 10.0, 500.0), (2, 0.28125, 12.0, 512.0), (3, 0.3125, 14.0, None)]),
            ([64, 32], 2_222, [(1, 0.375, 20.0, 600.0), (2, 0.40625, 22.0, 640.0), (3, 0.4375, 24.0, 620.0)]),
        )
        for seed, value, seconds, memory in runs
    ]  # fmt: skip
    says = "cannot be told from"
    return {
        "experiment": EXPERIMENT,
        "rows": rows,
        "failed": [],
        "decisive": ACCURACY,
        "counts": COUNTS,
        "baselines": BASELINES,
        "not_computed": {"ials": "too many items"},
        "curve_baselines": {"popularity": 0.296875},
        "slices": {
            "[32]": [a_slice("light users", 0.28125, "popularity", 0.375)],
            "[64, 32]": [a_slice("light users", 0.40625, "popularity", 0.375)],
        },
        "verdicts": [
            "[32] is worse than popularity: first.",
            "[32] is worse than ease: second.",
            "[64, 32] beats popularity: third.",
            f"[64, 32] {says} ease: top 10 accuracy 0.406 against 0.438, a difference of -0.031 (95 % interval over "
            "users -0.063 to +0.001).",
        ],
        "differences": [
            {"first": "[32]", "second": "[64, 32]", "difference": -0.125, "users_low": -0.15625, "users_high": -0.09375,
             "p_seeds": 0.011, "real": True},
        ],
        "notes": ["The features were fitted on all events."],
    } | changes  # fmt: skip


class Reader(html.parser.HTMLParser):
    """Reads a page: its elements, its tables by caption, and the text of each part."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.parts: dict[str, str] = {}
        self.scripts: list[str] = []
        self._open: list[str] = []
        self._part = ""
        self._caption: str | None = None
        self._rows: list[list[str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self._open.append(tag)
        if tag in ("section", "header"):
            self._part = dict(attrs).get("id") or ""
        elif tag == "table":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")
        elif tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes another element"
        if tag == "table":
            assert self._caption
            self.tables.setdefault(self._caption, self._rows)

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.scripts[-1] += data
            return
        if "style" in self._open:
            return
        self.parts[self._part] = self.parts.get(self._part, "") + data
        if "caption" in self._open:
            self._caption = (self._caption or "") + data
        if "th" in self._open or "td" in self._open:
            small = " | " if self._open[-1] == "small" or (self._open[-1] == "span" and self._rows[-1][-1]) else ""
            self._rows[-1][-1] += small + data

    def table(self, start: str) -> dict[str, list[str]]:
        """The rows of the table whose caption starts so, by their first cells."""
        (rows,) = [rows for caption, rows in self.tables.items() if caption.startswith(start)]
        return {row[0]: row[1:] for row in rows}


def read(*runs: ReportedRun) -> Reader:
    return Reader(report_page(runs, {"items": "vectors in the catalogue"}))


def checked(run: ReportedRun, checks: Checks) -> ReportedRun:
    return dataclasses.replace(run, checks=checks)

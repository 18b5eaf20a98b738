"""What docs/performance.md is made of: bars, tables, pictures, and how figures are written. Not a benchmark."""

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "NOT_RUN_LINE",
    "Bar",
    "Page",
    "Results",
    "Row",
    "layers_text",
    "machine",
    "rates_sentence",
    "seconds_text",
    "summary_table",
]

Row = Mapping[str, Any]
# The rows of all benchmarks, by the names of their files.
Results = Mapping[str, Any]
NOT_RUN = "not run yet"
NOT_RUN_LINE = f"*{NOT_RUN.capitalize()}.*"


@dataclasses.dataclass(frozen=True)
class Bar:
    """What a figure must reach: at least, or at most, `bar`; `value` None where it was not measured."""

    what: str
    bar: float
    value: float | None
    at_most: bool = False
    unit: str = "×"

    def cells(self) -> list[str]:
        """A row of the summary."""
        sign = "at most" if self.at_most else "at least"
        want = f"{sign} {self.bar:g} {self.unit}"
        if self.value is None:
            return [self.what, want, NOT_RUN, ""]
        met = self.value <= self.bar if self.at_most else self.value >= self.bar
        return [self.what, want, f"{self.value:.3g} {self.unit}", "yes" if met else "**no**"]


@dataclasses.dataclass
class Page:
    """What the sections add up to: lines of Markdown, bars, and pictures as SVG by name."""

    lines: list[str] = dataclasses.field(default_factory=list)
    bars: list[Bar] = dataclasses.field(default_factory=list)
    pictures: dict[str, str] = dataclasses.field(default_factory=dict)

    def head(self, title: str, command: str, row: Row | None) -> None:
        """A section's title, the command that repeats it, and the machine, or that it has not run."""
        self.lines += [f"## {title}", "", f"`scripts/bench {command}`", ""]
        self.lines += [machine(row) if row is not None else NOT_RUN_LINE, ""]

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.lines += [*table_lines(header, rows), ""]

    def say(self, *sentences: str) -> None:
        self.lines += [*textwrap.wrap(" ".join(sentences), 120, break_on_hyphens=False), ""]

    def picture(self, name: str, svg: str, text: str) -> None:
        """A picture with the text for those who do not see it."""
        self.pictures[name] = svg
        self.lines += [f"![{text}](images/performance-{name}.svg)", ""]


def summary_table(bars: Sequence[Bar]) -> list[str]:
    """All bars and whether they are met."""
    header = ["what", "bar", "measured", "met"]
    return ["## Bars", "", *table_lines(header, [bar.cells() for bar in bars]), ""]


def machine(row: Row) -> str:
    """Where and with what a row was measured, as far as it says so."""
    versions = row.get("versions")
    told = (
        ", ".join(f"{name} {number}" for name, number in versions.items())
        if isinstance(versions, Mapping)
        else versions
    )
    threads = f"{row['threads']} threads" if "threads" in row else None
    commit = f"commit {row['commit'][:7]}" if row.get("commit") else None
    parts = [row.get("machine"), threads, told, commit, *(f"{k}={v}" for k, v in row.get("surroundings", {}).items())]
    known = " · ".join(part for part in parts if part)
    return f"*{known}*" if known else "*The row does not say on what machine it was measured.*"


def rates_sentence(rates: Sequence[Row]) -> str:
    """The machine's rates, as the limits take them."""
    told = [
        f"{rate['gflop_per_s']:.0f} GFLOP/s and {rate['gb_per_s']:.1f} GB/s on {rate['threads']} thread"
        f"{'s' if rate['threads'] > 1 else ''}"
        for rate in rates
    ]
    return f"The machine's rates: {', '.join(told)}."


def layers_text(text: str) -> str:
    """Widths with commas between them as the reader knows them: [64, 32]."""
    return f"[{', '.join(text.split(','))}]"


def seconds_text(value: float) -> str:
    """A time to three digits, in the unit that suits it."""
    for least, factor, unit in ((1.0, 1, "s"), (1e-3, 1e3, "ms"), (0.0, 1e6, "µs")):
        if value >= least:
            scaled = value * factor
            return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:#.3g} {unit}"
    raise ValueError(f"Expected seconds of zero or more, got {value}.")


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown: columns of figures to the right, but for the first, which says what a row is."""
    columns = list(zip(*rows, strict=True))
    right = [place > 0 and any(column) and all(map(_is_figure, column)) for place, column in enumerate(columns)]
    rule = ["---:" if to_the_right else "---" for to_the_right in right]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def _is_figure(cell: str) -> bool:
    return cell in ("", "–") or cell[0].isdigit()

"""What the doctor says: one thing that was found, how grave it is, and what to do about it."""

import dataclasses
from collections.abc import Iterable
from typing import Literal

__all__ = ["Finding", "Severity", "by_severity", "percent"]

Severity = Literal["problem", "warning", "note"]
ORDER: tuple[Severity, ...] = ("problem", "warning", "note")


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something found in data or in a model's vectors.

    A problem makes results wrong, a warning may mislead, a note is good to know. `name` is stable, so that a program
    can wait for it; `says` is what was found, with counts and examples; `remedy` is what to do.
    """

    severity: Severity
    name: str
    says: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        return dataclasses.asdict(self)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """The gravest first; those of one severity in the order in which they came.

    >>> [finding.name for finding in by_severity([Finding("note", "a", "", ""), Finding("problem", "b", "", "")])]
    ['b', 'a']
    """
    return sorted(findings, key=lambda finding: ORDER.index(finding.severity))


def percent(part: float, whole: float) -> str:
    """A share as people read it; a small one is not rounded to nothing.

    >>> percent(85, 100), percent(1, 30_000), percent(29_999, 30_000), percent(0, 7)
    ('85 %', '0.0033 %', '99.9967 %', '0 %')
    """
    share = 100 * part / whole
    if share in (0, 100) or 1 <= share <= 99:
        return f"{share:.0f} %"
    rest = float(f"{min(share, 100 - share):.2g}")
    return f"{rest:g} %" if share < 1 else f"{round(100 - rest, 6):g} %"

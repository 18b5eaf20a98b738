"""What comes back for a query."""

import dataclasses
from typing import Any, Literal

__all__ = ["Item", "QueryKind", "Shortlist"]

# "known": training knew this user. "features_only": it did not, but some feature says something. "history": nothing
# is known but what was touched before, so the answer is what is like it. "fallback": nothing is known at all, so the
# answer is what is popular.
QueryKind = Literal["known", "features_only", "history", "fallback"]


@dataclasses.dataclass(frozen=True)
class Item:
    """One answer. Scores compare within one list: dot products; cosines for "history" and similar
    items; event counts in a fallback."""

    id: str | int
    label: str
    score: float


@dataclasses.dataclass(frozen=True)
class Shortlist:
    """The best items for one query, best first.

    `filled` names the columns that the query did not give and a policy or the users table filled; `unknown`
    those whose value training had never seen; `excluded` counts the items that were not allowed to come back.
    """

    items: tuple[Item, ...]
    query: QueryKind
    filled: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    excluded: int = 0

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        lines = [f"{place:3}. {item.label}  ({item.score:.3f})" for place, item in enumerate(self.items, start=1)]
        lines.append(f"query: {self.query}")
        if self.unknown:
            lines.append(f"training had never seen the value of: {', '.join(self.unknown)}")
        if self.filled and self.query != "known":
            lines.append(f"not given, and filled: {', '.join(self.filled)}")
        return "\n".join(lines)

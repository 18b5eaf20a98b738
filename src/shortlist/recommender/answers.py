"""What comes back for a query."""

import dataclasses
from typing import Any, Literal

__all__ = ["Item", "Near", "QueryKind", "Shortlist", "Source", "Why"]

# "known": training knew this user. "features_only": it did not, but some feature says something. "history": nothing
# is known but what was touched before, so the answer is what is like it. "fallback": nothing is known at all, so the
# answer is what is popular.
QueryKind = Literal["known", "features_only", "history", "fallback"]
# The rules that applied: what the user had touched, what the caller left out, what the caller did not allow,
# a condition on the items' columns, and what is retired.
Filter = Literal["seen", "exclude", "allow", "where", "retired"]
# Features whose effects are printed for people; JSON has them all.
TOLD_FEATURES = 3


@dataclasses.dataclass(frozen=True)
class Near:
    """An item of the history that is like an answer: the cosine of their vectors."""

    id: str | int
    label: str
    similarity: float


@dataclasses.dataclass(frozen=True)
class Why:
    """Why an item stands in a list.

    `near` are the items of the history that are most like it. `features` says for each feature of the query, by its
    name, how much it lifts the item above the average item: what its score loses where the feature says nothing, less
    what all items' scores lose on average.
    """

    near: tuple[Near, ...]
    features: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Item:
    """One answer. Scores compare within one list: dot products; cosines for "history" and similar
    items; event counts in a fallback."""

    id: str | int
    label: str
    score: float
    why: Why | None = None


@dataclasses.dataclass(frozen=True)
class Source:
    """What made an answer.

    The version of the bundle, the kind of the index that searched and the version of what it searched, and whether the
    list is what an exact search of whole vectors gives. Versions are None for a bundle that was never saved.
    """

    model: str | None
    index: str
    index_version: str | None
    exact: bool


@dataclasses.dataclass(frozen=True)
class Shortlist:
    """The best items for one query, best first.

    `filled` names the columns that the query did not give and a policy or the users table filled; `unknown`
    those whose value training had never seen; `excluded` counts the items that were not allowed to come back, and
    `filters` are the rules that applied.
    """

    items: tuple[Item, ...]
    query: QueryKind
    source: Source
    filled: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    excluded: int = 0
    filters: tuple[Filter, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values; an item without reasons has no "why"."""
        return {
            "items": [_item_to_json(item) for item in self.items],
            "query": self.query,
            "source": dict(vars(self.source)),
            "filled": list(self.filled),
            "unknown": list(self.unknown),
            "excluded": self.excluded,
            "filters": list(self.filters),
        }

    def __str__(self) -> str:
        lines = []
        for place, item in enumerate(self.items, start=1):
            lines.append(f"{place:3}. {item.label}  ({item.score:.3f})")
            lines += [] if item.why is None else [f"     {reason}" for reason in _told(item.why)]
        lines.append(f"query: {self.query}")
        if self.unknown:
            lines.append(f"training had never seen the value of: {', '.join(self.unknown)}")
        if self.filled and self.query != "known":
            lines.append(f"not given, and filled: {', '.join(self.filled)}")
        if self.filters:
            lines.append(f"left out: {self.excluded:,} items ({', '.join(self.filters)})")
        return "\n".join(lines)


def _told(why: Why) -> list[str]:
    """The reasons as lines: the items of the history that are near, and the features that count most."""
    near = ", ".join(f"{item.label} ({item.similarity:.2f})" for item in why.near)
    largest = sorted(why.features.items(), key=lambda effect: -abs(effect[1]))[:TOLD_FEATURES]
    features = ", ".join(f"{name} ({effect:+.2f})" for name, effect in largest if effect)
    told = {"like": near, "by": features}
    return [f"{word} {text}" for word, text in told.items() if text]


def _item_to_json(item: Item) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": item.id, "label": item.label, "score": item.score}
    if item.why is not None:
        plain["why"] = {"near": [dict(vars(near)) for near in item.why.near], "features": dict(item.why.features)}
    return plain

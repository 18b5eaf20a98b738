"""What may come back for a query: the one place that decides it, for single queries, tables and evaluations."""

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.bundle import Bundle
from shortlist.data.conditions import read_condition
from shortlist.data.matching import matching_rows
from shortlist.recommender.answers import Filter
from shortlist.recommender.catalogue import NO_ROWS, Catalogue, Id
from shortlist.recommender.kept import kept_or_made

__all__ = ["Allowed", "RuleBook", "Rules"]

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# Conditions whose items are remembered: servers meet the same ones again and again.
CONDITIONS_KEPT = 64


@dataclasses.dataclass(frozen=True)
class Rules:
    """The rules that a caller asks for: without what was seen, without `exclude`, only `allow`, only what meets `where`
    (a condition or the mapping that JSON gives for one; see `shortlist.data.conditions`).
    """

    exclude_seen: bool = True
    exclude: Collection[Id] = ()
    allow: Collection[Id] | None = None
    where: Any = None


@dataclasses.dataclass(frozen=True)
class Allowed:
    """What may come back for B queries, as an index takes it.

    `left_out` are pairs of a place in B and an item row that may not, `allowed` [N] the items that may at all, None
    for every one. `filters` are the rules that applied.
    """

    left_out: tuple[Rows, Rows]
    allowed: Mask | None
    filters: tuple[Filter, ...]

    def num_excluded(self, num_items: int) -> int:
        """How many items of the catalogue may not come back; for one query."""
        rows = self.left_out[1]
        if self.allowed is None:
            return len(set(rows.tolist()))
        allowed = self.allowed.copy()
        allowed[rows] = False
        return num_items - int(np.count_nonzero(allowed))


class RuleBook:
    """Turns what a caller asks for, what users have seen, and what is retired into what may come back."""

    def __init__(self, bundle: Bundle, catalogue: Catalogue) -> None:
        self._seen = bundle.seen
        self._catalogue = catalogue
        self._any_retired = bool(catalogue.retired.any())
        self._met: OrderedDict[str, Mask] = OrderedDict()

    def for_queries(self, user_rows: Rows, asked: Rules, touched: Rows = NO_ROWS) -> Allowed:
        """What may come back for queries [B] of these users (-1: nobody known), who have also touched the item rows
        `touched` [M].

        Raises `UnknownIdError` for ids that the catalogue does not hold, `SettingsError` for a condition that is none
        and `DataError` for one that does not suit the items' columns.
        """
        filters: list[Filter] = []
        places, rows = self.seen(user_rows) if asked.exclude_seen else (NO_ROWS, NO_ROWS)
        if asked.exclude_seen and len(touched):
            places, rows = _beside(places, rows, len(user_rows), touched)
        if len(rows):
            filters.append("seen")
        excluded = self._catalogue.rows("exclude", asked.exclude)
        if len(excluded):
            places, rows = _beside(places, rows, len(user_rows), excluded)
            filters.append("exclude")
        masks: list[Mask] = []
        if asked.allow is not None:
            masks.append(self._only(self._catalogue.rows("allow", asked.allow)))
            filters.append("allow")
        if asked.where is not None:
            masks.append(self._where(asked.where))
            filters.append("where")
        if self._any_retired:
            masks.append(self._in_service)
            filters.append("retired")
        allowed = np.logical_and.reduce(masks) if masks else None
        return Allowed((places, rows), allowed, tuple(filters))

    def seen(self, user_rows: Rows) -> tuple[Rows, Rows]:
        """What each user [B] had touched, as pairs of a place in B and an item row."""
        if self._seen is None:
            return NO_ROWS, NO_ROWS
        if len(user_rows) == 1:  # a quarter of the time of what follows
            rows = self._seen.by_user(user_rows[0]) if user_rows[0] >= 0 else NO_ROWS
            return np.zeros(len(rows), np.int64), rows
        known = np.flatnonzero(user_rows >= 0)
        places, items = self._seen.pairs(user_rows[known])
        return known[places], items

    @functools.cached_property
    def _in_service(self) -> Mask:
        return ~self._catalogue.retired

    def _only(self, rows: Rows) -> Mask:
        mask = np.zeros(len(self._catalogue), np.bool_)
        mask[rows] = True
        return mask

    def _where(self, where: Any) -> Mask:
        condition = read_condition(where)
        key = condition.model_dump_json()
        return kept_or_made(
            self._met, key, CONDITIONS_KEPT, lambda _: matching_rows(condition, self._catalogue.columns)
        )


def _beside(places: Rows, rows: Rows, num_queries: int, more: Rows) -> tuple[Rows, Rows]:
    """The pairs, and each of the item rows `more` for every query."""
    return (
        np.concatenate([places, np.repeat(np.arange(num_queries), len(more))]),
        np.concatenate([rows, np.tile(more, num_queries)]),
    )

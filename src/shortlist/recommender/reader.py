"""One query at a time, read as a table of one row would be, in a small part of its time.

What a user's own row says is encoded once, a block of users at a time; a query then costs the encoding of the columns
that it gives, and of no others. Both roads are `read_columns`. A query that gives an id alone is the same query each
time, down to its vector, and the latest of these are kept.
"""

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.bundle import Bundle, OnnxTower
from shortlist.data import Roles
from shortlist.errors import DataError
from shortlist.features import Encoded, FittedFeature, Numbers, RowLists, Rows
from shortlist.recommender.answers import QueryKind
from shortlist.recommender.catalogue import NO_ROWS
from shortlist.recommender.histories import HistoryEncoder
from shortlist.recommender.kept import kept_or_made
from shortlist.recommender.query import KINDS, ReadColumns, columns_read, kinds_of, read_columns, series_of

__all__ = ["NOBODY", "QueryReader", "ReadQuery"]

# Users whose rows are encoded together: up to so many values, features look each up by itself.
BLOCK_USERS = 1_024
# The row of a user whom the bundle does not know.
NOBODY = -1
# Users whose query by id is kept with its vector: some 5 KB each.
IDS_KEPT = 4_096
# Blocks of users that are kept encoded, with their histories.
BLOCKS_KEPT = 256
# Sets of given columns for which the features to read are kept.
AFFECTED_KEPT = 1_024


@dataclasses.dataclass(frozen=True)
class ReadQuery:
    """One query as the tower takes it, and what is known about it."""

    tower: OnnxTower
    encoded: dict[str, Encoded]
    kind: QueryKind
    filled: tuple[str, ...]
    unknown: tuple[str, ...]

    @functools.cached_property
    def vector(self) -> npt.NDArray[np.float32]:
        """What the tower gives [1, H, D], with H = 1."""
        return self.tower(self.encoded)[:, None]


@dataclasses.dataclass(frozen=True)
class _OwnRows:
    """What the rows of some users say by themselves; `readable` are the features that take all that stands there."""

    columns: ReadColumns
    histories: dict[str, RowLists]
    readable: frozenset[str]


class QueryReader:
    """Reads single queries for the query tower of a bundle."""

    def __init__(self, bundle: Bundle, histories: HistoryEncoder, tower: OnnxTower) -> None:
        self._tower = tower
        self._features = bundle.features.user + bundle.features.event
        self._roles = Roles(**bundle.data["roles"])
        self._users = bundle.users
        self._trained = np.append(bundle.user_events > 0, False)  # that of NOBODY stands last
        self._histories = histories
        self._own: OrderedDict[int, _OwnRows] = OrderedDict()
        self._by_id: OrderedDict[int, ReadQuery] = OrderedDict()
        self._affected: OrderedDict[tuple[frozenset[str], ...], tuple[list[FittedFeature], list[str]]] = OrderedDict()
        self.columns = columns_read(self._features, self._roles.query_id)

    def read(self, query: Mapping[str, Any], user_row: int, touched: npt.NDArray[np.int64]) -> ReadQuery:
        """The query of a user (`NOBODY`: none known) who has also touched the item rows `touched` [M].

        Raises `DataError` for values that the model cannot read.
        """
        query_id = self._roles.query_id
        given = frozenset(c for c, v in query.items() if v is not None and (c != query_id or user_row == NOBODY))
        if not given and not len(touched):
            return kept_or_made(self._by_id, user_row, IDS_KEPT, self._read_id)
        return self._read(query, given, user_row, touched)

    def _read_id(self, user_row: int) -> ReadQuery:
        user_id = None if user_row == NOBODY else self._users[self._roles.query_id][user_row]
        return self._read({self._roles.query_id: user_id}, frozenset(), user_row, NO_ROWS)

    def _read(
        self, query: Mapping[str, Any], given: frozenset[str], user_row: int, touched: npt.NDArray[np.int64]
    ) -> ReadQuery:
        """The query, of which the columns `given` are not the user's own."""
        query_id = self._roles.query_id
        own, place = self.own_rows(user_row)
        features, columns = kept_or_made(self._affected, (given, own.readable), AFFECTED_KEPT, self._find_affected)
        encoded = {name: _one(column, place) for name, column in own.columns.encoded.items()}
        said, filled, unknown = (
            {name: flags[place] for name, flags in part.items()}
            for part in (own.columns.said, own.columns.filled, own.columns.unknown)
        )
        if columns:
            row = np.array([user_row], np.int64)
            values = {column: series_of(column, query.get(column)) for column in columns}
            now = read_columns(values, features, columns, roles=self._roles, users=self._users, user_rows=row)
            encoded |= now.encoded
            said |= {name: flags[0] for name, flags in now.said.items()}
            filled |= {column: flags[0] for column, flags in now.filled.items()}
            unknown |= {column: flags[0] for column, flags in now.unknown.items()}
        histories = {name: _one(lists, place) for name, lists in own.histories.items()}
        if histories and len(touched):
            histories = dict(self._histories(np.array([user_row], np.int64), touched))
        has_history = np.bool_(any(len(lists.rows) for lists in histories.values()))
        kind = kinds_of(said, self._features, query_id, self._trained[user_row], has_history)
        return ReadQuery(
            self._tower,
            {**encoded, **histories},
            KINDS[int(kind)],
            tuple(column for column in self.columns if filled[column] and column != query_id),
            tuple(column for column in self.columns if unknown[column]),
        )

    def silent(self) -> dict[str, Encoded]:
        """What each feature gives for a query that gives nothing of somebody new, by the feature's name.

        Features that take no missing value have no such form.
        """
        own, _ = self.own_rows(NOBODY)
        return {**own.columns.encoded, **own.histories}

    def own_rows(self, user_row: int) -> tuple[_OwnRows, int]:
        """What is known of a user without a query, in a block with others, and the place there."""
        block, place = (NOBODY, 0) if user_row == NOBODY else divmod(user_row, BLOCK_USERS)
        return kept_or_made(self._own, block, BLOCKS_KEPT, self._read_block), place

    def _read_block(self, block: int) -> _OwnRows:
        start = block * BLOCK_USERS
        rows = np.arange(start, min(start + BLOCK_USERS, self._users.height))
        return self._read_own(np.array([NOBODY]) if block == NOBODY else rows)

    def _read_own(self, user_rows: npt.NDArray[np.int64]) -> _OwnRows:
        try:
            columns = self._read_rows(self._features, user_rows)
        except DataError:
            # Some feature takes no missing value, say: a query must give one, and is told so where it does not.
            columns = self._read_rows([f for f in self._features if self._is_readable(f, user_rows)], user_rows)
        return _OwnRows(columns, self._histories(user_rows), frozenset(columns.said))

    def _is_readable(self, feature: FittedFeature, user_rows: npt.NDArray[np.int64]) -> bool:
        try:
            self._read_rows([feature], user_rows)
        except DataError:
            return False
        return True

    def _read_rows(self, features: Sequence[FittedFeature], user_rows: npt.NDArray[np.int64]) -> ReadColumns:
        ids = self._users[self._roles.query_id].gather(pl.Series(user_rows).replace(NOBODY, None))
        return read_columns(
            {self._roles.query_id: ids},
            features,
            self.columns,
            roles=self._roles,
            users=self._users,
            user_rows=user_rows,
        )

    def _find_affected(self, key: tuple[frozenset[str], ...]) -> tuple[list[FittedFeature], list[str]]:
        """The features that must be read anew where a query gives some columns, and all columns that they read.

        The key holds the columns given, and the names of the features that the user's own row suffices for.
        """
        given, readable = key
        columns = set(given)
        columns.update(*(feature.columns for feature in self._features if feature.name not in readable))
        while True:
            features = [feature for feature in self._features if columns & set(feature.columns)]
            more = columns.union(*(feature.columns for feature in features))
            if more == columns:
                return features, [column for column in self.columns if column in columns]
            columns = more


def _one(column: Encoded, place: int) -> Any:
    """The encoded column of one row, without a copy."""
    match column:
        case Rows(rows):
            return Rows(rows[place : place + 1])
        case Numbers(values):
            return Numbers(values[place : place + 1])
        case RowLists(offsets, rows):
            start, stop = offsets[place], offsets[place + 1]
            return RowLists(np.array([0, stop - start]), rows[start:stop])

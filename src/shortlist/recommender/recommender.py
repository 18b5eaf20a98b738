"""The Recommender: a bundle that answers."""

import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.bundle import Bundle, OnnxTower, load_bundle
from shortlist.data import Roles
from shortlist.data.tables import to_frame
from shortlist.errors import DataError, shorten
from shortlist.index import ExactIndex, Found, Index, check_k
from shortlist.recommender.answers import Item, QueryKind, Shortlist, Source, Why
from shortlist.recommender.catalogue import NO_ROWS, Catalogue, Id, ItemCard, UserCard, find_row
from shortlist.recommender.columns import QueryColumn, query_columns
from shortlist.recommender.histories import HistoryEncoder
from shortlist.recommender.indexes import index_of
from shortlist.recommender.query import KINDS, Queries, read_queries
from shortlist.recommender.reader import NOBODY, QueryReader, ReadQuery
from shortlist.recommender.reasons import directions_of, feature_effects, nearest_of_history, reasons
from shortlist.recommender.rules import Allowed, RuleBook, Rules
from shortlist.recommender.tables import table_of_answers

__all__ = ["Recommender"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
# The query of a fallback, over vectors of one number, the popularity.
ANYBODY = np.ones((1, 1, 1), np.float32)


class Recommender:
    """Shortlists for queries and neighbours of items, from a bundle.

    Items come back in order of their score, ties in the catalogue's order. What may come back is decided in one place,
    `RuleBook`: always min(k, what is allowed) items, and never one that is excluded or retired, whatever the index. The
    bundle's own index searches for queries; neighbours, and what stands in for a query of which nothing is known, are
    searched exactly.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.catalogue = Catalogue(bundle)
        self._rules = RuleBook(bundle, self.catalogue)
        self._tower = OnnxTower(bundle.query_tower, bundle.weights)
        self._index = index_of(bundle)
        self._histories = HistoryEncoder(bundle)
        self._reader = QueryReader(bundle, self._histories, self._tower)
        self._roles = Roles(**bundle.data["roles"])
        self._has_bias: bool = bundle.experiment["model"]["two_tower"]["item_bias"]
        self.query_id = self._roles.query_id
        self._user_row_of = {user: row for row, user in enumerate(bundle.users[self.query_id].to_list())}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The recommender of the bundle at `path`; raises `BundleError` for a folder that is not whole."""
        return cls(load_bundle(path))

    @property
    def version(self) -> str | None:
        """What tells this bundle from others; None for one that was never saved."""
        return self.bundle.version

    @property
    def columns(self) -> list[str]:
        """What a query may give: the user's id, and every column that a feature reads."""
        return self._reader.columns

    @functools.cached_property
    def query_columns(self) -> tuple[QueryColumn, ...]:
        """The same with what each column may hold, for forms."""
        return query_columns(self.bundle)

    @property
    def item_columns(self) -> dict[str, str]:
        """The columns that a condition can read, each with the word for its type."""
        return self.catalogue.column_types

    def recommend(
        self,
        query: Mapping[str, Any],
        k: int = 10,
        *,
        history: Collection[Id] = (),
        exclude_seen: bool = True,
        exclude: Collection[Id] = (),
        allow: Collection[Id] | None = None,
        where: Any = None,
        explain: bool = False,
    ) -> Shortlist:
        """The k best items for a query such as `{"user_id": "42", "timestamp": 880000000}`.

        Values that the query leaves out come from the users table or from each feature's policy, and are named in
        the answer. A number for the time counts in the data's `time_unit`, and in seconds where it has none.

        `history` are ids of items touched since training, in this session say, the latest last: they count as seen. A
        model with a `History` reads them after those that the bundle keeps of the user. For a query of which nothing
        else is known the answer, flagged "history", is what such a model makes of them, or what is like them where
        the model has none. Without a history it is what is popular, flagged "fallback". That the user was active since
        training a model with a `Since` hears from `last_<time>` in the query alone.

        With `exclude_seen` items that the user had touched before do not come back (a bundle without seen items
        knows only the history), nor do those in `exclude`, nor any but those in `allow` where it is given, nor any that
        does not meet `where`, a condition on the items' columns such as `{"column": "year", "at_least": 1990}`
        (`shortlist.data.conditions` has the grammar). With `explain` each item says why it stands there.

        Raises `DataError` for columns and values that the model cannot read, `UnknownIdError` for ids in `history`,
        `exclude` and `allow` that the catalogue does not hold, `SettingsError` for a k below 1, for a condition that is
        none, and for one id where a collection of ids was expected.
        """
        self._check_query(query)
        touched = self.catalogue.rows("history", history)
        user_row = self._user_row(query.get(self.query_id))
        user_rows = np.array([user_row], np.int64)
        allowed = self._rules.for_queries(user_rows, Rules(exclude_seen, exclude, allow, where), touched)
        read = self._reader.read(query, user_row, touched)
        kind = "history" if read.kind == "fallback" and len(touched) else read.kind
        index, vector = self._searched(kind, read, touched)
        found = index.search(vector, k, left_out=allowed.left_out, allowed=allowed.allowed)
        why = self._reasons(read, found.rows[0], user_row, touched) if explain else None
        return self._shortlist(index, found, kind, allowed, read, why)

    def recommend_table(
        self,
        queries: Any,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        exclude: Collection[Id] = (),
        allow: Collection[Id] | None = None,
        where: Any = None,
    ) -> pl.DataFrame:
        """The k best items for each row of a table of queries: a row for each answer.

        `queries` is a frame of any library that `Dataset` takes. Columns that the model does not read are passed over,
        so that a table of users will do. The rules are those of `recommend`, the same for every row. Columns of the
        answer: `query_row` (in the table, from 0), `query_id` where the table has that column, `kind`, `unknown` (the
        columns whose value training had never seen), `place` (from 1), `item_id`, `label` and `score`. Raises
        `DataError` as `recommend` does, and for a table of which the model reads no column.
        """
        queries = to_frame(queries, "queries")
        if queries.width and not set(queries.columns) & set(self.columns):
            raise DataError(
                f"The model reads none of the columns {shorten(queries.columns, 12)} from a query; it reads "
                f"{shorten(self.columns, 12)}."
            )
        check_k(k)
        ids = queries[self.query_id] if self.query_id in queries.columns else None
        user_rows = np.array(
            [self._user_row(user) for user in ([None] * queries.height if ids is None else ids)], np.int64
        )
        read = read_queries(
            queries,
            self.bundle.features.user + self.bundle.features.event,
            histories=self._histories(user_rows),
            roles=self._roles,
            users=self.bundle.users,
            user_rows=user_rows,
            trained=(user_rows >= 0) & (self.bundle.user_events[user_rows] > 0),
        )
        allowed = self._rules.for_queries(user_rows, Rules(exclude_seen, exclude, allow, where))
        rows, scores = self._search_table(read, k, allowed)
        return table_of_answers(read, ids, self.bundle.items, rows, scores)

    def similar(
        self,
        item_id: Id,
        k: int = 10,
        *,
        exclude: Collection[Id] = (),
        allow: Collection[Id] | None = None,
        where: Any = None,
    ) -> Shortlist:
        """The k items whose vectors point most in the same direction (cosine), the item itself left out.

        An item bias is no part of the direction: it says how popular an item is, not what it is like. The rules are
        those of `recommend`. Raises `UnknownIdError` for an id that the catalogue does not hold; `find` gives the id of
        a label.
        """
        row = self.catalogue.row(item_id)
        allowed = self._rules.for_queries(np.array([NOBODY]), Rules(False, exclude, allow, where))
        itself = np.append(allowed.left_out[0], 0), np.append(allowed.left_out[1], row)
        allowed = Allowed(itself, allowed.allowed, allowed.filters)
        found = self._by_direction.search(
            self._directions[row][None, None, :], k, left_out=allowed.left_out, allowed=allowed.allowed
        )
        return self._shortlist(self._by_direction, found, "known", allowed)

    def item(self, item_id: Id) -> ItemCard:
        """What is shown of an item; raises `UnknownIdError` for an id that the catalogue does not hold."""
        return self.catalogue.card(self.catalogue.row(item_id))

    def find(self, label: str) -> Id:
        """The id of the item with this label; raises `UnknownIdError` where none or several have it."""
        return self.catalogue.find(label)

    def search(self, text: str, limit: int = 20) -> tuple[ItemCard, ...]:
        """Items whose label contains the text, whatever its case, the most popular first."""
        return tuple(self.catalogue.card(row) for row in self.catalogue.search(text, limit).tolist())

    def user(self, user_id: Id) -> UserCard:
        """What the bundle knows of a user; one whom it does not know has no columns."""
        row = self._user_row(user_id)
        if row == NOBODY:
            return UserCard(user_id, False, {})
        values = self.bundle.users.row(row, named=True)
        columns = {name: value for name, value in values.items() if value is not None and name != self.query_id}
        return UserCard(values[self.query_id], bool(self.bundle.user_events[row] > 0), columns)

    def touched(self, user_id: Id, limit: int = 50) -> tuple[ItemCard, ...]:
        """What the bundle keeps of what a user had touched, the latest first where it knows the order.

        Nothing for a user whom it does not know, and from a bundle without history.
        """
        rows = self._touched_rows(self._user_row(user_id))[::-1][:limit]
        return tuple(self.catalogue.card(row) for row in rows.tolist())

    def __contains__(self, item_id: Id) -> bool:
        """Whether the catalogue holds an item with this id."""
        try:
            self.catalogue.row(item_id)
        except DataError:  # none has this id, or it can be none
            return False
        return True

    def row(self, item_id: Id) -> int:
        """The catalogue row of an id; text is taken for a whole number where ids are whole numbers."""
        return self.catalogue.row(item_id)

    def id_at(self, row: int) -> Id:
        """The id of a catalogue row."""
        return self.catalogue.ids[row]

    def _check_query(self, query: Mapping[str, Any]) -> None:
        if not isinstance(query, Mapping):
            raise DataError(f'A query should be a mapping such as {{"{self.query_id}": 42}}, but it is {query!r}.')
        strangers = [column for column in query if column not in self.columns]
        if strangers:
            raise DataError(
                f"The model reads no {shorten(strangers)} from a query; it reads {shorten(self.columns, 12)}."
            )

    def _user_row(self, user_id: Any) -> int:
        """The users table's row of an id, `NOBODY` for one that it does not hold and for none."""
        row = None if user_id is None else find_row(user_id, self._user_row_of)
        return NOBODY if row is None else row

    def _touched_rows(self, user_row: int) -> Rows:
        """What the bundle keeps of what a user had touched, the latest last where it knows the order."""
        kept = self.bundle.histories or self.bundle.seen
        return NO_ROWS if kept is None or user_row == NOBODY else kept.by_user(user_row)

    def _searched(self, kind: QueryKind, read: ReadQuery, touched: Rows) -> tuple[Index, Floats]:
        """The index that a query is put to, and the query's vector [1, H, D] there."""
        if kind == "fallback":
            return self._by_popularity, ANYBODY
        if read.kind == "fallback":  # nothing that the tower reads is known, but what was touched is
            return self._by_direction, self._directions[touched].mean(axis=0)[None, None, :]
        return self._index, read.vector

    def _search_table(self, read: Queries, k: int, allowed: Allowed) -> tuple[list[Rows], list[Floats]]:
        """The rows and scores of each query [B]: what is popular where nothing is known."""
        count = len(read.kinds)
        rows: list[Rows] = [NO_ROWS] * count
        scores: list[Floats] = [np.empty(0, np.float32)] * count
        fallback = read.kinds == KINDS.index("fallback")
        for part, index in ((~fallback, self._index), (fallback, self._by_popularity)):
            places = np.flatnonzero(part)
            if not len(places):
                continue
            vectors = np.ones((len(places), 1), np.float32)
            if index is self._index:
                vectors = self._tower({name: column.take(places) for name, column in read.encoded.items()})
            of_part = part[allowed.left_out[0]]
            left_out = (np.searchsorted(places, allowed.left_out[0][of_part]), allowed.left_out[1][of_part])
            found = index.search(vectors[:, None], k, left_out=left_out, allowed=allowed.allowed)
            for place, its_rows, its_scores in zip(places, found.rows, found.scores, strict=True):
                rows[place], scores[place] = its_rows, its_scores
        return rows, scores

    def _shortlist(
        self,
        index: Index,
        found: Found,
        kind: QueryKind,
        allowed: Allowed,
        read: ReadQuery | None = None,
        why: list[Why] | None = None,
    ) -> Shortlist:
        """The answer to one query."""
        ids, labels = self.catalogue.ids, self.catalogue.labels
        reasons_of: Sequence[Why | None] = [None] * len(found.rows[0]) if why is None else why
        items = tuple(
            Item(ids[row], labels[row], score, reason)
            for row, score, reason in zip(found.rows[0].tolist(), found.scores[0].tolist(), reasons_of, strict=True)
        )
        source = Source(self.version, index.kind, self.bundle.index_version, bool(found.exact[0]))
        filled, unknown = ((), ()) if read is None else (read.filled, read.unknown)
        excluded = allowed.num_excluded(len(self.catalogue))
        return Shortlist(items, kind, source, filled, unknown, excluded, allowed.filters)

    def _reasons(self, read: ReadQuery, rows: Rows, user_row: int, touched: Rows) -> list[Why]:
        history = np.concatenate([self._touched_rows(user_row), touched])
        near = nearest_of_history(rows, history, self.bundle.item_vectors, self._has_bias, self.catalogue)
        if read.kind == "fallback":  # the tower had no part in it
            return reasons(near, {})
        answers = self.bundle.item_vectors[rows]
        effects = feature_effects(read.encoded, self._reader.silent(), self._tower, answers, self._average)
        return reasons(near, effects)

    @functools.cached_property
    def _average(self) -> Floats:
        """The mean of all item vectors [D]."""
        average: Floats = self.bundle.item_vectors.mean(axis=0)
        return average

    @functools.cached_property
    def _directions(self) -> Floats:
        """The item vectors at length 1 [N, D], made when the first neighbours are asked for."""
        return directions_of(self.bundle.item_vectors, self._has_bias)

    @functools.cached_property
    def _by_direction(self) -> Index:
        return ExactIndex(self._directions)

    @functools.cached_property
    def _by_popularity(self) -> Index:
        return ExactIndex(self.catalogue.popularity[:, None])

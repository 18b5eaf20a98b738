"""The Recommender: a bundle that answers."""

import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.bundle import Bundle, OnnxTower, load_bundle
from shortlist.data import Roles
from shortlist.data.tables import to_frame
from shortlist.errors import DataError, SettingsError, UnknownIdError, shorten
from shortlist.index import check_k, exact_top_k
from shortlist.recommender.answers import Item, Shortlist
from shortlist.recommender.histories import HistoryEncoder
from shortlist.recommender.query import KINDS, Queries, columns_read, read_queries, table_of

__all__ = ["Recommender"]

Id = str | int
# A signed 64-bit number has at most 19 digits and a sign.
MAX_DIGITS = 21


class Recommender:
    """Shortlists for queries and neighbours of items, from a bundle, by exact search.

    Items come back in order of their score, ties in the catalogue's order. What may come back is decided here
    and nowhere else: always min(k, what is allowed) items, and never one that is excluded.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._tower = OnnxTower(bundle.query_tower, bundle.weights)
        self._vectors = bundle.item_vectors
        self._ids: list[Id] = bundle.items["id"].to_list()
        self._labels: list[str] = bundle.items["label"].to_list()
        self._row_of = {identifier: row for row, identifier in enumerate(self._ids)}
        self._features = bundle.features.user + bundle.features.event
        self._histories = HistoryEncoder(bundle)
        self._roles = Roles(**bundle.data["roles"])
        self.query_id = self._roles.query_id
        self._user_row_of = {user: row for row, user in enumerate(bundle.users[self.query_id].to_list())}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The recommender of the bundle at `path`; raises `BundleError` for a folder that is not whole."""
        return cls(load_bundle(path))

    def recommend(
        self,
        query: Mapping[str, Any],
        k: int = 10,
        *,
        history: Collection[Id] = (),
        exclude_seen: bool = True,
        exclude: Collection[Id] = (),
        allow: Collection[Id] | None = None,
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
        knows only the history), nor do those in `exclude`, nor any but those in `allow` where it is given.

        Raises `DataError` for columns and values that the model cannot read, `UnknownIdError` for ids in `history`,
        `exclude` and `allow` that the catalogue does not hold, `SettingsError` for a k below 1 and for one id where a
        collection of ids was expected.
        """
        if not isinstance(query, Mapping):
            raise DataError(f'A query should be a mapping such as {{"{self.query_id}": 42}}, but it is {query!r}.')
        strangers = [column for column in query if column not in self.columns]
        if strangers:
            raise DataError(
                f"The model reads no {shorten(strangers)} from a query; it reads {shorten(self.columns, 12)}."
            )
        touched = self._rows("history", history)
        left_out = self._rows("exclude", exclude)
        allowed = self._allowed(None if allow is None else self._rows("allow", allow))
        user_rows = self._user_rows([query.get(self.query_id)])
        read = self._read(table_of(query), user_rows, touched)
        if exclude_seen:
            left_out = np.concatenate([left_out, touched, self._seen(user_rows)[1]])
        allowed[left_out] = False
        kind = read.kind(0)
        if kind == "fallback" and len(touched):
            kind = "history"
            found = self._search(self._directions[touched].mean(axis=0)[None, None, :], self._directions, k, allowed)
        elif kind == "fallback":
            found = self._search(np.ones((1, 1, 1), np.float32), self._popularity, k, allowed)
        else:
            found = self._search(self._tower(read.encoded)[:, None], self._vectors, k, allowed)
        filled = tuple(column for column, flags in read.filled.items() if flags[0])
        unknown = tuple(column for column, flags in read.unknown.items() if flags[0])
        return Shortlist(found, kind, filled, unknown, int((~allowed).sum()))

    @property
    def columns(self) -> list[str]:
        """What a query may give: the user's id, and every column that a feature reads."""
        return columns_read(self._features, self.query_id)

    def recommend_table(self, queries: Any, k: int = 10, *, exclude_seen: bool = True) -> pl.DataFrame:
        """The k best items for each row of a table of queries: a row for each answer.

        `queries` is a frame of any library that `Dataset` takes. Columns that the model does not read are passed over,
        so that a table of users will do. Columns of the answer: `query_row` (in the table, from 0), `query_id` where
        the table has that column, `kind`, `unknown` (the columns whose value training had never seen), `place` (from
        1), `item_id`, `label` and `score`. Raises `DataError` as `recommend` does, and for a table of which the model
        reads no column.
        """
        queries = to_frame(queries, "queries")
        if queries.width and not set(queries.columns) & set(self.columns):
            raise DataError(
                f"The model reads none of the columns {shorten(queries.columns, 12)} from a query; it reads "
                f"{shorten(self.columns, 12)}."
            )
        check_k(k)
        count = queries.height
        ids = queries[self.query_id].to_list() if self.query_id in queries.columns else [None] * count
        user_rows = self._user_rows(ids)
        read = self._read(queries, user_rows)
        seen = self._seen(user_rows) if exclude_seen else (np.empty(0, np.int64), np.empty(0, np.int64))
        fallback = read.kinds == KINDS.index("fallback")
        rows: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)] * count
        scores: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * count
        parts = ((~fallback, self._vectors), (fallback, self._popularity))
        for part, vectors in parts:
            places = np.flatnonzero(part)
            if not len(places):
                continue
            vectors_of = (
                np.ones((len(places), 1), np.float32)
                if vectors is self._popularity
                else self._tower({name: column.take(places) for name, column in read.encoded.items()})
            )
            of_part = part[seen[0]]
            left_out = (np.searchsorted(places, seen[0][of_part]), seen[1][of_part])
            found, values = exact_top_k(vectors_of[:, None], vectors, k, left_out=left_out)
            for place, its_rows, its_scores in zip(places, found, values, strict=True):
                rows[place], scores[place] = its_rows, its_scores
        return self._answers(queries, read, rows, scores)

    def _answers(
        self,
        queries: pl.DataFrame,
        read: Queries,
        rows: list[npt.NDArray[np.int64]],
        scores: list[npt.NDArray[np.float32]],
    ) -> pl.DataFrame:
        lengths = np.array([len(its_rows) for its_rows in rows], np.int64)
        query = np.repeat(np.arange(len(rows)), lengths)
        starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = self.bundle.items[np.concatenate([np.empty(0, np.int64), *rows])]
        ids = {"query_id": queries[self.query_id][query]} if self.query_id in queries.columns else {}
        answers = {
            "query_row": pl.Series(query, dtype=pl.Int64),
            **ids,
            "kind": pl.Series(KINDS)[read.kinds[query]],
            "unknown": pl.Series(read.unknown_columns(), dtype=pl.List(pl.String))[query],
            "place": pl.Series(np.arange(len(query)) - starts + 1, dtype=pl.Int64),
            "item_id": items["id"],
            "label": items["label"],
            "score": pl.Series(np.concatenate([np.empty(0, np.float32), *scores])),
        }
        return pl.DataFrame(answers)

    def similar(self, item_id: Id, k: int = 10) -> Shortlist:
        """The k items whose vectors point most in the same direction (cosine), the item itself left out.

        An item bias is no part of the direction: it says how popular an item is, not what it is like.
        Raises `UnknownIdError` for an id that the catalogue does not hold; `find` gives the id of a label.
        """
        row = self.row(item_id)
        query = self._directions[row][None, None, :]  # [D] -> [1, 1, D]
        allowed = self._allowed(None)
        allowed[row] = False
        found = self._search(query, self._directions, k, allowed)
        return Shortlist(found, "known", excluded=1)

    def find(self, label: str) -> Id:
        """The id of the item with this label; raises `UnknownIdError` where none or several have it."""
        rows = [row for row, known in enumerate(self._labels) if known == label]
        if len(rows) == 1:
            return self._ids[rows[0]]
        if rows:
            ids = shorten((self._ids[row] for row in rows), 12)
            raise UnknownIdError(f"{len(rows)} items have the label {label!r}: {ids}. Name one by its id.")
        close = [known for known in self._labels if label.casefold() in known.casefold()]
        hint = f"Labels that contain it: {shorten(close)}." if close else "Look it up in the items table."
        raise UnknownIdError(f"No item has the label {label!r}. {hint}")

    def __contains__(self, item_id: Id) -> bool:
        """Whether the catalogue holds an item with this id."""
        try:
            self.row(item_id)
        except DataError:  # none has this id, or it can be none
            return False
        return True

    def row(self, item_id: Id) -> int:
        """The catalogue row of an id; text is taken for a whole number where ids are whole numbers."""
        row = _find(item_id, self._row_of)
        if row is not None:
            return row
        raise UnknownIdError(
            f"No item has the id {item_id!r}; the catalogue holds {len(self._ids)} ids such as {shorten(self._ids, 3)}."
        )

    def id_at(self, row: int) -> Id:
        """The id of a catalogue row."""
        return self._ids[row]

    def _read(
        self, queries: pl.DataFrame, user_rows: npt.NDArray[np.int64], touched: npt.NDArray[np.int64] | None = None
    ) -> Queries:
        trained = (user_rows >= 0) & (self.bundle.user_events[user_rows] > 0)
        return read_queries(
            queries,
            self._features,
            histories=self._histories(user_rows, touched),
            roles=self._roles,
            users=self.bundle.users,
            user_rows=user_rows,
            trained=trained,
        )

    def _user_rows(self, ids: Collection[Any]) -> npt.NDArray[np.int64]:
        """The users table's row of each id [B], -1 for one that it does not hold and for none."""
        rows = (None if user is None else _find(user, self._user_row_of) for user in ids)
        return np.array([-1 if row is None else row for row in rows], np.int64)

    def _rows(self, name: str, ids: Collection[Id]) -> npt.NDArray[np.int64]:
        """The catalogue rows of several ids; `name` is the argument that they were given as."""
        if isinstance(ids, str | bytes) or not isinstance(ids, Collection):
            raise SettingsError(f"{name} should be a list or set of ids, but it is {ids!r}; write [{ids!r}].")
        return np.array([self.row(identifier) for identifier in ids], np.int64)

    def _seen(self, user_rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What each user [B] had touched, as pairs of a place in B and an item row."""
        known = np.flatnonzero(user_rows >= 0)
        if self.bundle.seen is None or not len(known):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        places, items = self.bundle.seen.pairs(user_rows[known])
        return known[places], items

    @functools.cached_property
    def _directions(self) -> npt.NDArray[np.float32]:
        """The item vectors at length 1 [N, D], made when the first neighbours are asked for."""
        has_bias = self.bundle.experiment["model"]["two_tower"]["item_bias"]
        vectors = self._vectors[:, :-1] if has_bias else self._vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions: npt.NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return directions

    @functools.cached_property
    def _popularity(self) -> npt.NDArray[np.float32]:
        """How popular each item is, as vectors of width 1 [N, 1]."""
        popularity: npt.NDArray[np.float32] = self.bundle.items["popularity"].to_numpy()[:, None]
        return popularity

    def _allowed(self, allow: npt.NDArray[np.int64] | None) -> npt.NDArray[np.bool_]:
        """Which items may come back [N]: all, or those at the rows in `allow`."""
        allowed = np.full(len(self._ids), allow is None)
        if allow is not None:
            allowed[allow] = True
        return allowed

    def _search(
        self,
        query: npt.NDArray[np.float32],
        vectors: npt.NDArray[np.float32],
        k: int,
        allowed: npt.NDArray[np.bool_],
    ) -> tuple[Item, ...]:
        rows, scores = exact_top_k(query, vectors, k, allowed=allowed)
        return tuple(
            Item(self._ids[row], self._labels[row], float(score))
            for row, score in zip(rows[0].tolist(), scores[0], strict=True)
        )


def _find(identifier: object, row_of: Mapping[Id, int]) -> int | None:
    """The row of an id, None where it has none: 42 and "42" are the same id, "042" and True are others.

    Raises `DataError` for what can be no id.
    """
    if isinstance(identifier, np.integer):
        identifier = int(identifier)
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise DataError(f"An id should be a string or a whole number, but it is {identifier!r}.")
    if identifier in row_of:
        return row_of[identifier]
    if isinstance(identifier, int):
        return row_of.get(str(identifier)) if abs(identifier) < 1 << 63 else None
    whole = len(identifier) < MAX_DIGITS and identifier.isascii() and identifier.removeprefix("-").isdecimal()
    return row_of.get(int(identifier)) if whole and str(int(identifier)) == identifier else None

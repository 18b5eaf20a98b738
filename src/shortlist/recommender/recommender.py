"""The Recommender: a bundle that answers."""

import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from shortlist.bundle import Bundle, OnnxTower, load_bundle
from shortlist.errors import DataError, SettingsError, UnknownIdError, shorten
from shortlist.index import exact_top_k
from shortlist.recommender.answers import Item, Shortlist
from shortlist.recommender.query import read_query

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
        self._tower = OnnxTower(bundle.query_tower)
        self._vectors = bundle.item_vectors
        self._ids: list[Id] = bundle.items["id"].to_list()
        self._labels: list[str] = bundle.items["label"].to_list()
        self._row_of = {identifier: row for row, identifier in enumerate(self._ids)}
        self._query_id: str = bundle.data["roles"]["query_id"]
        self._user_row_of = {user: row for row, user in enumerate(bundle.users[self._query_id].to_list())}
        self._user_columns = bundle.users.columns

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The recommender of the bundle at `path`; raises `BundleError` for a folder that is not whole."""
        return cls(load_bundle(path))

    def recommend(
        self,
        query: Mapping[str, Any],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        exclude: Collection[Id] = (),
        allow: Collection[Id] | None = None,
    ) -> Shortlist:
        """The k best items for a query such as `{"user_id": "42", "timestamp": 880000000}`.

        Values that the query leaves out come from the users table or from each feature's policy, and are named
        in the answer. With `exclude_seen` items that the user had touched before do not come back (a bundle
        without seen items knows none), nor do those in `exclude`, nor any but those in `allow` where it is given.
        A query of which nothing is known gets the most popular items, flagged "fallback".

        Raises `DataError` for columns and values that the model cannot read, `UnknownIdError` for ids in
        `exclude` and `allow` that the catalogue does not hold, `SettingsError` for a k below 1 and for one id where
        a collection of ids was expected.
        """
        if not isinstance(query, Mapping):
            raise DataError(f'A query should be a mapping such as {{"{self._query_id}": 42}}, but it is {query!r}.')
        for name, ids in (("exclude", exclude), ("allow", allow)):
            if ids is not None and (isinstance(ids, str | bytes) or not isinstance(ids, Collection)):
                raise SettingsError(f"{name} should be a list or set of ids, but it is {ids!r}; write [{ids!r}].")
        user_row = self._user_row(query.get(self._query_id))
        user = None if user_row is None else dict(zip(self._user_columns, self.bundle.users.row(user_row), strict=True))
        trained = user_row is not None and self.bundle.user_events[user_row] > 0
        read = read_query(query, self.bundle.features.query, query_id=self._query_id, user=user, trained=bool(trained))
        left_out = [self.row(identifier) for identifier in exclude]
        if exclude_seen and user_row is not None and self.bundle.seen is not None:
            left_out.extend(self.bundle.seen.by_user(user_row).tolist())
        allowed = self._allowed(allow, left_out)
        if read.kind == "fallback":
            scores = self.bundle.items["popularity"].to_numpy()[:, None]
            found = self._search(np.ones((1, 1, 1), np.float32), scores, k, allowed)
        else:
            found = self._search(self._tower(read.encoded)[:, None], self._vectors, k, allowed)
        return Shortlist(found, read.kind, read.filled, read.unknown, int((~allowed).sum()))

    def similar(self, item_id: Id, k: int = 10) -> Shortlist:
        """The k items whose vectors point most in the same direction (cosine), the item itself left out.

        An item bias is no part of the direction: it says how popular an item is, not what it is like.
        Raises `UnknownIdError` for an id that the catalogue does not hold; `find` gives the id of a label.
        """
        row = self.row(item_id)
        query = self._directions[row][None, None, :]  # [D] -> [1, 1, D]
        found = self._search(query, self._directions, k, self._allowed(None, [row]))
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
        except UnknownIdError:
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

    def _user_row(self, user_id: Any) -> int | None:
        return None if user_id is None else _find(user_id, self._user_row_of)

    @functools.cached_property
    def _directions(self) -> npt.NDArray[np.float32]:
        """The item vectors at length 1 [N, D], made when the first neighbours are asked for."""
        has_bias = self.bundle.experiment["model"]["two_tower"]["item_bias"]
        vectors = self._vectors[:, :-1] if has_bias else self._vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions: npt.NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return directions

    def _allowed(self, allow: Collection[Id] | None, left_out: list[int]) -> npt.NDArray[np.bool_]:
        """Which items may come back [N]."""
        allowed = np.full(len(self._ids), allow is None)
        if allow is not None:
            allowed[[self.row(identifier) for identifier in allow]] = True
        allowed[left_out] = False
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
        return row_of.get(str(identifier))
    whole = len(identifier) < MAX_DIGITS and identifier.isascii() and identifier.removeprefix("-").isdecimal()
    return row_of.get(int(identifier)) if whole and str(int(identifier)) == identifier else None

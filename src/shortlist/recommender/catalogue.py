"""The items of a bundle: their rows, ids and labels, and what is shown of each."""

import dataclasses
import datetime as dt
import functools
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.bundle import Bundle
from shortlist.data.matching import type_word
from shortlist.errors import DataError, SettingsError, UnknownIdError, shorten

__all__ = ["NO_ROWS", "Catalogue", "Id", "ItemCard", "UserCard", "find_row"]

Id = str | int
Rows = npt.NDArray[np.int64]
# A signed 64-bit number has at most 19 digits and a sign.
MAX_DIGITS = 21
NO_ROWS = np.empty(0, np.int64)


@dataclasses.dataclass(frozen=True)
class ItemCard:
    """An item as it is shown: `popularity` counts training events, `columns` are those of its row of the items table
    that a condition can read, without missing values.
    """

    id: Id
    label: str
    popularity: float
    retired: bool
    columns: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The card as plain JSON values; dates and times are ISO texts."""
        return _to_json(self)


@dataclasses.dataclass(frozen=True)
class UserCard:
    """A user as it is shown: whether training knows it, and the columns that the bundle keeps of it, without missing
    values.
    """

    id: Id
    known: bool
    columns: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The card as plain JSON values; dates and times are ISO texts."""
        return _to_json(self)


class Catalogue:
    """Items by row, by id and by label."""

    def __init__(self, bundle: Bundle) -> None:
        self.ids: list[Id] = bundle.items["id"].to_list()
        self.labels: list[str] = bundle.items["label"].to_list()
        self.columns = bundle.item_columns
        self.popularity: npt.NDArray[np.float32] = bundle.items["popularity"].to_numpy()
        self.retired: npt.NDArray[np.bool_] = bundle.items["retired"].to_numpy()
        self._row_of = {identifier: row for row, identifier in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, item_id: Id) -> int:
        """The row of an id; text is taken for a whole number where ids are whole numbers.

        Raises `UnknownIdError` for an id that no item has.
        """
        row = find_row(item_id, self._row_of)
        if row is not None:
            return row
        raise UnknownIdError(
            f"No item has the id {item_id!r}; the catalogue holds {len(self.ids)} ids such as {shorten(self.ids, 3)}."
        )

    def rows(self, name: str, ids: Collection[Id]) -> Rows:
        """The rows of several ids; `name` is the argument that they were given as."""
        if isinstance(ids, str | bytes) or not isinstance(ids, Collection):
            raise SettingsError(f"{name} should be a list or set of ids, but it is {ids!r}; write [{ids!r}].")
        return np.array([self.row(identifier) for identifier in ids], np.int64) if len(ids) else NO_ROWS

    def find(self, label: str) -> Id:
        """The id of the item with this label; raises `UnknownIdError` where none or several have it."""
        rows = [row for row, known in enumerate(self.labels) if known == label]
        if len(rows) == 1:
            return self.ids[rows[0]]
        if rows:
            ids = shorten((self.ids[row] for row in rows), 12)
            raise UnknownIdError(f"{len(rows)} items have the label {label!r}: {ids}. Name one by its id.")
        close = [known for known in self.labels if label.casefold() in known.casefold()]
        hint = f"Labels that contain it: {shorten(close)}." if close else "Look it up in the items table."
        raise UnknownIdError(f"No item has the label {label!r}. {hint}")

    def search(self, text: str, limit: int) -> Rows:
        """The rows of at most `limit` items whose label contains the text, whatever its case, the most popular first;
        of all items for an empty text.
        """
        wanted = text.casefold()
        rows = np.array([row for row, label in enumerate(self._folded) if wanted in label], np.int64)
        return rows[np.argsort(-self.popularity[rows], kind="stable")][:limit]

    def card(self, row: int) -> ItemCard:
        """What is shown of the item in a row."""
        values = self.columns.row(row, named=True)
        return ItemCard(
            self.ids[row],
            self.labels[row],
            float(self.popularity[row]),
            bool(self.retired[row]),
            {name: value for name, value in values.items() if value is not None},
        )

    @property
    def column_types(self) -> dict[str, str]:
        """The columns that a condition can read, each with the word for its type."""
        return {column.name: type_word(column.dtype) or "" for column in self.columns}

    @functools.cached_property
    def _folded(self) -> list[str]:
        return [label.casefold() for label in self.labels]


def find_row(identifier: object, row_of: Mapping[Id, int]) -> int | None:
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


def _to_json(card: ItemCard | UserCard) -> dict[str, Any]:
    return {**vars(card), "columns": {name: _plain(value) for name, value in card.columns.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value

"""The Dataset: a table of events, a catalogue of items, perhaps a table of users, and what the columns mean."""

import copy
import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from shortlist.choice import choice
from shortlist.data.events import EventTable
from shortlist.data.fingerprint import digest_column
from shortlist.data.tables import (
    check_columns,
    check_label,
    clean_id_lists,
    clean_ids,
    clean_times,
    clean_weights,
    read_times,
    rows_of_ids,
    to_frame,
    with_key,
)
from shortlist.errors import DataError, SettingsError, shorten

if TYPE_CHECKING:
    from shortlist.data.sources import DataSource

__all__ = ["Dataset", "Roles"]


@choice
class Roles:
    """Which column says who asked, which item, how it is called, when, how much it counts, what was shown beside it.

    `time_unit` says what whole numbers in the time column count since 1970; they become times then. Without it they
    order events and are not read as times. `shown_separator` stands between the ids where the column of what was shown
    holds texts, "|" unless said otherwise.
    """

    query_id: str
    item_id: str
    label: str | None = None
    time: str | None = None
    weight: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    shown: str | None = None
    shown_separator: Annotated[str, Field(min_length=1)] | None = None

    def __post_init__(self) -> None:
        if self.query_id == self.item_id:
            raise SettingsError(f"query_id and item_id both name column {self.query_id!r}; each needs one of its own.")
        if self.time_unit is not None and self.time is None:
            raise SettingsError(
                "time_unit says how to read the time column, but no column has the role time. Name it, or leave "
                "time_unit out."
            )
        if self.shown_separator is not None and self.shown is None:
            raise SettingsError(
                "shown_separator says how to read the column of what was shown, but no column has the role shown. Name "
                "it, or leave shown_separator out."
            )


class Dataset:
    """Events between users and items, with the role of every column that has one.

    Tables may be Polars, pandas, pyarrow or DuckDB frames, or dicts of columns. Ids are strings or integers,
    of one type over all tables. Without `items` the catalogue is the ids of the events (after a split: of the
    training events); without `users` a user is known by the id alone. Items that nobody touched stay in the
    catalogue. Columns without a role are there for features.

    A *row* is a position: `item_rows` [E] int64 points into `items` (-1: not in the catalogue), `user_rows`
    [E] int64 into `users`, where E is the number of events.

    Raises `DataError` for missing columns, ids that are null, too long or of mixed types, duplicate ids in `items` or
    `users`, weights that are negative or not finite, and events with unknown items, unless `unknown_items="drop"`.
    Events of weight zero are no positives and are dropped. `time_unit` says what whole numbers in the time column count
    since 1970. `shown` names a column of the events with the ids that stood beside the event's own and were not
    touched: lists, or texts with `shown_separator` ("|" where left out) between ids. Those that the catalogue does not
    hold are passed over, whatever `unknown_items` says; see `shortlist.data.shown`. `source` is a name or a
    `DataSource` by which the same data can be read again; a bundle keeps it.

    >>> clicks = {"user": ["ann", "bob", "ann"], "sku": ["tea", "tea", "jam"]}
    >>> data = Dataset(clicks, query_id="user", item_id="sku")
    >>> data
    Dataset(3 events, 2 users, 2 items)
    >>> data.item_rows.tolist()
    [1, 1, 0]
    """

    def __init__(
        self,
        interactions: Any,
        *,
        items: Any = None,
        users: Any = None,
        query_id: str,
        item_id: str,
        label: str | None = None,
        time: str | None = None,
        weight: str | None = None,
        time_unit: Literal["s", "ms", "us", "ns"] | None = None,
        shown: str | None = None,
        shown_separator: str | None = None,
        unknown_items: Literal["error", "drop"] = "error",
        source: "str | DataSource | None" = None,
    ) -> None:
        if unknown_items not in ("error", "drop"):
            raise SettingsError(f'unknown_items should be "error" or "drop", but it is {unknown_items!r}.')
        self.source = source
        self.roles = Roles(query_id, item_id, label, time, weight, time_unit, shown, shown_separator)
        self.has_items = items is not None
        self.has_users = users is not None
        events = _clean_events(to_frame(interactions, "interactions"), self.roles)
        self.items = _catalogue(items, events, item_id, "items")
        if label is not None:
            check_columns(self.items, [label], "items")
            check_label(self.items[label], f"items.{label}")
        item_rows = rows_of_ids(events[item_id], self.items[item_id])
        unknown = item_rows < 0
        if unknown.any():
            self._refuse_unknown(events, unknown, unknown_items)
            events, item_rows = events.filter(~unknown), item_rows[~unknown]
        self.events = EventTable(events)
        self.item_rows = item_rows
        self.users = _catalogue(users, events, query_id, "users")
        if users is not None:
            self._add_unlisted_users()
        self.user_rows = rows_of_ids(events[query_id], self.users[query_id])

    def __repr__(self) -> str:
        return f"Dataset({self.num_events:,} events, {self.num_users:,} users, {self.num_items:,} items)"

    @property
    def interactions(self) -> pl.DataFrame:
        """The events' table, whole; `events` gives one column for less."""
        return self.events.frame()

    @property
    def num_events(self) -> int:
        return len(self.events)

    @property
    def num_items(self) -> int:
        return self.items.height

    @property
    def num_users(self) -> int:
        return self.users.height

    @property
    def weights(self) -> npt.NDArray[np.float32] | None:
        """The weight of each event [E] float32, or None where no column has that role."""
        column = self.roles.weight
        return None if column is None else clean_weights(self.events[column], f"interactions.{column}")

    @property
    def times(self) -> npt.NDArray[Any]:
        """When each event happened [E] int64, in the column's own unit; raises `SettingsError` without a time role."""
        column = self.roles.time
        if column is None:
            raise SettingsError('This needs times, but no column has the role time; pass time="<column>".')
        return clean_times(self.events[column], f"interactions.{column}").to_numpy()

    def shown_ids(self) -> pl.Series:
        """The ids that were shown with each event, as lists [E]; raises `SettingsError` without the role."""
        column = self.roles.shown
        if column is None:
            raise SettingsError('This needs what was shown, but no column has that role; pass shown="<column>".')
        ids = self.items[self.roles.item_id].dtype
        return clean_id_lists(self.events[column], f"interactions.{column}", ids, self.roles.shown_separator or "|")

    def labels(self) -> list[str]:
        """What to call each item [N]: its label, or its id as text where there is no label."""
        ids = self.items[self.roles.item_id].cast(pl.String)
        if self.roles.label is None:
            return ids.to_list()
        return self.items[self.roles.label].cast(pl.String).fill_null(ids).to_list()

    def take(self, rows: npt.NDArray[np.int64]) -> Self:
        """The same users and items with only the events at these rows, in this order."""
        taken = copy.copy(self)
        taken.events = self.events.take(rows)
        taken.item_rows = self.item_rows[rows]
        taken.user_rows = self.user_rows[rows]
        return taken

    def with_items_of(self, other: "Dataset") -> Self:
        """The same events over another dataset's catalogue; events whose item either catalogue lacks get row -1."""
        moved = copy.copy(self)
        moved.items = other.items
        rows = rows_of_ids(self.items[self.roles.item_id], other.items[self.roles.item_id])
        moved.item_rows = np.append(rows, -1)[self.item_rows]  # -1 looks at the last
        return moved

    def with_own_items(self) -> Self:
        """The same events over a catalogue of just the items that they touch, in the catalogue's order."""
        narrowed = copy.copy(self)
        narrowed.items = self.items[np.unique(self.item_rows[self.item_rows >= 0])]
        return self.with_items_of(narrowed)

    def fingerprint(self) -> str:
        """A SHA-256 over the roles and every value of the three tables: equal data, equal text.

        Widths of integers, units and zones of times, and whether texts are categories do not count, for libraries
        change them on the way; a date is its midnight.
        """
        # Data without these two roles keeps the fingerprint that it had before there were any.
        roles = repr(self.roles).replace(", shown=None, shown_separator=None", "")
        digest = hashlib.sha256(roles.encode())
        tables: dict[str, pl.DataFrame | EventTable] = {
            "interactions": self.events,
            "items": self.items,
            "users": self.users,
        }
        for name, frame in tables.items():
            digest.update(f"{name}:{len(frame)}".encode())
            for column in sorted(frame.columns):
                values = frame[column]
                digest.update(f"{column}:".encode())
                digest_column(digest, values, f"{name}.{column}")
        return digest.hexdigest()

    def _refuse_unknown(self, events: pl.DataFrame, unknown: npt.NDArray[np.bool_], policy: str) -> None:
        names = events[self.roles.item_id].filter(unknown).unique(maintain_order=True).to_list()
        if policy == "drop":
            if unknown.all():
                raise DataError(
                    f"No event names an item that the items table holds: {shorten(names)}. "
                    "Check that both tables write their ids in the same way."
                )
            return
        raise DataError(
            f"{int(unknown.sum())} events name {len(names)} items that the items table does not hold: "
            f'{shorten(names)}. Add these items, or drop the events with unknown_items="drop" '
            "(--drop-unknown-items)."
        )

    def _add_unlisted_users(self) -> None:
        """Users that only the events know stand below the listed ones, with their other columns missing."""
        column = self.roles.query_id
        seen = self.events[column].unique(maintain_order=True).to_frame()
        new = seen.join(self.users, on=column, how="anti", maintain_order="left")
        if new.height:
            self.users = pl.concat([self.users, new], how="diagonal")


def _clean_events(events: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    wanted = [c for c in (roles.query_id, roles.item_id, roles.time, roles.weight, roles.shown) if c is not None]
    check_columns(events, wanted, "interactions")
    events = events.with_columns(
        clean_ids(events[column], f"interactions.{column}") for column in (roles.query_id, roles.item_id)
    )
    if roles.time is not None:
        events = events.with_columns(read_times(events[roles.time], f"interactions.{roles.time}", roles.time_unit))
    if roles.shown is not None:  # a wrong column is refused now, and not once a training begins
        some, ids = events[roles.shown].head(1_000), events[roles.item_id].dtype
        clean_id_lists(some, f"interactions.{roles.shown}", ids, roles.shown_separator or "|")
    if roles.weight is not None:
        events = events.filter(clean_weights(events[roles.weight], f"interactions.{roles.weight}") > 0)
        if events.height == 0:
            raise DataError(f"Every weight in interactions.{roles.weight} is zero; at least one must be positive.")
    return events


def _catalogue(table: Any, events: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    """The items or users table with clean, unique ids; made from the events where none is given."""
    if table is None:
        return events.select(pl.col(column).unique().sort())
    frame = with_key(to_frame(table, name), column)
    remedy = (
        f"The ids of both tables are found by one name: rename a column of one of them, as in select id as {column}."
    )
    check_columns(frame, [column], name, remedy)
    ids = clean_ids(frame[column], f"{name}.{column}")
    if ids.dtype != events[column].dtype:
        raise DataError(
            f"Ids should have one type over all tables, but interactions.{column} holds {events[column].dtype} "
            f"and {name}.{column} holds {ids.dtype}; convert one of them."
        )
    doubled = ids.filter(ids.is_duplicated()).unique(maintain_order=True)
    if doubled.len():
        raise DataError(
            f"{name}.{column} should name each row once, but {doubled.len()} ids stand there more than once: "
            f"{shorten(doubled.to_list())}. Keep one row of each."
        )
    return frame.with_columns(ids)

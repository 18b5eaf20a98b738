"""Where a dataset comes from: a name, or tables in files and queries with the roles of their columns."""

import dataclasses
from pathlib import Path
from typing import Any, Literal, Self

import polars as pl

from shortlist.choice import choice
from shortlist.data import datasets
from shortlist.data.dataset import Dataset, Roles
from shortlist.data.readers import Query, Source, is_csv, read_table
from shortlist.data.tables import KEYS, with_key
from shortlist.errors import DataError, SettingsError

__all__ = ["DataSource"]

TABLES = ("interactions", "items", "users")


@choice
class DataSource:
    """What to read: `source` names a data set that shortlist knows, `interactions` (with `items` and `users`, where
    there are such tables) names files or queries, whose columns need `roles`.

    `unknown_items="drop"` leaves out events with items that the items table does not hold; otherwise they are an
    error. Raises `SettingsError` unless exactly one of `source` and `interactions` is given.
    """

    source: str | None = None
    interactions: Source | None = None
    items: Source | None = None
    users: Source | None = None
    roles: Roles | None = None
    unknown_items: Literal["error", "drop"] = "error"

    def __post_init__(self) -> None:
        if (self.source is None) == (self.interactions is None):
            given = "neither" if self.source is None else "both"
            raise SettingsError(
                f'data wants either source = "movielens-100k" or interactions = "clicks.parquet", but {given} is given.'
            )
        if self.source is not None and (self.items or self.users or self.roles):
            raise SettingsError(f"The data set {self.source!r} brings its own tables and roles; leave them out.")
        if self.interactions is not None and self.roles is None:
            raise SettingsError(
                'Tables need roles, such as roles = { query_id = "user", item_id = "sku", time = "ts" }.'
            )

    def load(self) -> Dataset:
        """The dataset, read and checked; errors name the file.

        Raises `DataError` for tables that break a rule of `Dataset`, `DownloadError` for a data set that cannot be
        fetched, and `SettingsError` for a name that is none.
        """
        if self.source is not None:
            return datasets.load(self.source)
        frames = self.tables()
        roles = self.roles or Roles(query_id="", item_id="")
        try:
            return Dataset(
                frames["interactions"],
                items=frames.get("items"),
                users=frames.get("users"),
                unknown_items=self.unknown_items,
                source=self,
                **dataclasses.asdict(roles),
            )
        except DataError as error:
            files = "; ".join(f"{table}: {getattr(self, table)}" for table in frames)
            raise type(error)(f"{error} ({files})") from error

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables as they were read, by their names, before any check; none for a data set by name.

        Ids of CSV are as they are written there, and of one type over all tables where that is possible.
        """
        given = {table: getattr(self, table) for table in TABLES if getattr(self, table) is not None}
        if self.roles is None:
            return {table: read_table(source) for table, source in given.items()}
        columns = {"items": self.roles.item_id, "users": self.roles.query_id}
        ids = (*columns.values(), *KEYS, *([self.roles.shown] if self.roles.shown else []))
        frames = {table: read_table(source, ids=ids) for table, source in given.items()}
        frames |= {table: with_key(frames[table], column) for table, column in columns.items() if table in frames}
        _same_ids(frames, list(columns.values()), given)
        return frames

    def relative_to(self, folder: Path) -> Self:
        """The same source with relative paths, those in SQL too, taken from the folder, and whole."""
        whole: dict[str, Any] = {}
        for table in TABLES:
            source = getattr(self, table)
            if isinstance(source, str):
                whole[table] = str((folder / source).absolute())
            elif isinstance(source, Query):
                database = None if source.database is None else str((folder / source.database).absolute())
                files = str((folder / (source.folder or "")).absolute())
                whole[table] = dataclasses.replace(source, database=database, folder=files)
        return dataclasses.replace(self, **whole)

    def __str__(self) -> str:
        return self.source or str(self.interactions)


def _same_ids(frames: dict[str, pl.DataFrame], columns: list[str], given: dict[str, Source]) -> None:
    """Ids that CSV leaves open become text in one table where they are text in another.

    A column of whole numbers from CSV can be written back as it was, so nothing is lost; whole numbers of a file with
    types of its own stay what they are, and `Dataset` refuses the mixture.
    """
    for column in columns:
        holding = {table: frame for table, frame in frames.items() if column in frame.columns}
        if not any(frame[column].dtype == pl.String for frame in holding.values()):
            continue
        for table, frame in holding.items():
            if frame[column].dtype == pl.Int64 and is_csv(given[table]):
                frames[table] = frame.with_columns(pl.col(column).cast(pl.String))

"""Tables as answers to SQL, by DuckDB and SQLite."""

import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from shortlist.choice import choice
from shortlist.data.text_columns import typed_frame
from shortlist.errors import DataError, first_line, require_extra

__all__ = ["Query", "ask"]

SQLITE_MAGIC = b"SQLite format 3\x00"
# What stands in quotes in SQL, or in a comment, where a quote ends nothing.
QUOTED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)


@choice
class Query:
    """A table as the answer to SQL: of a DuckDB or an SQLite file, or of DuckDB alone, which reads files by itself.

    Relative paths of files in DuckDB's SQL are taken from `folder`, in an experiment file from that file's own folder,
    and else from the working folder.

    >>> Query("select user, sku from 'clicks/*.parquet' where kind = 'buy'").database is None
    True
    """

    sql: str
    database: str | None = None
    folder: str | None = None

    def __str__(self) -> str:
        sql = " ".join(self.sql.split())
        where = "DuckDB" if self.database is None else self.database
        return f"the query {sql if len(sql) <= 60 else sql[:57] + '...'!r} of {where}"


def ask(query: Query, ids: Collection[str] = ()) -> pl.DataFrame:
    """The answer, its rows sorted by all columns: a database may give them in another order each time.

    SQLite knows no times, so its texts become times where every value is one, but not in the columns `ids`.
    """
    if query.database is not None and not Path(query.database).is_file():
        raise DataError(f"The database {query.database} is not there; check its path.")
    try:
        if _is_sqlite(query.database):
            frame = typed_frame(_ask_sqlite(query), times_only=True, ids=ids)
        else:
            frame = _ask_duckdb(query)
        return frame.sort(frame.columns) if frame.width else frame
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise DataError(f"{query} gave a table that cannot be read: {first_line(error)}.") from error


def _is_sqlite(database: str | None) -> bool:
    if database is None:
        return False
    with Path(database).open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC


def _ask_duckdb(query: Query) -> pl.DataFrame:
    require_extra("sql", ["duckdb", "pyarrow"])
    import duckdb

    try:
        with duckdb.connect(query.database or ":memory:", read_only=query.database is not None) as connection:
            if query.folder is not None:
                _refuse_hidden(query, Path(query.folder))
                folder = query.folder.replace("'", "''")
                connection.execute(f"set file_search_path = '{folder}'")
            relation = connection.sql(query.sql)
            if relation is None:
                raise _no_table(query)
            # Not pl.DataFrame(relation): after it DuckDB complains of leaks when the process ends.
            frame: pl.DataFrame = relation.pl()
            return frame
    except duckdb.Error as error:
        raise DataError(f"{query} failed: {first_line(error)}.") from error


def _refuse_hidden(query: Query, folder: Path) -> None:
    """Refuse a relative path that DuckDB would find in the working folder, where it looks first."""
    for quoted in QUOTED.findall(query.sql):
        name = "" if quoted.startswith(("--", "/*")) else quoted[1:-1]
        if _hides(Path(name), folder / name):
            raise DataError(
                f"{query} names {name!r}, which should lie in {folder}, but DuckDB would read the file of that name in "
                f"the working folder {Path.cwd()}. Write its path whole."
            )


def _hides(here: Path, there: Path) -> bool:
    """Whether a relative path is a file in the working folder, and another than the one in its own."""
    try:
        return not here.is_absolute() and here.is_file() and not (there.exists() and here.samefile(there))
    except (OSError, ValueError):  # a text that can be no path
        return False


def _ask_sqlite(query: Query) -> pl.DataFrame:
    import sqlite3

    address = f"{Path(query.database or '').resolve().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True)
        try:
            cursor = connection.execute(query.sql)
            if cursor.description is None:
                raise _no_table(query)
            names = [name for name, *_ in cursor.description]
            return pl.DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DataError(f"{query} failed: {first_line(error)}.") from error


def _no_table(query: Query) -> DataError:
    return DataError(f"{query} gives no table; write one that starts with select.")

"""Tables from files and queries; whatever is wrong with one is said with the file, the place and what to do."""

import codecs
import csv
import glob
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl

from shortlist.choice import choice
from shortlist.data.text_columns import typed_frame
from shortlist.errors import DataError, require_extra, shorten

__all__ = ["Query", "Source", "is_csv", "read_table"]

PARQUET_MAGIC = b"PAR1"
SQLITE_MAGIC = b"SQLite format 3\x00"


@choice
class Query:
    """A table as the answer to SQL: of a DuckDB or an SQLite file, or of DuckDB alone, which reads files by itself.

    >>> Query("select user, sku from 'clicks/*.parquet' where kind = 'buy'").database is None
    True
    """

    sql: str
    database: str | None = None

    def __str__(self) -> str:
        sql = " ".join(self.sql.split())
        where = "DuckDB" if self.database is None else self.database
        return f"the query {sql if len(sql) <= 60 else sql[:57] + '...'!r} of {where}"


# The path of a file, a folder or a glob, or a query.
Source = str | Query


def read_table(source: Source) -> pl.DataFrame:
    """The table that a source names.

    A path may be a file, a folder of files or a glob: Parquet (.parquet, .pq), CSV (.csv, and .tsv with tabs), JSON
    lines (.jsonl, .ndjson). Several files are one table, in the order of their names; they must have the same
    columns. Columns of CSV become numbers, times or truth values only where every value is one and would be written
    the same way again, so that ids keep their leading zeros; texts of JSON lines become times.

    Raises `DataError` for what is not there, cannot be read, or has no columns.
    """
    if isinstance(source, Query):
        return _query(source)
    paths = _files(source)
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        raise DataError(f"{source} holds files of several kinds: {shorten(sorted(kinds))}. Name those of one kind.")
    frames = [READERS[kind](path) for path in paths for kind in kinds]
    for path, frame in zip(paths, frames, strict=True):
        if frame.columns != frames[0].columns:
            raise DataError(
                f"{path} has the columns {shorten(frame.columns, 12)}, but {paths[0]} has "
                f"{shorten(frames[0].columns, 12)}. Files of one table need the same columns in the same order."
            )
    table = _concatenated(frames, source)
    match kinds.pop():
        case "parquet":
            return table
        case "json lines":
            return typed_frame(table, times_only=True)
        case _:
            return typed_frame(table)


def is_csv(source: Source) -> bool:
    """Whether a source is text without types, in which ids are whole numbers only as far as anyone can tell."""
    return isinstance(source, str) and all(_kind(path) in ("csv", "tsv") for path in _files(source))


def _files(source: str) -> list[Path]:
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [child for child in path.rglob("*") if child.is_file() and child.suffix.lower() in KINDS]
    else:
        # Path.glob takes no absolute pattern.
        matches = map(Path, glob.glob(source, recursive=True))  # noqa: PTH207
        found = [match for match in matches if match.is_file()]
    if not found:
        what = "holds no file that can be read" if path.is_dir() else "is not there"
        raise DataError(f"{source} {what}: expected {', '.join(KINDS)}, in a file, a folder or a glob. Check the path.")
    return sorted(found)


def _kind(path: Path) -> str:
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path} should end in one of {', '.join(KINDS)}, so that its kind is known; rename it.")
    return kind


def _concatenated(frames: list[pl.DataFrame], source: str) -> pl.DataFrame:
    for name in frames[0].columns:
        types = {str(frame[name].dtype) for frame in frames}
        if "String" in types and len(types) > 1:  # else numbers would become texts without a word
            raise DataError(
                f"The files of {source} do not have the same types: {name!r} is {shorten(sorted(types))}. Write it in "
                "one type."
            )
    try:
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed", rechunk=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"The files of {source} do not have the same types: {_first_line(error)}.") from error


def _parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {_first_line(error)}. {_remedy(path)}") from error


def _remedy(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(PARQUET_MAGIC)) not in (PARQUET_MAGIC, b""):
            return "It does not begin like Parquet; give it the ending of what it is."
    return "Is it whole? Copy it again."


def _csv(path: Path, separator: str = ",") -> pl.DataFrame:
    content = _text(path)
    if not content.strip():
        raise DataError(f"{path} is empty; expected a line of column names, then rows.")
    _, header = next(_rows(content[: content.find("\n") + 1 or None], separator))
    doubled = sorted({name for name in header if header.count(name) > 1})
    if not header:
        raise DataError(f"{path} has an empty first line; expected the column names there. Take the line out.")
    if doubled:
        raise DataError(f"{path} has the column {doubled[0]!r} twice in its first line; rename or drop one.")
    try:
        frame = pl.read_csv(content.encode(), infer_schema=False, separator=separator)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} cannot be read as CSV: {_ragged(content, separator) or _first_line(error)}. Correct it there."
        ) from error
    if frame.width and frame.to_series(frame.width - 1).null_count():
        ragged = _ragged(content, separator)  # a row that breaks off early reads as missing values
        if ragged:
            raise DataError(f"{path} cannot be read as CSV: {ragged}. Correct it there.")
    return frame


def _tsv(path: Path) -> pl.DataFrame:
    return _csv(path, separator="\t")


def _ragged(content: str, separator: str) -> str | None:
    """Where a row has another number of values than the first line has names, in words."""
    rows = _rows(content, separator)
    _, names = next(rows)
    for lines, row in rows:
        if row and len(row) != len(names):
            where = f"line {lines[0]}" if len(lines) == 1 else f"the row in lines {lines[0]} to {lines[-1]}"
            return f"{where} has {len(row)} values, but the first line names {len(names)} columns"
    return None


def _rows(content: str, separator: str) -> Iterator[tuple[range, list[str]]]:
    """The rows of CSV with their lines, which are several where a value in quotes has line breaks."""
    limit = csv.field_size_limit(2**31 - 1)  # for the process; else a long text would be an error
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
        first = 1
        for row in reader:
            yield range(first, reader.line_num + 1), row
            first = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _json_lines(path: Path) -> pl.DataFrame:
    content = _text(path)
    if not content.strip():
        raise DataError(f"{path} is empty; expected a JSON object in each line.")
    try:
        frame = pl.read_ndjson(content.encode(), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        where = _broken_line(content) or _first_line(error)
        raise DataError(
            f"{path} cannot be read as JSON lines: {where}. Write one whole object in each line."
        ) from error
    mixed = [column.name for column in frame if column.dtype == pl.String and _looks_mixed(column)]
    if mixed:
        _refuse_mixed(path, content, mixed)
    return frame


def _looks_mixed(texts: pl.Series) -> bool:
    return texts.drop_nulls().str.contains(r"^-?[0-9.]+([eE][+-]?[0-9]+)?$").any()


def _refuse_mixed(path: Path, content: str, columns: list[str]) -> None:
    """Numbers among texts would become texts without a word."""
    kinds: dict[str, type] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        values = json.loads(line) if line.strip() else {}
        for column in columns:
            value = values.get(column)
            if value is not None and kinds.setdefault(column, type(value)) is not type(value):
                raise DataError(
                    f"{path}, line {number}: column {column!r} holds {value!r} ({type(value).__name__}), but the lines "
                    f"before hold {kinds[column].__name__}. Write all its values in one type."
                )


def _broken_line(content: str) -> str | None:
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            return f"line {number}, column {error.colno}: {error.msg}"
        except (ValueError, RecursionError) as error:
            return f"line {number}: {error}"
        if not isinstance(value, dict):
            return f'line {number} should be an object such as {{"user": 1}}, but it is {type(value).__name__}'
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON, null is")


def _text(path: Path) -> str:
    """The file as text; raises `DataError` naming the line of the first byte that is no UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte {error.start} is {content[error.start]:#04x}, which is no UTF-8. Save the file "
            "as UTF-8."
        ) from error


def _query(query: Query) -> pl.DataFrame:
    if query.database is not None and not Path(query.database).is_file():
        raise DataError(f"The database {query.database} is not there; check its path.")
    try:
        frame = _ask_sqlite(query) if _is_sqlite(query.database) else _ask_duckdb(query)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise DataError(f"{query} gave a table that cannot be read: {_first_line(error)}.") from error
    return frame


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
            relation = connection.sql(query.sql)
            if relation is None:
                raise _no_table(query)
            # Not pl.DataFrame(relation): after it DuckDB complains of leaks when the process ends.
            frame: pl.DataFrame = relation.pl()
            return frame
    except duckdb.Error as error:
        raise DataError(f"{query} failed: {_first_line(error)}.") from error


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
        raise DataError(f"{query} failed: {_first_line(error)}.") from error


def _no_table(query: Query) -> DataError:
    return DataError(f"{query} gives no table; write one that starts with select.")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".!") if lines else type(error).__name__


# The endings that are read, and how.
KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
}
READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "parquet": _parquet,
    "csv": _csv,
    "tsv": _tsv,
    "json lines": _json_lines,
}

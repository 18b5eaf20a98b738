"""Tables from files and queries; whatever is wrong with one is said with the file, the place and what to do."""

import glob
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from shortlist.data.queries import Query, ask
from shortlist.data.text_columns import typed_frame
from shortlist.data.text_files import read_csv, read_json_lines, read_tsv
from shortlist.errors import DataError, first_line, shorten

__all__ = ["Query", "Source", "is_csv", "read_table"]

PARQUET_MAGIC = b"PAR1"
# The value in a folder's name that stands for a missing one.
MISSING_KEY = "__HIVE_DEFAULT_PARTITION__"

# The path of a file, a folder or a glob, or a query.
Source = str | Query


def read_table(source: Source, *, ids: Collection[str] = ()) -> pl.DataFrame:
    """The table that a source names.

    A path may be a file, a folder of files or a glob: Parquet (.parquet, .pq), CSV (.csv, and .tsv with tabs), JSON
    lines (.jsonl, .ndjson). Several files are one table, in the order of their names; they must have the same
    columns. Below a folder, and below the first sign of a glob, folders named `key=value` are columns; files and
    folders that begin with `_` or `.` are left out. The rows of a query are sorted by all columns.

    Columns of CSV become numbers, times or truth values only where every value is one, or empty. The columns `ids`
    become whole numbers where each would be written the same way again, and stay texts else: "007", "1.10" and "12e5"
    are ids as they stand. Texts of JSON lines and of SQLite become times.

    Raises `DataError` for what is not there, cannot be read, or has no columns.
    """
    if isinstance(source, Query):
        return ask(source, ids)
    paths, root = _files(source)
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        raise DataError(f"{source} holds files of several kinds: {shorten(sorted(kinds))}. Name those of one kind.")
    kind = kinds.pop()
    frames, keys = [], dict[str, None]()
    for path in paths:
        frame = READERS[kind](path)
        found = {key: value for key, value in _partition(path, root).items() if key not in frame.columns}
        keys |= dict.fromkeys(found)
        frames.append(frame.with_columns(pl.lit(value, pl.String).alias(key) for key, value in found.items()))
    for path, frame in zip(paths, frames, strict=True):
        if frame.columns != frames[0].columns:
            raise DataError(
                f"{path} has the columns {shorten(frame.columns, 12)}, but {paths[0]} has "
                f"{shorten(frames[0].columns, 12)}. Files of one table need the same columns in the same order."
            )
    table = _concatenated(frames, source)
    if kind in ("csv", "tsv"):
        return typed_frame(table, ids=ids)
    if kind == "json lines":
        table = typed_frame(table, times_only=True, ids=ids)
    return table.with_columns(typed_frame(table.select(list(keys)), ids=ids)) if keys else table


def is_csv(source: Source) -> bool:
    """Whether a source is text without types, in which ids are whole numbers only as far as anyone can tell."""
    return isinstance(source, str) and all(_kind(path) in ("csv", "tsv") for path in _files(source)[0])


def _files(source: str) -> tuple[list[Path], Path]:
    """The files that a path names, and the folder below which the names of folders mean something."""
    path = Path(source)
    if path.is_file():
        return [path], path.parent
    if path.is_dir():
        root, found = path, [child for child in path.rglob("*") if child.is_file() and child.suffix.lower() in KINDS]
    else:
        plain = list(path.parts)
        while any(map(glob.has_magic, plain)):
            plain.pop()
        root = Path(*plain)
        # Path.glob takes no absolute pattern.
        matches = map(Path, glob.glob(source, recursive=True))  # noqa: PTH207
        found = [match for match in matches if match.is_file()]
    if "**" in path.parts or path.is_dir():  # else the glob says itself what it wants
        found = [one for one in found if not any(part[0] in "._" for part in one.relative_to(root).parts)]
    if not found:
        what = "holds no file that can be read" if path.is_dir() else "is not there"
        raise DataError(f"{source} {what}: expected {', '.join(KINDS)}, in a file, a folder or a glob. Check the path.")
    return sorted(found), root


def _partition(path: Path, root: Path) -> dict[str, str | None]:
    """The keys and values in the names of the folders between, as Hive, Spark and Polars write them."""
    named = [folder.partition("=") for folder in path.relative_to(root).parts[:-1] if "=" in folder]
    return {unquote(key): None if value == MISSING_KEY else unquote(value) for key, _, value in named}


def _kind(path: Path) -> str:
    ending = path.suffix.lower()
    if ending in KINDS:
        return KINDS[ending]
    expected = f"{path} should end in one of {', '.join(KINDS)}, so that its kind is known"
    if ending in PACKED:
        raise DataError(f"{expected}, but it is packed. Unpack it first.")
    if ending == ".json":
        raise DataError(f"{expected}; JSON is read with one object a line. Write it so, and call it {path.stem}.jsonl.")
    if ending in DATABASES:
        raise DataError(
            f"{expected}, but it is a database. Give an experiment file a query to it: "
            f'interactions = {{ sql = "...", database = "{path}" }}.'
        )
    raise DataError(f"{expected}; rename it.")


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
        raise DataError(f"The files of {source} do not have the same types: {first_line(error)}.") from error


def _parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}. {_remedy(path)}") from error


def _remedy(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(PARQUET_MAGIC)) not in (PARQUET_MAGIC, b""):
            return "It does not begin like Parquet; give it the ending of what it is."
    return "Is it whole? Copy it again."


# The endings that are read, and how.
KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
}
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".7z")
DATABASES = (".db", ".sqlite", ".sqlite3", ".duckdb")
READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "parquet": _parquet,
    "csv": read_csv,
    "tsv": read_tsv,
    "json lines": read_json_lines,
}

"""Tables from files of text, CSV and JSON lines; what is wrong with one is said with its line."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from shortlist.errors import DataError, first_line, shorten

__all__ = ["read_csv", "read_json_lines", "read_tsv"]

# How Polars writes numbers, truth values, lists and objects where it makes texts of them.
NO_TEXT = r"^(-?[0-9.]+([eE][+-]?[0-9]+)?$|true$|false$|[\[{])"


def read_csv(path: Path, separator: str = ",") -> pl.DataFrame:
    """The table in a file of CSV, all its columns texts."""
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
            f"{path} cannot be read as CSV: {_ragged(content, separator) or first_line(error)}. Correct it there."
        ) from error
    if frame.width and frame.to_series(frame.width - 1).null_count() and not _is_full(frame, content, separator):
        ragged = _ragged(content, separator)  # a row that breaks off early reads as missing values
        if ragged:
            raise DataError(f"{path} cannot be read as CSV: {ragged}. Correct it there.")
    return frame


def read_tsv(path: Path) -> pl.DataFrame:
    """The table in a file of CSV with tabs."""
    return read_csv(path, separator="\t")


def _is_full(frame: pl.DataFrame, content: str, separator: str) -> bool:
    """Whether there are as many separators as rows without a gap need: quicker to see than where one is short."""
    within = sum(name.count(separator) for name in frame.columns)
    within += sum(frame.select(pl.all().str.count_matches(separator, literal=True).sum()).row(0))
    gaps: int = content.count(separator) - within
    return gaps == (frame.height + 1) * (frame.width - 1)


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


def read_json_lines(path: Path) -> pl.DataFrame:
    """The table in a file of JSON objects, one a line."""
    content = _text(path)
    if not content.strip():
        raise DataError(f"{path} is empty; expected a JSON object in each line.")
    try:
        frame = pl.read_ndjson(content.encode(), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        where = _broken_line(content)
        if where is None:
            _refuse_mixed(path, content)
        raise DataError(
            f"{path} cannot be read as JSON lines: {where or first_line(error)}. Write one whole object in each line."
        ) from error
    if any(_may_be_mixed(column, content) for column in frame):
        _refuse_mixed(path, content)
    return frame


def _may_be_mixed(column: pl.Series, content: str) -> bool:
    """Whether some texts of the column may be no texts in the file: only a second look, line by line, can tell."""
    in_lists = isinstance(column.dtype, pl.List)
    texts = column.explode() if in_lists else column
    if texts.dtype != pl.String or not texts.drop_nulls().str.contains(NO_TEXT).any():
        return False
    if in_lists or not column.name.isascii():  # other letters may be escaped in the file
        return True
    return re.search(re.escape(json.dumps(column.name)) + r'\s*:\s*[^"\sn]', content) is not None  # n of null


def _refuse_mixed(path: Path, content: str) -> None:
    """Numbers, truth values, lists and objects among texts would become texts without a word."""
    kinds: dict[tuple[str, str], str] = {}
    for number, line in enumerate(content.split("\n"), start=1):
        for column, value in (json.loads(line) if line.strip() else {}).items():
            within = value if isinstance(value, list) else []
            for where, before, one in [("", "lines", value), *((" in a list", "lists", inner) for inner in within)]:
                kind = type(one).__name__
                known = kinds.setdefault((column, where), kind) if one is not None else kind
                if kind != known and {kind, known} != {"int", "float"}:
                    raise DataError(
                        f"{path}, line {number}: column {column!r} holds {shorten([one])} ({kind}){where}, but the "
                        f"{before} before hold {known}. Write all its values in one type."
                    )


def _broken_line(content: str) -> str | None:
    for number, line in enumerate(content.split("\n"), start=1):
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

"""Which rows of a table meet a condition."""

import datetime as dt
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.data.conditions import All, AnyOf, Compare, Not
from shortlist.errors import DataError, shorten

__all__ = ["comparable_columns", "matching_rows", "type_word"]

Mask = npt.NDArray[np.bool_]
Compares = Callable[[Any, Any], Any]
COMPARISONS: dict[str, Compares] = {
    "at_least": operator.ge,
    "above": operator.gt,
    "at_most": operator.le,
    "below": operator.lt,
}


def type_word(dtype: pl.DataType) -> str | None:
    """What a condition calls the type of a column: number, text, truth, time, or a list of one of them; else None.

    >>> type_word(pl.Int64()), type_word(pl.List(pl.String)), type_word(pl.Struct({"a": pl.Int64}))
    ('number', 'list of text', None)
    """
    if isinstance(dtype, pl.List | pl.Array):
        inner = type_word(dtype.inner)  # type: ignore[arg-type]
        return None if inner is None or " " in inner else f"list of {inner}"
    if dtype == pl.Boolean:
        return "truth"
    if dtype.is_numeric():
        return "number"
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    return "time" if dtype == pl.Date or isinstance(dtype, pl.Datetime) else None


def comparable_columns(table: pl.DataFrame) -> pl.DataFrame:
    """The columns that a condition can read; vectors (arrays, and lists of decimal numbers) are none."""
    kept = [
        column
        for column in table
        if type_word(column.dtype) is not None
        and not isinstance(column.dtype, pl.Array)
        and not (isinstance(column.dtype, pl.List) and column.dtype.inner.is_float())
    ]
    return table.select(column.name for column in kept)


def matching_rows(condition: All | AnyOf | Compare | Not, table: pl.DataFrame) -> Mask:
    """Whether each row [N] of the table meets the condition.

    Raises `DataError` for a column that the table does not have and for a value of another type than the column's.

    >>> from shortlist.data.conditions import read_condition
    >>> films = pl.DataFrame({"year": [1977, 1995, None], "genres": [["War"], ["Drama", "War"], []]})
    >>> matching_rows(read_condition({"column": "year", "at_least": 1990}), films).tolist()
    [False, True, False]
    >>> matching_rows(read_condition({"not": {"column": "genres", "has": "Drama"}}), films).tolist()
    [True, False, True]
    """
    match condition:
        case All(all=parts):
            return _all([matching_rows(part, table) for part in parts])
        case AnyOf(any=parts):
            return _any([matching_rows(part, table) for part in parts])
        case Not(negated=part):
            return ~matching_rows(part, table)
    if condition.column not in table.columns:
        raise DataError(
            f"No item column {condition.column!r} can be compared; there are "
            f"{shorten(table.columns, 12) or 'none, for the items came without a table'}."
        )
    values = table[condition.column]
    return _all([_compare(values, word, value) for word, value in condition.comparisons.items()])


def _compare(values: pl.Series, word: str, value: Any) -> Mask:
    """Whether each value [N] meets one comparison."""
    kind = type_word(values.dtype) or ""
    is_list = kind.startswith("list of ")
    if word == "missing":
        return _absent(values, is_list) if value else ~_absent(values, is_list)
    if is_list != (word == "has"):
        suited = "has and missing" if is_list else "equals, one_of, missing and, for numbers and times, the bounds"
        raise DataError(f"{word} does not suit the item column {values.name!r}, a {kind}: it takes {suited}.")
    if word in COMPARISONS:
        return _ordered(values, kind, word, value)
    wanted = value if word == "one_of" else (value,)
    parts = values.explode(empty_as_null=True) if is_list else values
    found = _is_one_of(parts, kind.removeprefix("list of "), wanted)
    if not is_list:
        return found
    lengths = values.list.len().fill_null(0).clip(1).to_numpy()  # an empty list explodes to one missing value
    owner = np.repeat(np.arange(len(values)), lengths)
    return np.greater(np.bincount(owner, found, minlength=len(values)), 0)


def _absent(values: pl.Series, is_list: bool) -> Mask:
    """Which values [N] are missing: no value, NaN, or a list of nothing."""
    if is_list:
        return (values.list.len().fill_null(0) == 0).to_numpy()
    absent = values.is_null() | values.is_nan().fill_null(True) if values.dtype.is_float() else values.is_null()
    return absent.to_numpy()


def _is_one_of(values: pl.Series, kind: str, wanted: tuple[Any, ...]) -> Mask:
    for one in wanted:
        _check_type(values, kind, one)
    if kind == "number":
        return _any([_of_numbers(operator.eq, values, one) for one in wanted])
    if kind == "time":
        times = _times(values)
        return _any([_filled(times == _time(one, values.name)) for one in wanted])
    if kind == "text":
        return _filled(values.cast(pl.String).is_in(list(wanted)))
    return _filled(values.is_in(list(wanted)))


def _ordered(values: pl.Series, kind: str, word: str, bound: Any) -> Mask:
    if kind not in ("number", "time"):
        raise DataError(f"{word} compares numbers and times, but the item column {values.name!r} holds {kind}.")
    _check_type(values, kind, bound)
    compare = COMPARISONS[word]
    if kind == "number":
        return _of_numbers(compare, values, bound)
    return _filled(compare(_times(values), _time(bound, values.name)))


def _of_numbers(compare: Compares, values: pl.Series, number: float) -> Mask:
    """Whether numbers [N] compare so with another: whole ones exactly, and float32 as the number is in float32."""
    if values.dtype == pl.Float32:
        number = float(np.float32(number))
    elif values.dtype.is_decimal():
        values = values.cast(pl.Float64)
    present = values.drop_nulls().to_numpy()
    met = np.zeros(len(values), np.bool_)
    met[values.is_not_null().to_numpy()] = compare(present, number)
    return met


def _all(met: list[Mask]) -> Mask:
    return np.logical_and.reduce(met)  # type: ignore[no-any-return]


def _any(met: list[Mask]) -> Mask:
    return np.logical_or.reduce(met)  # type: ignore[no-any-return]


def _filled(met: pl.Series) -> Mask:
    return met.fill_null(False).to_numpy()


def _check_type(values: pl.Series, kind: str, value: Any) -> None:
    types: dict[str, tuple[type, ...]] = {"number": (int, float), "text": (str,), "truth": (bool,), "time": (str,)}
    fits = isinstance(value, types[kind]) and (kind == "truth" or not isinstance(value, bool))
    if not fits:
        raise DataError(f"The item column {values.name!r} holds {kind}, but the condition compares it with {value!r}.")


def _times(values: pl.Series) -> pl.Series:
    """Dates and times as times in UTC, without a zone, in microseconds."""
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us"))


def _time(text: str, column: str) -> dt.datetime:
    """The time that a text names, in UTC where it names no zone."""
    try:
        time = dt.datetime.fromisoformat(text)
        zoned = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
        return zoned.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"The item column {column!r} holds times, which compare with a date or time such as 2026-01-31 or "
            f"2026-01-31T12:00, not with {text!r}."
        ) from error

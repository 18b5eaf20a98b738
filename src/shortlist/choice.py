"""A choice: a frozen record of what a user decides, checked when it is made.

The same class serves the Python API, where it is called, and experiment files, where pydantic reads it
from a table; both refuse the same values with the same words.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from shortlist.errors import SettingsError

__all__ = ["choice", "explain"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def choice(cls: type[T]) -> type[T]:
    """Make a class of annotated fields a frozen, validated dataclass whose errors are `SettingsError`.

    >>> from typing import Annotated
    >>> from pydantic import Field
    >>> @choice
    ... class Stride:
    ...     length: Annotated[int, Field(gt=0)]
    >>> Stride(3)
    Stride(length=3)
    >>> Stride(0)
    Traceback (most recent call last):
    ...
    shortlist.errors.SettingsError: Stride: length should be greater than 0, but it is 0.
    """
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    made: Any = pydantic_dataclass(frozen=True, config=config)(cls)
    validate: Callable[..., None] = made.__init__
    fields = [field.name for field in dataclasses.fields(made)]

    @functools.wraps(validate)
    def checked(self: T, *args: Any, **kwargs: Any) -> None:
        try:
            validate(self, *args, **kwargs)
        except ValidationError as error:
            problems = [{**problem, "loc": _named(problem["loc"], fields)} for problem in error.errors()]
            raise SettingsError(f"{cls.__name__}: {explain(problems)}") from None

    # pydantic's own constructor skips this one, so nested choices are explained by the outermost.
    made.__init__ = checked
    return made  # type: ignore[no-any-return]


def explain(problems: Iterable[Any]) -> str:
    """Pydantic's findings as sentences that name the field, what was expected and what came."""
    listed = list(problems)
    return " ".join(_sentence(problem) for problem in listed if not _echoes(problem, listed))


def _echoes(problem: Any, problems: list[Any]) -> bool:
    """Whether a list is called too short only because its entries, named in other findings, were refused."""
    loc = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in problems
    )


def _named(loc: tuple[Any, ...], fields: list[str]) -> tuple[Any, ...]:
    """Arguments given by position are located by number; name them instead."""
    return (fields[loc[0]], *loc[1:]) if loc and isinstance(loc[0], int) and loc[0] < len(fields) else loc


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the value"
    match problem["type"]:
        case "missing" | "missing_argument":
            return f"{where} is missing."
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"{where} is not a known key; take it out or correct its spelling."
        case "unexpected_positional_argument":
            return f"{_short(problem['input'])} is one argument too many."
        case "value_error":
            # Our own checks carry their own sentence.
            return f"{where}: {problem['ctx']['error']}" if problem["loc"] else str(problem["ctx"]["error"])
    expected = problem["msg"].removeprefix("Input ").removeprefix("Value ")
    return f"{where} {expected[0].lower()}{expected[1:]}, but it is {_short(problem['input'])}."


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

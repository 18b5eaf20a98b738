"""A choice: a frozen record of what a user decides, checked when it is made.

The same class serves the Python API, where it is called, and experiment files, where pydantic reads it
from a table; both refuse the same values with the same words.
"""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, Strict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from shortlist.errors import SettingsError

__all__ = ["Number", "Positive", "Seed", "Share", "Whole", "choice", "explain"]

T = TypeVar("T")

# Numbers that are written as numbers: neither true nor "20" is one.
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Positive = Annotated[Whole, Field(gt=0)]
# A chance or a share that leaves something over.
Share = Annotated[Number, Field(ge=0, lt=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**63)]

# Where a field takes one of several types, pydantic puts the type it tried into the path: "int", "tuple[float, ...]".
TRIED_TYPE = re.compile(r"(int|float|str|bool|constrained-\w+|(tuple|list|dict|literal|union)\[.*\])$")


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
    listed = [{**problem, "loc": _place(problem)} for problem in problems]
    told = (problem for problem in listed if not _echoes(problem, listed))
    return " ".join(_sentence(list(same)) for _, same in itertools.groupby(told, key=lambda problem: problem["loc"]))


def _place(problem: Any) -> tuple[Any, ...]:
    """Where the problem is, without the types that were tried there."""
    tried = problem.get("ctx", {}).get("class_name")  # a class stands in the path by its name
    return tuple(part for part in problem["loc"] if part != tried and not _is_type(part))


def _is_type(part: Any) -> bool:
    return isinstance(part, str) and TRIED_TYPE.match(part) is not None


def _echoes(problem: Any, problems: list[Any]) -> bool:
    """Whether a list is called too short only because its entries, named in other findings, were refused."""
    loc = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in problems
    )


def _named(loc: tuple[Any, ...], fields: list[str]) -> tuple[Any, ...]:
    """Arguments given by position are located by number; name them instead."""
    return (fields[loc[0]], *loc[1:]) if loc and isinstance(loc[0], int) and loc[0] < len(fields) else loc


def _sentence(problems: list[Any]) -> str:
    """What is wrong in one place: one finding, or one for each type that the place could have had."""
    where = ".".join(str(part) for part in problems[0]["loc"]) or "the value"
    problem = problems[0]
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
    expected = ", or ".join(_expected(problem) for problem in problems)
    return f"{where} {expected}, but it is {_short(problem['input'])}."


def _expected(problem: Any) -> str:
    if problem["type"] == "too_short":
        least = problem["ctx"]["min_length"]
        return f"should have at least {least} {'entry' if least == 1 else 'entries'}"
    expected: str = problem["msg"].removeprefix("Input ").removeprefix("Value ")
    return f"{expected[0].lower()}{expected[1:]}".replace("tuple", "list")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

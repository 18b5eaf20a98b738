"""Conditions on a table's columns: a small closed grammar in JSON, with no code and no SQL in it.

| a condition | holds where |
|---|---|
| `{"column": "year", "at_least": 1990, "below": 2000}` | the column's value meets every comparison |
| `{"all": [condition, ...]}` | every one holds |
| `{"any": [condition, ...]}` | one of them holds |
| `{"not": condition}` | it does not hold |

A comparison with a missing value does not hold, so that its `not` does.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from shortlist.choice import explain
from shortlist.errors import SettingsError

__all__ = ["All", "AnyOf", "Compare", "Condition", "Not", "read_condition"]

MAX_DEPTH, MAX_PARTS, MAX_VALUES, MAX_TEXT = 8, 100, 1_000, 1_024
# Problems that an error tells of: the first mostly says it all.
MAX_TOLD = 5

Text = Annotated[StrictStr, Field(max_length=MAX_TEXT)]
Whole = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
Decimal = Annotated[FiniteFloat, Field(strict=True)]
Value = StrictBool | Whole | Decimal | Text
# A number, or a date or time such as "2026-01-31" or "2026-01-31T12:00".
Bound = Whole | Decimal | Text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Compare(_Part):
    """What one column's value must be: every comparison that is given must hold.

    `equals` and `one_of` take values of the column's type. `at_least`, `above`, `at_most` and `below` compare numbers,
    dates and times. `has` looks for a value in a column of lists. `missing` asks whether there is a value at all; an
    empty list is none.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"minProperties": 2, "examples": [{"column": "year", "at_least": 1990, "below": 2000}]},
    )

    column: Text
    equals: Value | None = None
    one_of: Annotated[tuple[Value, ...], Field(fail_fast=True, min_length=1, max_length=MAX_VALUES)] | None = None
    at_least: Bound | None = None
    above: Bound | None = None
    at_most: Bound | None = None
    below: Bound | None = None
    has: Value | None = None
    missing: StrictBool | None = None

    @model_validator(mode="after")
    def _compares(self) -> Self:
        nothing = [name for name in self.model_fields_set if getattr(self, name) is None]
        if nothing:
            raise ValueError(f"{sorted(nothing)[0]} is null, which compares with nothing; ask for missing instead.")
        if not self.comparisons:
            known = ", ".join(name for name in type(self).model_fields if name != "column")
            raise ValueError(f"column {self.column!r} is compared with nothing; give one of {known}.")
        return self

    @property
    def comparisons(self) -> dict[str, Any]:
        """The comparisons that are given, by their words."""
        return {name: value for name, value in self if name != "column" and value is not None}


class All(_Part):
    """Every one of the conditions holds."""

    all: Annotated[tuple["Condition", ...], Field(fail_fast=True, min_length=1, max_length=MAX_PARTS)]


class AnyOf(_Part):
    """One of the conditions holds, or several."""

    any: Annotated[tuple["Condition", ...], Field(fail_fast=True, min_length=1, max_length=MAX_PARTS)]


class Not(_Part):
    """The condition does not hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    negated: Annotated["Condition", Field(alias="not")]


def _tag(value: Any) -> str:
    """Which kind of condition this is, by the key that only that kind has."""
    match value:
        case Mapping():
            return next((word for word in ("all", "any", "not") if word in value), "compare")
        case All():
            return "all"
        case AnyOf():
            return "any"
        case Not():
            return "not"
    return "compare"


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Compare, Tag("compare")],
    Discriminator(_tag),
]

for _kind in (All, AnyOf, Not):
    _kind.model_rebuild()
_READER: TypeAdapter[All | AnyOf | Not | Compare] = TypeAdapter(Condition)


def read_condition(value: Any) -> All | AnyOf | Not | Compare:
    """The condition that a mapping, such as JSON gives, stands for; a condition comes back as it is.

    Raises `SettingsError` for what is none, and for one of more than 100 parts or nested more than 8 deep.

    >>> read_condition({"not": {"column": "year", "below": 1990}}).negated.comparisons
    {'below': 1990}
    >>> read_condition({"column": "year", "sql": "1; drop table"})
    Traceback (most recent call last):
    ...
    shortlist.errors.SettingsError: The condition cannot be read: sql is not a known key; take it out or correct its \
spelling. A condition is {"column": ..., "equals": ...} or another comparison, {"all": [...]}, {"any": [...]} or \
{"not": ...}.
    """
    try:
        condition = value if isinstance(value, _Part) else _READER.validate_python(value)
    except ValidationError as error:
        problems = [{**problem, "loc": _path(problem["loc"])} for problem in error.errors()[:MAX_TOLD]]
        if any(str(problem["type"]).startswith("recursion") for problem in problems):
            text = f"A condition should be nested at most {MAX_DEPTH} deep, but it is much deeper."
            raise SettingsError(text) from None
        raise SettingsError(
            f"The condition cannot be read: {explain(problems)} A condition is "
            '{"column": ..., "equals": ...} or another comparison, {"all": [...]}, {"any": [...]} or {"not": ...}.'
        ) from None
    parts, depth = _size(condition)
    if parts > MAX_PARTS or depth > MAX_DEPTH:
        raise SettingsError(
            f"A condition should have at most {MAX_PARTS} parts and be nested at most {MAX_DEPTH} deep, but it has "
            f"{parts} and is {depth} deep. Use one_of for many values of one column."
        )
    return condition  # type: ignore[return-value]


def _path(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The place in the JSON: pydantic puts its kind before the keys of each condition."""
    places: list[Any] = []
    of_kind = True
    for part in loc:
        if not of_kind:
            places.append(part)
        of_kind = not of_kind and (isinstance(part, int) or part == "not")
    return tuple(places)


def _size(condition: Any) -> tuple[int, int]:
    """How many parts a condition has, and how deep it is."""
    match condition:
        case All(all=inner) | AnyOf(any=inner):
            sizes = [_size(part) for part in inner]
        case Not(negated=inner):
            sizes = [_size(inner)]
        case _:
            return 1, 1
    return 1 + sum(parts for parts, _ in sizes), 1 + max(depth for _, depth in sizes)

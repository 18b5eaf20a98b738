"""What requests give: bodies and query strings, closed and checked, with the limits of one server in them."""

import dataclasses
from typing import Annotated, Any, TypeVar

from annotated_types import BaseMetadata, Ge, Le, MaxLen
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    create_model,
)

from shortlist.data.conditions import Condition, read_condition
from shortlist.serving.settings import Limits

__all__ = [
    "BatchBody",
    "Id",
    "ListQuery",
    "Payloads",
    "RecommendBody",
    "RecommendQuery",
    "SearchQuery",
    "SimilarBody",
    "StageBody",
    "payloads_within",
]

M = TypeVar("M", bound=BaseModel)

# How many columns a query gives at most, and how many entries one value of it holds.
MAX_COLUMNS, MAX_ENTRIES = 1_000, 10_000


def _whole(value: object) -> object:
    """10.0 is a whole number in JSON; neither "10" nor true is."""
    return int(value) if type(value) is float and value.is_integer() else value


def _from_digits(value: object) -> object:
    """What a query string calls a whole number: digits, and at most 18 of them."""
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    return int(str(value)) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else value


def _from_word(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _few(value: object) -> object:
    """Columns are counted before their values are looked at; each that is wrong would be told in several ways."""
    if isinstance(value, dict) and len(value) > MAX_COLUMNS:
        raise ValueError(f"at most {MAX_COLUMNS:,} columns were expected, but {len(value):,} came. Leave some out.")
    return value


Count = Annotated[StrictInt, Ge(1), BeforeValidator(_whole)]
Digits = Annotated[StrictInt, Ge(1), BeforeValidator(_from_digits)]
Word = Annotated[StrictBool, BeforeValidator(_from_word)]
Id = Annotated[StrictStr | StrictInt, BeforeValidator(_whole)]
Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
# Of a list the first entry that is wrong is told, and no other looked for.
Entries = Annotated[list[StrictStr | Number], Field(max_length=MAX_ENTRIES, fail_fast=True)]
Value = StrictStr | Number | StrictBool | None | Entries
Query = Annotated[dict[str, Value], Field(max_length=MAX_COLUMNS), BeforeValidator(_few)]
Ids = Annotated[list[Id], Field(fail_fast=True)]
Where = Annotated[Any, PlainValidator(read_condition, json_schema_input_type=Condition)]


class _Closed(BaseModel):
    """Keys that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


class RecommendBody(_Closed):
    """One query for recommendations; everything may be left out."""

    query: Query = Field(default_factory=dict, description="Values by column, as GET /model lists them.")
    k: Count = Field(default=10, description="How many items at most.")
    history: Ids = Field(default_factory=list, description="Items touched since training, the latest last.")
    exclude_seen: StrictBool = Field(default=True, description="Leave out what the user had touched.")
    exclude: Ids = Field(default_factory=list, description="Items to leave out.")
    allow: Ids | None = Field(default=None, description="The only items that may come back.")
    where: Where | None = Field(default=None, description="A condition on the items' columns.")
    explain: StrictBool = Field(default=False, description="Say why each item stands there.")


class BatchBody(_Closed):
    """Several queries, answered by one model."""

    requests: Annotated[list[RecommendBody], Field(min_length=1, fail_fast=True)] = Field(
        description="Bodies of POST /recommend."
    )


class SimilarBody(_Closed):
    """One item whose neighbours are wanted."""

    item_id: Id = Field(description="The item.")
    k: Count = Field(default=10, description="How many items at most.")
    exclude: Ids = Field(default_factory=list, description="Items to leave out.")
    allow: Ids | None = Field(default=None, description="The only items that may come back.")
    where: Where | None = Field(default=None, description="A condition on the items' columns.")


class StageBody(_Closed):
    """One bundle of the server's folder."""

    name: StrictStr = Field(description="The name of its folder, as GET /bundles lists them.")


class RecommendQuery(_Closed):
    """The query string of GET /recommend/{user_id}."""

    k: Digits = Field(default=10, description="How many items at most.")
    exclude_seen: Word = Field(default=True, description="Leave out what the user had touched.")
    explain: Word = Field(default=False, description="Say why each item stands there.")


class SimilarQuery(_Closed):
    """The query string of GET /items/{item_id}/similar."""

    k: Digits = Field(default=10, description="How many items at most.")


class SearchQuery(_Closed):
    """The query string of GET /items."""

    search: StrictStr = Field(
        default="", description="A part of the label, in any case; left out: the most popular items."
    )
    limit: Digits = Field(default=20, description="How many items at most.")


class ListQuery(_Closed):
    """The query string of GET /users/{user_id}/items."""

    limit: Digits = Field(default=50, description="How many items at most.")


class NoQuery(_Closed):
    """A query string that should be empty."""


@dataclasses.dataclass(frozen=True)
class Payloads:
    """The models of one server."""

    recommend: type[RecommendBody]
    batch: type[BatchBody]
    similar: type[SimilarBody]
    recommend_query: type[RecommendQuery]
    similar_query: type[SimilarQuery]
    search_query: type[SearchQuery]
    list_query: type[ListQuery]


def payloads_within(limits: Limits) -> Payloads:
    """The models with a server's limits in them, so that what is checked is what its OpenAPI document says."""
    k, ids = Le(limits.max_k), MaxLen(limits.max_ids)
    recommend = _tightened(RecommendBody, k=k, history=ids, exclude=ids, allow=ids)
    batch = Field(min_length=1, max_length=limits.max_batch, fail_fast=True)
    requests: Any = (Annotated[list[recommend], batch], ...)  # type: ignore[valid-type]
    return Payloads(
        recommend=recommend,
        batch=create_model("BatchBody", __base__=BatchBody, __doc__=BatchBody.__doc__, requests=requests),
        similar=_tightened(SimilarBody, k=k, exclude=ids, allow=ids),
        recommend_query=_tightened(RecommendQuery, k=k),
        similar_query=_tightened(SimilarQuery, k=k),
        search_query=_tightened(SearchQuery, search=MaxLen(limits.max_search), limit=k),
        list_query=_tightened(ListQuery, limit=k),
    )


def _tightened(model: type[M], **bounds: BaseMetadata) -> type[M]:
    """The model with one more bound on each of these fields.

    The bound stands before the field's own checks, on the type itself, or its schema would not tell of it.
    """
    fields: dict[str, Any] = {}
    for name, bound in bounds.items():
        field = model.model_fields[name]
        told: dict[str, Any] = {"description": field.description}
        told |= (
            {"default": _within(bound, field.default)} if field.default_factory is None else {"default_factory": list}
        )
        fields[name] = (Annotated[field.annotation, bound, *field.metadata], Field(**told))
    return create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)


def _within(bound: BaseMetadata, default: Any) -> Any:
    """The default, or the bound where that is lower."""
    return min(default, bound.le) if isinstance(bound, Le) else default

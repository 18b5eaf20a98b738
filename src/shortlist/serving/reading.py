"""What a request says, read within the server's limits and checked against a model."""

import asyncio
from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.types import Receive

from shortlist.choice import TRIED_TYPE, explain
from shortlist.serving.payloads import RecommendBody
from shortlist.serving.problems import GoneError, RefusedError
from shortlist.serving.settings import Limits

__all__ = ["read_body", "read_query"]

M = TypeVar("M", bound=BaseModel)

# More digits than any length has; Python reads no number of some thousands.
MAX_DIGITS = 18
# A query string has no more values than this; no route knows as many names.
MAX_PAIRS = 100
# Of more problems than the first of these none is told, for to tell them takes long; of fewer, so many are worded.
MAX_PROBLEMS, WORDED = 1_000, 10
CLOSE = ((b"connection", b"close"),)


async def read_body(request: Request, model: type[M], limits: Limits) -> M:
    """The request's JSON body as the model.

    Raises `RefusedError`: 413 for a body that is too long, 408 for one that does not arrive in time, 415 for one that
    does not say that it is JSON, 422 for one that the model does not take.
    """
    _check_head(request, limits)
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await _receive_all(request.receive, limits)
    except TimeoutError:
        raise RefusedError(
            408, f"The body should arrive within {limits.body_seconds:g} seconds. Send it again.", headers=CLOSE
        ) from None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _refused(error, model, "body") from None


def read_query(request: Request, model: type[M]) -> M:
    """The request's query string as the model; raises `RefusedError` (422) for one that the model does not take."""
    text = request.scope["query_string"].decode(errors="replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PAIRS)
    except ValueError:
        raise RefusedError(
            422,
            f"The query string should give at most {MAX_PAIRS} values, but it gives more. Leave some out.",
            where=("query",),
        ) from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise RefusedError(422, f"The query string gives {name[:80]!r} twice. Keep one.", where=("query", name))
        values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refused(error, model, "query") from None


def _check_head(request: Request, limits: Limits) -> None:
    content_type = b""
    for name, value in request.scope["headers"]:
        if name == b"content-length" and (len(value) > MAX_DIGITS or int(value) > limits.max_body_bytes):
            raise _too_long(limits)
        if name == b"content-type":
            content_type = value
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise RefusedError(415, "The body should be JSON. Send it with the header Content-Type: application/json.")


async def _receive_all(receive: Receive, limits: Limits) -> bytes:
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limits.max_body_bytes:
            raise _too_long(limits)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_long(limits: Limits) -> RefusedError:
    return RefusedError(
        413, f"A body should have at most {limits.max_body_bytes:,} bytes, but this one has more. Ask for less at once."
    )


def _refused(error: ValidationError, model: type[BaseModel], part: str) -> RefusedError:
    said = {"body": "The body", "query": "The query string"}[part]
    if error.error_count() > MAX_PROBLEMS:
        return RefusedError(
            422,
            f"{said} is not as it should be in more than {MAX_PROBLEMS:,} places. Compare it with what GET "
            "/openapi.json says of this route.",
            where=[part],
        )
    problems = error.errors(include_url=False)[:WORDED]
    first = problems[0]
    if first["type"] == "json_invalid":
        text = first["ctx"]["error"]
        return RefusedError(
            422, f"The body should be JSON, but it cannot be read: {text}. Mend it there.", where=[part]
        )
    unknown = next((problem for problem in problems if problem["type"] == "extra_forbidden"), None)
    known = None if unknown is None else _fields(model, unknown["loc"])
    hint = "" if known is None else f" Known are {', '.join(known)}."
    return RefusedError(
        422,
        f"{said} is not as it should be: {explain(problems)}{hint}",
        where=[part, *(key for key in (unknown or first)["loc"] if not _is_tried_type(key))],
        known=known,
    )


def _is_tried_type(key: str | int) -> bool:
    """Whether this part of a place is the name of a type that pydantic tried there."""
    return isinstance(key, str) and TRIED_TYPE.match(key) is not None


def _fields(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The fields that a place in a model has: a batch holds bodies."""
    place = list(loc)
    return list((RecommendBody if place[0] == "requests" and len(place) > 1 else model).model_fields)

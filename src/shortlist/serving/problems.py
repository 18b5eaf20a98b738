"""What went wrong with a request, in the one form that every refusal has."""

import logging
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from starlette.exceptions import HTTPException

from shortlist.errors import ShortlistError
from shortlist.serving.reply import NO_STORE, Header, Reply

__all__ = ["GoneError", "RefusedError", "log_failure", "reply_to"]

Place = Iterable[str | int]

logger = logging.getLogger("shortlist.serving")
# Letters of a text: some repeat a value that came, and a value can be as long as a body.
MAX_TEXT = 1_000
RETRY = (b"retry-after", b"1")


class RefusedError(Exception):
    """A request that is not answered: `where` is the place in it, `known` what could have stood there."""

    def __init__(
        self,
        status: int,
        text: str,
        *,
        where: Place | None = None,
        known: Iterable[str] | None = None,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(text)
        self.status = status
        self.where = None if where is None else list(where)
        self.known = None if known is None else list(known)
        self.headers = headers


class GoneError(Exception):
    """The client went away before its request was whole; nobody is there to be answered."""


def reply_to(error: Exception) -> Reply:
    """The answer to a request that failed; an error that nobody expected is logged, without the request's values."""
    match error:
        case RefusedError():
            return _refusal(error)
        case ShortlistError():
            return _refusal(RefusedError(422, str(error)))
        case HTTPException(status_code=404):
            return _refusal(
                RefusedError(404, "Nothing is at this path. GET /openapi.json lists what is, and /docs shows it.")
            )
    log_failure(error)
    return _refusal(
        RefusedError(500, "The server failed at this request. Its log says where; please report it with the log.")
    )


def log_failure(error: Exception) -> None:
    """Log where an error that nobody expected came from; its text may hold a request's values, and is left out."""
    logger.error("A request failed, which is this server's fault:\n%s", "".join(_trace(error)))


def _refusal(error: RefusedError) -> Reply:
    text = str(error) if len(str(error)) <= MAX_TEXT else f"{str(error)[:MAX_TEXT]}…"
    body: dict[str, Any] = {"error": text, "where": error.where, "known": error.known}
    retry = (RETRY,) if error.status == 503 else ()
    return Reply(body, error.status, headers=(NO_STORE, *retry, *error.headers))


def _trace(error: BaseException) -> Iterator[str]:
    """Where an error came from, and what caused it: types and lines of code."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _trace(cause)
        yield "which led to:\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__qualname__}\n"

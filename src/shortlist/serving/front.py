"""The first thing that a request meets: it sheds what is too much, and sees to headers, errors, figures and the log."""

import asyncio
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortlist.serving.metrics import OTHER, Metrics
from shortlist.serving.problems import GoneError, RefusedError, log_failure, reply_to
from shortlist.serving.settings import Limits

__all__ = ["Front"]

# Whoever watches a server must reach it most of all when it has too much to do.
NEVER_SHED = frozenset({"/health", "/ready", "/metrics"})
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
# Sent away as it is: what is not answered should cost next to nothing.
FULL = RefusedError(503, "The server has too much to do. Ask again after the seconds in Retry-After.")
# What nginx calls a request whose client left; nobody receives it.
CLIENT_LEFT = 499

log = logging.getLogger("shortlist.serving.requests")


class Front:
    """The ASGI application around all others.

    Everything runs in one thread and nearly no handler ever waits, so that a count of the requests that are answered
    now is never above one. What must be counted are those that wait for their turn. A request is counted when it
    comes, and then steps back once: all that came in the same turn of the event loop are counted before the first of
    them is answered. Those that come while a lot is answered are the next lot. An admitted request thus waits, at
    most, in the kernel for one lot, behind a second, and in its own.

    Smaller turns would tell those who are sent away sooner. But clients that ask again at once then keep the server
    busy with sending them away: with turns of 4 requests it gave 340 answers a second to 256 such clients, and 2,260
    with whole lots of 64.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, *, log_requests: bool = False) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._log_requests = log_requests
        self._inside = 0
        metrics.watch(lambda: self._inside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = CLIENT_LEFT
        is_head = scope["method"] == "HEAD"
        if is_head:  # answered as GET is; the server sends no body, for its own copy of the scope still says HEAD
            scope = {**scope, "method": "GET"}

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].extend(HEADERS)
            elif is_head:
                message["body"] = b""
            await send(message)

        self._inside += 1
        try:
            await self._answer(scope, receive, tell, started)
        except GoneError:
            pass
        except Exception as error:  # noqa: BLE001 -- every request gets an answer
            if status != CLIENT_LEFT:  # the answer has begun, and no other can follow it
                log_failure(error)
            else:
                await reply_to(error)(scope, receive, tell)
        finally:
            self._inside -= 1
            self._note(scope, "HEAD" if is_head else scope["method"], status, started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        if scope["path"] not in NEVER_SHED:
            if self._inside > self._limits.max_concurrent:
                self._metrics.note_shed("full")
                await reply_to(FULL)(scope, receive, send)
                return
            await asyncio.sleep(0)
            if time.perf_counter() - started > self._limits.request_seconds:
                self._metrics.note_shed("late")
                raise RefusedError(503, "The request waited too long. Ask again after the seconds in Retry-After.")
        await self._app(scope, receive, send)

    def _note(self, scope: Scope, method: str, status: int, started: float) -> None:
        route = scope["route"].path if "route" in scope else OTHER
        seconds = time.perf_counter() - started
        self._metrics.note_request(route, method, status, seconds)
        if self._log_requests:
            log.info("%s %s %d %.1f ms", method, route, status, seconds * 1_000)

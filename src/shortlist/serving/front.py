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

    A request is not counted while it waits for its body, nor once its answer is ready: a slow client keeps nobody out.
    What the unfinished bodies hold is bounded apart, and `BoundedProtocol` ends a connection that reads no answer.

    Smaller turns would tell those who are sent away sooner. But clients that ask again at once then keep the server
    busy with sending them away: with turns of 4 requests it gave 340 answers a second to 256 such clients, and 2,260
    with whole lots of 64.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, *, log_requests: bool = False) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._log_requests = log_requests
        self.inside = 0
        self.held_bytes = 0
        metrics.watch(lambda: self.inside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = CLIENT_LEFT
        is_head = scope["method"] == "HEAD"
        if is_head:  # answered as GET is; the server sends no body, for its own copy of the scope still says HEAD
            scope = {**scope, "method": "GET"}
        place = _Place(self)

        async def tell(message: Message) -> None:
            nonlocal status
            place.close()
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].extend(HEADERS)
            elif is_head:
                message["body"] = b""
            await send(message)

        async def take() -> Message:
            return await place.receive(receive)

        place.enter()
        try:
            await self._answer(scope, take, tell, started)
        except GoneError:
            pass
        except Exception as error:  # noqa: BLE001 -- every request gets an answer
            if status != CLIENT_LEFT:  # the answer has begun, and no other can follow it
                log_failure(error)
            else:
                await reply_to(error)(scope, receive, tell)
        finally:
            place.close()
            self._note(scope, "HEAD" if is_head else scope["method"], status, started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        if scope["path"] not in NEVER_SHED:
            if self.is_full:
                self._metrics.note_shed("full")
                await reply_to(FULL)(scope, receive, send)
                return
            await asyncio.sleep(0)
            if time.perf_counter() - started > self._limits.request_seconds:
                self._metrics.note_shed("late")
                raise RefusedError(503, "The request waited too long. Ask again after the seconds in Retry-After.")
        await self._app(scope, receive, send)

    @property
    def is_full(self) -> bool:
        """Whether more requests are inside than may be."""
        return self.inside > self._limits.max_concurrent

    def check_body(self) -> None:
        """Send a request away whose body has come, wholly or in part, where more is inside than may be."""
        if self.is_full or self.held_bytes > self._limits.max_concurrent * self._limits.max_body_bytes:
            self._metrics.note_shed("full")
            raise RefusedError(FULL.status, str(FULL))

    def _note(self, scope: Scope, method: str, status: int, started: float) -> None:
        route = scope["route"].path if "route" in scope else OTHER
        seconds = time.perf_counter() - started
        self._metrics.note_request(route, method, status, seconds)
        if self._log_requests:
            log.info("%s %s %d %.1f ms", method, route, status, seconds * 1_000)


class _Place:
    """The place of one request among those inside: it has none while it waits for its body or its answer is sent.

    Clients that send no body, or read no answer, thus keep nobody out.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._is_inside = False
        self._held_bytes = 0

    def enter(self) -> None:
        """Count the request."""
        self._front.inside += not self._is_inside
        self._is_inside = True

    def leave(self) -> None:
        """Count it no more."""
        self._front.inside -= self._is_inside
        self._is_inside = False

    def close(self) -> None:
        """Leave for good, and hold no part of a body."""
        self.leave()
        self._front.held_bytes -= self._held_bytes
        self._held_bytes = 0

    async def receive(self, receive: Receive) -> Message:
        """The next part of the body; all bodies that come in one turn are counted before the first is answered."""
        self.leave()
        try:
            message = await receive()
        finally:
            self.enter()
        if message["type"] != "http.request":
            return message
        is_whole = not message.get("more_body", False)
        if self._held_bytes or not is_whole:
            self._hold(len(message.get("body", b"")))
        self._front.check_body()
        if is_whole:
            await asyncio.sleep(0)
        return message

    def _hold(self, count: int) -> None:
        self._held_bytes += count
        self._front.held_bytes += count

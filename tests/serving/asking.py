"""Requests to an application in this process, without a socket."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive

__all__ = ["KEY", "Got", "ask", "asked", "in_thread", "run"]

T = TypeVar("T")

KEY = "a-key-of-the-tests-0123"


@dataclasses.dataclass(frozen=True)
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        problem = self.json
        assert set(problem) == {"error", "where", "known"}, problem
        text: str = problem["error"]
        return text


async def asked(
    app: ASGIApp,
    target: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    parts: Iterable[Message] | None = None,
    receive: Receive | None = None,
    before_send: Callable[[], Awaitable[Any]] | None = None,
) -> Got:
    """The answer to GET, or to POST with a body: JSON for values, bytes as they are.

    `parts` are the ASGI messages that arrive instead of the body, and nothing arrives after them; `receive` gives them
    otherwise. `before_send` is waited for before each part of the answer is taken.
    """
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    arriving = list(parts or [{"type": "http.request", "body": content, "more_body": False}])
    sent: list[Message] = []

    async def next_part() -> Message:
        if not arriving:
            await asyncio.sleep(3_600)
        return arriving.pop(0)

    async def send(message: Message) -> None:
        if before_send is not None:
            await before_send()
        sent.append(message)

    path, _, query = target.partition("?")
    given = {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method or ("GET" if body is None and parts is None else "POST"),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive or next_part, send)
    if not sent:
        return Got(0, {}, b"")
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Got(sent[0]["status"], names, b"".join(message["body"] for message in sent[1:]))


def ask(app: ASGIApp, target: str, body: Any = None, **how: Any) -> Got:
    """The same, in an event loop of its own."""
    return run(asked(app, target, body, **how))


def run(work: Coroutine[Any, Any, T]) -> T:
    """What comes of this, in an event loop of its own."""
    return in_thread(lambda: asyncio.run(work))


def in_thread(work: Callable[[], T]) -> T:
    """What this gives, in another thread: the browser's tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()

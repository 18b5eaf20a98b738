"""The application behind a socket, and one request to it without any."""

import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

import uvicorn
from starlette.types import ASGIApp, Message, Scope

from shortlist.serving.protocol import BoundedProtocol

__all__ = ["bind", "get_once", "serve", "url_of"]

# Connections that wait in the kernel to be accepted.
BACKLOG = 2_048
# Browsers and proxies keep connections for a minute; who closes later than they do resets none that is in use.
KEEP_ALIVE_SECONDS = 65
DRAIN_SECONDS = 10
# What stands in a path or a query string as it is.
SAFE = "/?%:@!$&'()*+,;=[]"


def bind(host: str, port: int) -> socket.socket:
    """A socket at this address (port 0: any free one), which does not listen yet.

    Raises `OSError` in one sentence where that cannot be.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as on_failure:
            bound = on_failure.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            on_failure.pop_all()
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """Where a browser finds the server."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, bound: socket.socket, on_ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM comes, and then end those that were begun.

    `on_ready` is called once requests are accepted.
    """
    # uvicorn's limit_concurrency counts connections that only wait for their next request; `Front` counts requests.
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=BACKLOG,
    )
    # What is loaded by now stays: walking over it with every full collection would hold up requests for some 50 ms.
    gc.collect()
    gc.freeze()
    try:
        _Server(config, on_ready).run(sockets=[bound])
    except OSError as error:
        host, port = bound.getsockname()[:2]
        raise _cannot_listen(host, port, error) from error


class _Server(uvicorn.Server):
    """uvicorn, which tells when it is ready, and ends by itself after a signal and not by that signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def get_once(app: ASGIApp, path: str) -> tuple[int, bytes]:
    """The status and the body that GET gives for a path, with its query string where it has one.

    Letters that a browser would encode are encoded, and a #fragment is left out, as no client sends it.
    """
    sent: list[Message] = []
    plain, _, query = quote(path.partition("#")[0], safe=SAFE).partition("?")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(plain),
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:])


def _cannot_listen(host: str, port: int, error: OSError) -> OSError:
    return OSError(
        f"The server cannot listen at {host}, port {port}: {error.strerror}. Name another with --host or --port."
    )

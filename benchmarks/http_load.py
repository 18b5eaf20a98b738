"""Requests over HTTP as fast as they are answered, or at a steady rate. Not a benchmark itself.

One process, one thread, connections that are kept. At a steady rate a request has its time on a clock, and what is
measured runs from that time on: where the server is late, the requests behind it are late too, and it shows.
"""

import asyncio
import collections
import contextlib
import dataclasses
import gc
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

__all__ = ["Load", "Served", "at_rate", "percentiles", "post", "saturate"]

SEPARATOR, LENGTH = b"\r\n\r\n", b"content-length:"
# A request that is not answered so long after the last one was sent is lost.
PATIENCE = 30.0
Hear = Callable[[int, bytes], None]


def post(path: str, body: bytes) -> bytes:
    """The bytes of a POST of JSON."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@dataclasses.dataclass
class Load:
    """What came back: how often each status, and the seconds of each request, from its time on the clock.

    Those that were answered with 200 are in `answered` too, from the moment they were sent. `lost` were never answered.
    """

    seconds: list[float] = dataclasses.field(default_factory=list)
    answered: list[float] = dataclasses.field(default_factory=list)
    statuses: collections.Counter[int] = dataclasses.field(default_factory=collections.Counter)
    lost: int = 0
    took: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.took

    def milliseconds(self) -> dict[str, float]:
        """Percentiles of the requests' times."""
        return percentiles(self.seconds)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds that half, nine tenths and 99 % stay below."""
    p50, p90, p99 = np.percentile(np.array(seconds) * 1_000, (50, 90, 99))
    return {"p50": float(p50), "p90": float(p90), "p99": float(p99)}


def saturate(port: int, requests: list[bytes], connections: int, seconds: float) -> Load:
    """As many requests as the server answers: each connection sends its next one once it has an answer."""
    with _no_collections():
        return asyncio.run(_saturate(port, requests, connections, seconds))


def at_rate(
    port: int, requests: list[bytes], rate: float, connections: int, seconds: float, hear: Hear | None = None
) -> Load:
    """`rate` requests a second, evenly spaced, over the connections that are free; `hear` is told each answer's request
    (its place in `requests`) and body.
    """
    with _no_collections():
        return asyncio.run(_at_rate(port, requests, rate, connections, seconds, hear))


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """A full collection of a process that has loaded torch takes 60 ms, which would count as the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _saturate(port: int, requests: list[bytes], connections: int, seconds: float) -> Load:
    load, started = Load(), time.perf_counter()
    order = _in_turn(len(requests))

    async def keep_asking() -> None:
        connection = await _Connection.open(port)
        while time.perf_counter() - started < seconds:
            sent = time.perf_counter()
            status, _ = await connection.ask(requests[next(order)])
            load.seconds.append(time.perf_counter() - sent)
            load.statuses[status] += 1
        connection.close()

    await asyncio.gather(*(keep_asking() for _ in range(connections)))
    load.took = time.perf_counter() - started
    return load


async def _at_rate(
    port: int, requests: list[bytes], rate: float, connections: int, seconds: float, hear: Hear | None
) -> Load:
    load, started = Load(), time.perf_counter()
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await _Connection.open(port))
    waiting: set[asyncio.Task[None]] = set()

    async def ask(place: int, due: float) -> None:
        connection = await free.get()
        sent = time.perf_counter()
        try:
            status, body = await connection.ask(requests[place])
        except ConnectionError:
            load.lost += 1
            free.put_nowait(await _Connection.open(port))
            return
        now = time.perf_counter()
        load.seconds.append(now - due)
        load.statuses[status] += 1
        if status == 200:
            load.answered.append(now - sent)
        free.put_nowait(connection)
        if hear is not None and status == 200:
            hear(place, body)

    order = _in_turn(len(requests))
    for number in range(int(rate * seconds)):
        due = started + number / rate
        while (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(ask(next(order), due))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    _, late = await asyncio.wait(waiting, timeout=PATIENCE) if waiting else (set(), set())
    load.lost += len(late)
    load.took = time.perf_counter() - started
    while not free.empty():
        free.get_nowait().close()
    return load


def _in_turn(count: int) -> Iterator[int]:
    while True:
        yield from range(count)


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._received = b""

    @classmethod
    async def open(cls, port: int) -> "_Connection":
        _, made = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """The status and the body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._answer.set_exception(ConnectionError("the server closed the connection"))
        else:
            self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, between, body = self._received.partition(SEPARATOR)
        if not between:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[len(LENGTH) :]) for line in lines if line.startswith(LENGTH)), 0)
        if len(body) >= length and self._answer is not None:
            self._received = b""
            self._answer.set_result((int(head[9:12]), body[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        self._transport.close()


class Served:
    """A server in a process of its own, which prints where it listens in JSON, as `shortlist serve --json` does."""

    def __init__(self, *command: str) -> None:
        self._command = command

    def __enter__(self) -> Self:
        began = time.perf_counter()
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None:
            raise RuntimeError("no stdout")
        url: str = json.loads(self._process.stdout.readline())["url"]
        self.ready_seconds = time.perf_counter() - began
        self.port = int(url.rpartition(":")[2])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=15)

    @property
    def resident_mib(self) -> float:
        """What the process holds now."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024

    def has_mapped(self, word: str) -> bool:
        """Whether the process has mapped a file with this word in its path."""
        return word in Path(f"/proc/{self._process.pid}/maps").read_text()

"""A server of its own, behind a real socket."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from asking import KEY, ask, run
from fastapi import FastAPI

pytest_plugins = ["served"]

# At its end the process tells what it had loaded.
PROGRAM = """
import atexit, sys
atexit.register(lambda: print("loaded:", *sorted(sys.modules)))
from shortlist.cli.main import main
main()
"""
# The kernel holds little of what a client does not read, and the server soon gives such a client up.
HASTY = """
import socket
from shortlist.serving import protocol, server

def bind(host, port, bind=server.bind):
    bound = bind(host, port)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    return bound

server.bind = bind
protocol.SEND_SECONDS = 5.0
from shortlist.cli.main import main
main()
"""
WAITING = 4


@dataclasses.dataclass(frozen=True)
class Server:
    """A process that answers."""

    process: subprocess.Popen[str]
    port: int
    log: IO[str]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def send(self, sent: bytes) -> bytes:
        """What comes back for these bytes until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(sent)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def request(target: str, body: bytes = b"", *, close: bool = True) -> bytes:
    verb = "POST" if body else "GET"
    end = "Connection: close\r\n" if close else ""
    head = f"{verb} {target} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n{end}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.contextmanager
def started(bundle: Path, folder: Path, *arguments: str, program: str = PROGRAM) -> Iterator[Server]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-c", program, "serve", str(bundle), "--port", "0", "--json", *arguments]
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["bundle"] == str(bundle)
            yield Server(process, int(told["url"].rpartition(":")[2]), log)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def server(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "keys").write_text(KEY)
    keys = ("--api-keys", str(folder / "keys"))
    with started(bundles / "first", folder, "--log-requests", "--max-concurrent", str(WAITING), *keys) as server:
        yield server


def test_it_answers_as_the_application_does(server: Server, app: FastAPI) -> None:
    body = b'{"query": {"user_id": 1}}'
    head, _, content = server.send(request("/recommend", body)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nserver:" not in head.lower()
    assert content == ask(app, "/recommend", body).body


def test_head_sends_no_body(server: Server) -> None:
    answer = server.send(b"HEAD /health HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert b"content-length: 18\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_several_requests_may_be_sent_before_the_first_is_answered(server: Server) -> None:
    answers = server.send(request("/health", close=False) * 3 + request("/recommend/1"))
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 4


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /items/%ff%fe HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /items/%ed%a0%80 HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /items/\xff HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /items?search=%ff&limit=%00 HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /page/..%2f..%2fapp.py HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_wrong_on_the_wire_is_the_clients_fault(server: Server, sent: bytes) -> None:
    assert server.send(sent).startswith(b"HTTP/1.1 4")
    assert server.process.poll() is None


def test_a_body_in_chunks_is_read_and_one_that_is_too_long_refused(server: Server) -> None:
    head = b"POST /recommend HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    small = head + b'Connection: close\r\n\r\n2\r\n{"\r\n7\r\nk": 3 }\r\n0\r\n\r\n'
    assert server.send(small).startswith(b"HTTP/1.1 200")
    with server.connect() as connection:
        connection.sendall(head + b"\r\n")
        for _ in range(33):
            connection.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_head_without_an_end_is_cut_off(server: Server) -> None:
    with server.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        for number in range(4_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"x" * 1_000))
        pytest.fail("The server reads a head of four megabytes.")


def test_a_long_body_counts_to_no_head_that_follows_it(server: Server) -> None:
    body = b'{"query": {"user_id": 1}}' + b" " * 200_000
    with server.connect() as connection:
        connection.sendall(request("/recommend", body, close=False) + b"GET /health HTT")
        time.sleep(0.2)
        connection.sendall(b"P/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert read_all(connection).count(b"HTTP/1.1 200 OK\r\n") == 2


@pytest.mark.parametrize("wrong", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 40_000])
def test_what_is_wrong_after_a_request_does_not_stand_for_its_answer(server: Server, wrong: bytes) -> None:
    with server.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(request("/recommend/1", close=False) * 2 + wrong)
        answers = read_all(connection)
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
        assert b"HTTP/1.1 200" not in answers.partition(b"HTTP/1.1 400")[2]


def test_clients_that_send_no_body_keep_nobody_out(server: Server) -> None:
    head = request("/recommend", b"{}", close=False)[:-2]
    with contextlib.ExitStack() as all_of_them:
        for _ in range(70):
            all_of_them.enter_context(server.connect()).sendall(head)
        time.sleep(0.2)
        assert server.send(request("/recommend/1")).startswith(b"HTTP/1.1 200")
        assert server.send(request("/recommend", b"{}")).startswith(b"HTTP/1.1 200")


def test_clients_that_read_no_answer_keep_nobody_out_and_are_given_up(bundles: Path, tmp_path: Path) -> None:
    sent = request("/recommend/1?k=1000&explain=true", close=False) * 100
    with started(bundles / "first", tmp_path, program=HASTY) as server, contextlib.ExitStack() as all_of_them:
        before = open_files(server)
        for _ in range(70):
            connection = all_of_them.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(sent)
        wait_until(lambda: server.send(request("/recommend/2")).startswith(b"HTTP/1.1 200"))
        assert open_files(server) == before + 70
        wait_until(lambda: open_files(server) == before)


def wait_until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.1)


def open_files(server: Server) -> int:
    """The files and connections that the process has open, its own to this question among them."""
    figures = server.send(request("/metrics")).decode()
    return int(float(figures.partition("\nprocess_open_fds ")[2].partition("\n")[0]))


def test_a_bundle_is_changed_with_a_key(server: Server) -> None:
    keyed = b"POST /bundles/stage HTTP/1.1\r\nAuthorization: Bearer %s\r\n" % KEY.encode()
    body = b'{"name": "../second"}'
    head = b"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert server.send(keyed + head + body).startswith(b"HTTP/1.1 422")
    assert server.send(request("/bundles/stage", body)).startswith(b"HTTP/1.1 401")


async def exchanged(port: int, sent: bytes, clients: int, rounds: int) -> list[tuple[int, float]]:
    """The status and the seconds of each request: all clients send at once, wait for every answer, and send again."""
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
    seen = []

    async def read(reader: asyncio.StreamReader, begun: float) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        seen.append((int(head[9:12]), time.perf_counter() - begun))

    for _ in range(rounds):
        begun = time.perf_counter()
        for _, writer in connections:
            writer.write(sent)
        await asyncio.gather(*(read(reader, begun) for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    return seen


def test_too_many_at_once_are_sent_away_and_the_others_do_not_wait_for_them(server: Server) -> None:
    clients = 64
    sent = request("/recommend", b'{"query": {"user_id": 1}, "k": 24, "explain": true}', close=False)
    alone = statistics.median(seconds for _, seconds in run(exchanged(server.port, sent, 1, 50)))
    seen = run(exchanged(server.port, sent, clients, 20))
    answered = [seconds for status, seconds in seen if status == 200]
    assert {status for status, _ in seen} == {200, 503}
    assert len(answered) >= WAITING * 20
    # All of them in turn would take `clients` times as long; those that are let in wait for a few others.
    assert statistics.median(answered) < alone * clients / 2
    assert run(exchanged(server.port, sent, 1, 5))[0][0] == 200
    figures = server.send(request("/metrics")).decode()
    assert 'shortlist_shed_total{reason="full"}' in figures


def test_what_is_begun_is_ended_after_a_signal(server: Server) -> None:
    body = b'{"query": {"user_id": "secret-name"}}'
    whole = request("/recommend", body, close=False)
    with server.connect() as connection:
        connection.sendall(whole[:-5])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        connection.sendall(whole[-5:])
        assert read_all(connection).startswith(b"HTTP/1.1 200")
    printed, _ = server.process.communicate(timeout=20)
    assert server.process.returncode == 0
    loaded = set(printed.partition("loaded:")[2].split())
    assert {"fastapi", "onnxruntime", "shortlist.serving"} <= loaded
    assert not {"torch", "onnx", "altair", "optuna", "faiss", "scipy"} & loaded
    server.log.seek(0)
    lines = server.log.read()
    assert "POST /recommend 200 " in lines
    assert "secret-name" not in lines
    assert "Traceback" not in lines

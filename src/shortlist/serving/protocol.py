"""uvicorn's reading of HTTP, with the bounds that it lacks."""

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol"]

MAX_HEAD_BYTES = 1 << 16
HEAD_SECONDS = 10.0
# A connection that takes nothing of what is written to it for so long is given up.
SEND_SECONDS = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request's head is too long or too slow, one that never asks, and one that never reads.

    uvicorn gathers a head of any length for any time. One that arrives in one piece, as nearly all do, costs nothing
    here: what is counted is what comes after the piece that the head begins in. uvicorn also waits for any time until
    a client reads what it asked for.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_in_head = False
        # None while the piece that the head begins in is read: it may begin with the end of another request.
        self._head_bytes: int | None = None
        self._head_timer: TimerHandle | None = None
        self._send_timer: TimerHandle | None = None
        self.timeout_keep_alive_task = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_send_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        self._stop_send_timer()
        super().resume_writing()

    def on_message_begin(self) -> None:
        self._is_in_head = True
        self._head_bytes = None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_in_head or self.transport.is_closing():
            return
        self._head_bytes = 0 if self._head_bytes is None else self._head_bytes + len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.send_400_response(f"A request's head should have at most {MAX_HEAD_BYTES} bytes.")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up_head)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read; while an earlier answer is due, close the connection after that one instead."""
        if not self._close_after_answers():
            super().send_400_response(msg)

    def _give_up_head(self) -> None:
        if not self._close_after_answers():
            self.transport.close()

    def _close_after_answers(self) -> bool:
        """Close the connection once all that is due was answered; whether something is."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        if cycle.more_body and not cycle.response_started and not self.pipeline:
            return False  # what is wrong is a part of the only request
        cycle.keep_alive = False
        self.flow.pause_reading()
        return True

    def _watch_sending(self, left: int | None = None) -> None:
        """Give the connection up unless less than `left` bytes are still to be taken, and look again later."""
        size = self.transport.get_write_buffer_size()
        if left is not None and size >= left:
            self.transport.abort()
        else:
            self._stop_send_timer()
            self._send_timer = self.loop.call_later(SEND_SECONDS, self._watch_sending, size)

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

"""The server: uvicorn, with limits on what a connection may cost."""

from __future__ import annotations

import asyncio
import json
import math
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.main import STARTUP_FAILURE
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._limits import ServiceLimits
from ._requests import most_parts

__all__ = ["LimitedConfig", "run"]

# Bytes of a head that are parsed at once: what follows it in the same packet is looked at by itself.
_PIECE = 4_096
# Bytes of a request that allow for another line, which may be the head of a chunk.
_LINE = 256
_BACKLOG = 256
# Seconds between two packets that are read of a body that has its answer.
_PAUSE = 0.01


class _Flow(FlowControl):
    """Flow of a connection that is not read while its client is ahead of the answers."""

    def __init__(self, transport: asyncio.Transport, protocol: LimitedProtocol) -> None:
        super().__init__(transport)
        self.protocol = protocol

    def resume_reading(self) -> None:
        if not self.protocol.is_ahead():
            super().resume_reading()


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which no request begins in time, or that costs too much.

    The limit of uvicorn counts from an answer to the next byte. A client that sends nothing, or a
    byte now and then, would keep its connection.
    """

    config: LimitedConfig
    timer: asyncio.TimerHandle | None = None
    n_bytes = n_lines = 0

    def connection_made(self, transport: Any) -> None:
        self.pending = bytearray()
        super().connection_made(transport)
        self.flow = _Flow(transport, self)
        if not self.config.make_room():
            self.refuse(503, "The service is busy; ask again in a second.")
            return
        self.config.opened.add(self)
        self.wait_for_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self.forget()
        super().connection_lost(exc)

    def forget(self) -> None:
        self.stop_timer()
        self.config.opened.discard(self)
        self.config.waiting.pop(self, None)

    def data_received(self, data: bytes) -> None:
        self.pending += data
        self.parse()

    def parse(self) -> None:
        """Parse what has come, up to the end of a request that has no answer yet.

        uvicorn reads on after every answer, and would keep whatever a client sends ahead.
        """
        while self.pending and not self.transport.is_closing():
            if self.is_ahead():
                self.flow.pause_reading()
                return
            state = self.conn.their_state
            if self.is_idle() and state is h11.SEND_BODY:
                # The rest of a body that has its answer, such as 413: others are answered meanwhile.
                self.flow.pause_reading()
                self.loop.call_later(_PAUSE, self.flow.resume_reading)
            # A head is parsed in small pieces, so that what follows it is counted before.
            size = _PIECE if state is h11.IDLE else len(self.pending)
            piece = bytes(self.pending[:size])
            del self.pending[:size]
            self.n_bytes += len(piece)
            self.n_lines += piece.count(b"\n")
            # Headers and chunks are parsed line by line, and nobody else is answered meanwhile.
            if self.n_lines > self.config.most_lines + self.n_bytes // _LINE:
                self.refuse(400, "The request has too many headers, or too small chunks.")
                return
            super().data_received(piece)
            if not self.is_idle() and not self.cycle.more_body:
                self.config.waiting.pop(self, None)

    def is_ahead(self) -> bool:
        """Whether the client sends more, behind a request that has no answer yet."""
        return bool(self.pending) and self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)

    def is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "This is not a request of HTTP/1.1, or its head is too large.")

    def refuse(self, status: int, detail: str) -> None:
        """Answer as the application does, where it is not asked, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"detail": detail}).encode()
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                "content-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()

    def on_response_complete(self) -> None:
        self.n_bytes = self.n_lines = 0
        self.wait_for_a_request()
        super().on_response_complete()
        self.parse()
        self.flow.resume_reading()

    def wait_for_a_request(self) -> None:
        self.config.waiting.pop(self, None)
        self.config.waiting[self] = None
        self.start_timer()

    def start_timer(self) -> None:
        self.stop_timer()
        self.timer = self.loop.call_later(self.config.limits.max_idle_seconds, self.close_if_idle)

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def close_if_idle(self) -> None:
        # An answer that nobody reads keeps a connection open, also one that is being closed.
        if self.transport.is_closing() or self.flow.write_paused:
            self.transport.abort()
            return
        if self.is_idle():
            self.transport.close()
        self.start_timer()


class LimitedConfig(uvicorn.Config):
    """Settings of the server of an application, and its open connections."""

    def __init__(self, app: Any, host: str, port: int, limits: ServiceLimits) -> None:
        super().__init__(
            app,
            host=host,
            port=port,
            http=LimitedProtocol,
            ws="none",
            lifespan="on",
            log_level="info",
            # A line per request belongs in the log of the proxy. Here it would hold what clients write
            # into addresses, and a log that nobody reads on would stop the service.
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=math.ceil(limits.max_idle_seconds),
            timeout_graceful_shutdown=math.ceil(limits.max_seconds),
        )
        self.limits = limits
        self.most_lines = most_parts(limits)
        self.opened: set[LimitedProtocol] = set()
        # Connections whose client has to send something, the one that waits longest first.
        self.waiting: dict[LimitedProtocol, None] = {}

    def make_room(self) -> bool:
        """Whether there is room for a connection; closes the one that waits longest for its client."""
        if len(self.opened) < self.limits.max_connections:
            return True
        oldest = next(iter(self.waiting), None)
        if oldest is None:
            return False
        oldest.forget()
        oldest.transport.abort()
        return True


def run(app: Any, host: str, port: int, limits: ServiceLimits) -> None:
    """Serve until the process is interrupted."""
    server = uvicorn.Server(LimitedConfig(app, host, port, limits))
    server.run()
    if not server.started:  # earlier versions of uvicorn return
        raise SystemExit(STARTUP_FAILURE)

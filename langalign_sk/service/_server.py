"""The server: uvicorn, with a limit of time for the head of a request."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._limits import ServiceLimits

__all__ = ["config", "run"]


def config(app: Any, host: str, port: int, limits: ServiceLimits) -> uvicorn.Config:
    """Settings of the server of an application."""

    class LimitedProtocol(H11Protocol):
        """HTTP/1.1 that closes a connection on which no request begins in time.

        The limit of uvicorn counts from an answer to the next byte. A client that sends nothing, or
        a byte now and then, would keep its connection.
        """

        waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.wait_for_a_request()

        def connection_lost(self, exc: Exception | None) -> None:
            self.stop_waiting()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self.wait_for_a_request()
            super().on_response_complete()

        def wait_for_a_request(self) -> None:
            self.stop_waiting()
            self.waiting = self.loop.call_later(limits.max_idle_seconds, self.close_if_idle)

        def stop_waiting(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
                self.waiting = None

        def close_if_idle(self) -> None:
            # An answer that nobody reads keeps a connection open, also one that is being closed.
            if self.transport.is_closing() or self.flow.write_paused:
                self.transport.abort()
                return
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()
            self.wait_for_a_request()

    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_level="info",
        server_header=False,
        limit_concurrency=limits.max_connections,
        timeout_keep_alive=math.ceil(limits.max_idle_seconds),
        timeout_graceful_shutdown=math.ceil(limits.max_seconds),
    )


def run(app: Any, host: str, port: int, limits: ServiceLimits) -> None:
    """Serve until the process is interrupted."""
    uvicorn.Server(config(app, host, port, limits)).run()

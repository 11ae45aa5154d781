"""The application: paths, authentication, reading of bodies, and the threads that answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request

from ..persistence import load
from ._answers import answer, check_model, predicted
from ._folder import check_owner
from ._limits import ServiceLimits
from ._requests import RefusedError, read_texts

__all__ = ["build"]

_LOGGER = logging.getLogger(__name__)
# Bytes of a body that the limit of connections bounds. A server holds as many by itself.
_SMALL = 65_536
_RETRY = {"Retry-After": "1"}
_BODY_SCHEMA = {
    "type": "object",
    "required": ["texts"],
    "properties": {"texts": {"type": "array", "items": {"type": "string"}}},
}


class Answers(BaseModel):
    """Form of an answer, for the description of the service."""

    labels: list[str | None]
    quality: list[float]
    review: list[bool]
    errors: list[str | None]


class _Threads:
    """Threads that answer, and a bounded queue before them."""

    def __init__(self, limits: ServiceLimits) -> None:
        self.pool = ThreadPoolExecutor(limits.max_concurrent, thread_name_prefix="langalign-answer")
        self.limit = limits.max_concurrent + limits.max_waiting
        self.seconds = limits.max_seconds
        self.n = 0
        self.lock = Lock()

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        with self.lock:
            if self.n >= self.limit:
                raise RefusedError(503, "The service is busy; ask again in a second.")
            self.n += 1
        try:
            future = self.pool.submit(work, *args)
        except RuntimeError:  # the application is being stopped
            with self.lock:
                self.n -= 1
            raise RefusedError(503, "The service is being stopped.") from None
        # A thread that is too late for its client still takes a place until it ends.
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.seconds)
        except TimeoutError:
            raise RefusedError(503, f"No answer within {self.seconds:g} s.") from None

    def _leave(self, future: Future) -> None:
        with self.lock:
            self.n -= 1


class _Buffers:
    """Sum of the large bodies in memory; used by the event loop alone."""

    def __init__(self, limits: ServiceLimits) -> None:
        self.limits = limits
        self.n = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """Body of a request, which counts as long as the block lasts."""
        limits, taken = self.limits, 0
        declared = request.headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 15 or int(declared) > limits.max_body_bytes:
            raise self._too_large()
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(limits.max_body_seconds):
                    async for part in request.stream():
                        if len(body) + len(part) > limits.max_body_bytes:
                            raise self._too_large()
                        body += part
                        more = max(len(body) - _SMALL, 0) - taken
                        if self.n + more > limits.max_buffered_bytes:
                            raise RefusedError(503, "The service is busy; ask again in a second.")
                        self.n += more
                        taken += more
            except TimeoutError:
                raise RefusedError(
                    408, f"The body did not arrive within {limits.max_body_seconds:g} s."
                ) from None
            except ClientDisconnect:
                raise RefusedError(400, "The connection was closed.") from None
            yield body
        finally:
            self.n -= taken

    def _too_large(self) -> RefusedError:
        return RefusedError(
            413, f"The body is larger than {self.limits.max_body_bytes} bytes; send fewer texts."
        )


def build(
    model: Any,
    limits: ServiceLimits,
    token: str | None,
    review_below: float,
    warm_up: list[str],
    title: str,
) -> FastAPI:
    """The application of `create_app`."""
    # Several large bodies that become many objects would need their memory at the same time. Reading
    # holds the lock of the interpreter anyway.
    reading = Lock()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        threads = _Threads(limits)
        app.state.threads, app.state.buffers = threads, _Buffers(limits)
        app.state.model = _loaded(model)
        if warm_up:
            # A model that fails on its first texts fails at the start, with its own error.
            predicted(app.state.model, warm_up)
        try:
            yield
        finally:
            threads.pool.shutdown(wait=False, cancel_futures=True)

    def work(body: bytearray, deadline: float) -> bytes:
        with reading:
            texts = read_texts(body, limits)
        out = answer(
            app.state.model, texts, review_below=review_below, limits=limits, deadline=deadline
        )
        if time.monotonic() > deadline:
            raise TimeoutError  # 503 as well where the event loop was too busy to see it first
        return _encoded(out)

    async def predict(request: Request) -> Response:
        if token is not None:
            _authenticate(request, token)
        if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise RefusedError(415, "Send the body without a Content-Encoding.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusedError(415, "Send the header Content-Type: application/json.")
        async with app.state.buffers.body(request) as body:
            deadline = time.monotonic() + limits.max_seconds
            try:
                return _json(await app.state.threads.run(work, body, deadline))
            except RefusedError:
                raise
            except Exception as error:
                # Its message and its traceback may quote a client's text.
                _LOGGER.error("A request failed: %s", type(error).__name__)
                _LOGGER.debug("The request that failed", exc_info=error)
                raise RefusedError(500, "The service failed on this request.") from None

    async def health() -> dict[str, str]:
        return {"status": "ok"}

    # Whoever needs a token to ask needs no description without one.
    shown: dict[str, Any] = {} if token is None else {"openapi_url": None}
    # A redirect would send the texts again, to the host and scheme that the proxy asked for.
    app = FastAPI(title=title, lifespan=lifespan, redirect_slashes=False, **shown)
    app.add_exception_handler(RefusedError, _refuse)
    app.add_api_route(
        "/predict",
        predict,
        methods=["POST"],
        response_model=Answers,
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": _BODY_SCHEMA}}}},
    )
    app.add_api_route("/health", health, methods=["GET"])
    return app


def _loaded(model: Any) -> Any:
    """The model, or what is in its folder."""
    if isinstance(model, Path):
        check_owner(model)
        model = load(model)
    check_model(model)
    return model


def _authenticate(request: Request, token: str) -> None:
    """Raise RefusedError for a wrong token, in a time that does not depend on what is wrong with it."""
    sent = request.headers.getlist("authorization")
    scheme, _, given = (sent[0] if len(sent) == 1 else "").partition(" ")
    # Digests are of one length, whatever the lengths of the two tokens.
    digests = (hashlib.sha256(text.encode()).digest() for text in (given.strip(), token))
    if not hmac.compare_digest(*digests) or scheme.lower() != "bearer":
        raise RefusedError(401, "Send the header Authorization: Bearer, with the service's token.")


async def _refuse(request: Request, error: Any) -> Response:
    headers: dict[str, str] = {}
    if error.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    elif error.status == 503:
        headers = dict(_RETRY)
    elif error.status == 408:  # nothing more is expected from this client
        headers = {"Connection": "close"}
    return _json(_encoded({"detail": error.detail}), error.status, headers)


def _encoded(content: Any) -> bytes:
    # In ASCII, since half a surrogate pair has no encoding.
    return json.dumps(content, allow_nan=False).encode("ascii")


def _json(content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(content, status, headers, media_type="application/json")

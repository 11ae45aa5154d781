"""The service as an application, and its start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._utils.optional import import_extra
from .._utils.validation import check_number, warn_user
from ._answers import check_model
from ._folder import check_owner
from ._limits import ServiceLimits

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["create_app", "serve"]

_NEED = "A service needs FastAPI and uvicorn"
_TOKEN_LENGTH = 16
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def create_app(
    model: Any,
    *,
    limits: ServiceLimits | None = None,
    token: str | None = None,
    review_below: float = 0.05,
    warm_up: Sequence[str] = ("Good morning",),
    title: str = "langalign_sk",
) -> FastAPI:
    """Application of ASGI that answers batches of texts.

    ``POST /predict`` takes ``{"texts": [...]}`` and returns what
    :func:`~langalign_sk.service.answer` does; ``GET /health`` returns ``{"status": "ok"}``, also
    while requests are answered. Idle connections are closed by :func:`~langalign_sk.service.serve`;
    another server of ASGI needs such a limit of its own.

    Parameters
    ----------
    model : fitted estimator or path
        As in :func:`~langalign_sk.service.answer`. A path is the folder of a saved model, which is
        checked by :func:`~langalign_sk.service.check_owner` and loaded when the application starts.
    limits : ServiceLimits, default=None
        Limits on what a request may cost; None takes the defaults.
    token : str, default=None
        Secret that ``POST /predict`` asks for in the header ``Authorization: Bearer ...``; at least
        16 characters of printable ASCII. None lets everyone ask.
    review_below : float, default=0.05
        As in :func:`~langalign_sk.service.answer`.
    warm_up : sequence of str, default=("Good morning",)
        Texts that are answered at the start, so that no client waits for the encoder to load. A
        model that fails on them ends the start with its error.
    title : str, default="langalign_sk"
        Name of the service in its description, ``/openapi.json``.

    Returns
    -------
    fastapi.FastAPI
        The application.

    Raises
    ------
    ImportError
        If FastAPI is not installed.
    TypeError
        If the model has no `predict` or no quality score.
    ValueError
        If the token is too short to be a secret, or `review_below` is not in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.service import create_app
    >>> class Greeter:
    ...     def predict(self, texts):
    ...         return np.array(["greeting" for _ in texts])
    ...
    ...     def quality_score(self, texts):
    ...         return np.array([0.5 for _ in texts])
    >>> app = create_app(Greeter(), title="Greetings")
    >>> app.title
    'Greetings'
    """
    check_number("review_below", review_below, Real, lambda q: 0 <= q <= 1, "a number in [0, 1]")
    if token is not None:
        _check_token(token)
    if not isinstance(model, str | os.PathLike):
        check_model(model)
    import_extra("fastapi", _NEED, "service")
    from ._app import build

    return build(
        model=Path(model) if isinstance(model, str | os.PathLike) else model,
        limits=ServiceLimits() if limits is None else limits,
        token=token,
        review_below=review_below,
        warm_up=list(warm_up),
        title=title,
    )


def serve(
    model: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: ServiceLimits | None = None,
    token: str | None = None,
    review_below: float = 0.05,
    warm_up: Sequence[str] = ("Good morning",),
    title: str = "langalign_sk",
) -> None:
    """Answer requests until the process is interrupted.

    Parameters
    ----------
    model : fitted estimator or path
        As in :func:`~langalign_sk.service.create_app`.
    host : str, default="127.0.0.1"
        Address to listen at. The default is reached from this machine only, as by a proxy.
    port : int, default=8000
        Port to listen at; 0 takes a free one, which the log names.
    limits : ServiceLimits, default=None
        Limits on what requests may cost; None takes the defaults.
    token : str, default=None
        As in :func:`~langalign_sk.service.create_app`.
    review_below : float, default=0.05
        As in :func:`~langalign_sk.service.answer`.
    warm_up : sequence of str, default=("Good morning",)
        As in :func:`~langalign_sk.service.create_app`.
    title : str, default="langalign_sk"
        As in :func:`~langalign_sk.service.create_app`.

    Raises
    ------
    ImportError
        If FastAPI or uvicorn is not installed.
    PermissionError, FileNotFoundError, NotADirectoryError
        As in :func:`~langalign_sk.service.check_owner`.
    TypeError
        If the model has no `predict` or no quality score.
    ValueError
        If the port is not one, the token is too short to be a secret, or `review_below` is not in
        [0, 1].
    SystemExit
        With status 3, if the application does not start; the log says why.

    Warns
    -----
    UserWarning
        If other machines can reach the service and it has no token.

    Examples
    --------
    >>> from langalign_sk.service import serve
    >>> serve("model/", port=-1)
    Traceback (most recent call last):
    ...
    ValueError: port must be an int in 0..65535, got -1.
    """
    check_number("port", port, int, lambda n: 0 <= n <= 65_535, "an int in 0..65535")
    if isinstance(model, str | os.PathLike):
        check_owner(model)  # again at the start of the application, but a traceback is shorter here
    limits = ServiceLimits() if limits is None else limits
    app = create_app(
        model,
        limits=limits,
        token=token,
        review_below=review_below,
        warm_up=warm_up,
        title=title,
    )
    if token is None and host not in _LOOPBACK:
        warn_user(
            f"host={host!r} lets other machines ask without a token. Pass token=, and put a proxy "
            "with TLS before the service."
        )
    import_extra("uvicorn", _NEED, "service")
    from ._server import run

    run(app, host, port, limits)


def _check_token(token: str) -> None:
    if not isinstance(token, str) or len(token) < _TOKEN_LENGTH:
        n = len(token) if isinstance(token, str) else 0
        raise ValueError(
            f"token has {n} characters and needs {_TOKEN_LENGTH}. Make one by "
            "secrets.token_urlsafe()."
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            "token may have letters, digits and signs of ASCII only, and no space. Make one by "
            "secrets.token_urlsafe()."
        )

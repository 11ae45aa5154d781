"""EndpointEncoder: embeddings of an OpenAI-compatible endpoint."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._utils.normalization import check_form
from .._utils.optional import import_extra
from .._utils.stamp import complete_state
from .._utils.validation import check_number
from .base import TextEncoder
from .cache.lookup import as_cache
from .models.model import Model
from .outputs import RowError, numbered_in

__all__ = ["EndpointEncoder"]


_models: dict[tuple[Any, ...], Model] = {}
_ADDRESS = "Check that base_url is the address of an API, which often ends in /v1."
_OF_A_TEXT = (400, 413, 422)  # what servers answer to a text that they do not read
_SHOWN = 200  # characters of an answer in a message
_models_lock = threading.RLock()


class EndpointEncoder(TextEncoder):
    """Sentence encoder behind an OpenAI-compatible HTTP endpoint.

    Requests go through the `openai` client (extra "openai"), which repeats them with growing pauses
    when a server is busy or fails. Rows of every answered request are cached at once, so that a
    later failure does not lose what was paid for.

    Parameters
    ----------
    name : str
        Model name, such as "text-embedding-3-small".
    base_url : str, default=None
        Address of the API, such as "http://127.0.0.1:8000/v1"; None is OpenAI's.
    api_key_env : str, default="OPENAI_API_KEY"
        Name of the environment variable that holds the key. The key itself is never a
        parameter, so that no pickle or log holds it. With a `base_url`, it need not be set.
    dimensions : int, default=None
        Width to ask for, where the model offers several.
    prompt : str, default=None
        Put before every text.
    batch_size : int, default=128
        Texts per request.
    max_retries : int, default=5
        How often a request is repeated after status 408, 409, 429 or 500 and above, or without a
        connection.
    timeout : float, default=60.0
        Seconds to wait for an answer.
    cache : None, "memory", path, MemoryCache or FolderCache, default="memory"
        As in :class:`SentenceEncoder`.
    verbose : bool, default=False
        Show a progress bar over the texts.
    normalize_text : {"auto", "html", "NFC", "NFKC"} or None, default="auto"
        As in :class:`SentenceEncoder`.

    Raises
    ------
    ImportError
        At first use, if the client is not installed.
    ValueError
        If a parameter is out of its range, if no key is set, or the endpoint refuses the request.
    ConnectionError
        If the endpoint cannot be reached, or still fails after all retries.

    Examples
    --------
    >>> from langalign_sk.encoders import EndpointEncoder
    >>> encoder = EndpointEncoder("bge-m3", base_url="http://127.0.0.1:9/v1", max_retries=0)
    >>> encoder.encode(["text"])
    Traceback (most recent call last):
    ...
    ConnectionError: The endpoint http://127.0.0.1:9/v1/ could not be reached for model 'bge-m3'...
    """

    # Parameters that came after the first format, with the values that earlier states stand for.
    _later_parameters: ClassVar[dict[str, Any]] = {"normalize_text": None}

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        dimensions: int | None = None,
        prompt: str | None = None,
        batch_size: int = 128,
        max_retries: int = 5,
        timeout: float = 60.0,
        cache: Any = "memory",
        verbose: bool = False,
        normalize_text: str | None = "auto",
    ) -> None:
        self.name = name
        self.base_url = base_url
        self.api_key_env = api_key_env
        self.dimensions = dimensions
        self.prompt = prompt
        self.batch_size = batch_size
        self.max_retries = max_retries
        self.timeout = timeout
        self.cache = cache
        self.verbose = verbose
        self.normalize_text = normalize_text

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(complete_state(type(self), state))

    @property
    def _block(self) -> int:
        return self.batch_size

    def _load(self) -> Model:
        self._check_settings()
        key = (
            self.name,
            self.base_url or os.environ.get("OPENAI_BASE_URL"),
            self.api_key_env,
            os.environ.get(self.api_key_env),
            self.dimensions,
            self.max_retries,
            self.timeout,
        )
        with _models_lock:
            if key not in _models:
                # A copy, since the model is shared and the parameters of this encoder may change.
                settings = clone(self)
                client = settings._client()
                width = _width(client, settings)

                def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
                    rows = _request_rows(client, settings, texts, prompt)
                    if rows.shape[1] != width:
                        raise ValueError(
                            f"The endpoint {client.base_url} with model {settings.name!r} returned "
                            f"rows of width {rows.shape[1]}, and of width {width} before."
                        )
                    return rows

                _models[key] = Model(encode, width, f"{self.name}@{client.base_url}")
            return _models[key]

    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        # Many endpoints refuse a request with an empty text.
        sent = texts if self.prompt else [text or " " for text in texts]
        with numbered_in(sent, texts):
            return model.encode(sent, self.prompt, self.batch_size)

    def _settings(self) -> dict[str, Any]:
        changing = {"prompt": self.prompt, "dimensions": self.dimensions}
        return {name: value for name, value in changing.items() if value is not None}

    def _check_settings(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be the name of a model, got {self.name!r}.")
        check_number("batch_size", self.batch_size, Integral, _at_least_1, "an int of at least 1")
        check_number(
            "max_retries", self.max_retries, Integral, lambda n: n >= 0, "an int of at least 0"
        )
        if self.dimensions is not None:
            check_number(
                "dimensions", self.dimensions, Integral, _at_least_1, "an int of at least 1"
            )
        check_number("timeout", self.timeout, Real, lambda t: t > 0, "a positive number of seconds")
        for name in ("api_key_env", "base_url", "prompt"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name == "api_key_env"):
                raise TypeError(f"{name} must be a str, got {type(value).__name__}.")
        check_form(self.normalize_text, "normalize_text")
        as_cache(self.cache)

    def _client(self) -> Any:
        openai = import_extra("openai", "EndpointEncoder needs the package openai", "openai")
        key = os.environ.get(self.api_key_env, "").strip()
        if not key.isascii():
            raise ValueError(
                f"The environment variable {self.api_key_env} does not hold a key: it is not ASCII."
            )
        if not key and self.base_url is None:
            raise ValueError(
                f"The environment variable {self.api_key_env} is not set: it must hold the key of the "
                "endpoint. Name another one in api_key_env, or give base_url for a server without keys."
            )
        return openai.OpenAI(
            api_key=key or "none",
            base_url=self.base_url,
            max_retries=int(self.max_retries),
            timeout=self.timeout,
        )


def _width(client: Any, encoder: EndpointEncoder) -> int:
    """Width of the rows, which one request tells."""
    try:
        return _request_rows(client, encoder, ["width"]).shape[1]
    except RowError as error:
        what = "'width', the text of the first request, which is for the width of the rows"
        raise ValueError(error.message.replace("{row}", what)) from error.__cause__


def _at_least_1(value: int) -> bool:
    return value >= 1


def _request_rows(
    client: Any, encoder: EndpointEncoder, texts: list[str], prompt: str | None = None
) -> NDArray:
    """Ask for the rows of texts in one request; rows are in the order of the texts."""
    sent = [prompt + text for text in texts] if prompt else texts
    import openai

    more = {} if encoder.dimensions is None else {"dimensions": encoder.dimensions}
    who = f"model {encoder.name!r}"
    try:
        answer = client.embeddings.create(
            model=encoder.name, input=sent, encoding_format="float", **more
        )
    except openai.AuthenticationError as error:
        raise ValueError(
            f"The endpoint {client.base_url} refused the key for {who}: set the environment variable "
            f"{encoder.api_key_env}."
        ) from error
    except openai.APIStatusError as error:
        message = f"The endpoint {client.base_url} answered {error.status_code} for {who}"
        if error.status_code in (408, 409, 429) or error.status_code >= 500:
            raise ConnectionError(
                f"{message}, also after {_retries(error)} retries. Rows of earlier requests are kept "
                "where there is a cache: try again later, or raise max_retries."
            ) from error
        raise _refusal(message, error, texts) from error
    except openai.APIConnectionError as error:
        raise ConnectionError(
            f"The endpoint {client.base_url} could not be reached for {who} "
            f"({error.__cause__ or error}). Check base_url, or use an encoder that needs no network, "
            "such as 'use-multilingual'."
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The endpoint {client.base_url} answered something other than JSON for {who} ({error}). "
            f"{_ADDRESS}"
        ) from error
    items = getattr(answer, "data", None)
    if not isinstance(items, list):
        raise ValueError(
            f"The endpoint {client.base_url} answered something other than embeddings for {who}: "
            f"{_said(answer)}. {_ADDRESS}"
        )
    where = f"The endpoint {client.base_url} returned"
    items = _in_order(items, texts, f"{where} {len(items)} rows for {len(texts)} texts of {who}")
    rows = [_row(item, text, where, who) for item, text in zip(items, texts, strict=True)]
    for row, text in zip(rows, texts, strict=True):
        if len(row) != len(rows[0]):
            raise RowError(
                f"{where} a row of width {len(row)} for {{row}}, and of width {len(rows[0])} for the "
                f"first text, of {who}.",
                text,
            )
    return np.stack(rows)


def _in_order(items: list[Any], texts: list[str], returned: str) -> list[Any]:
    """Items of an answer in the order of the texts; without numbers, that is their order."""
    numbers = [_number(getattr(item, "index", None)) for item in items]
    if len(items) == len(texts) and all(number is None for number in numbers):
        return items
    place = dict(zip(numbers, items, strict=True))
    missing = [text for i, text in enumerate(texts) if i not in place]
    if missing and any(number is not None for number in numbers):
        shown = ", ".join(map(str, numbers[:8]))
        raise RowError(f"{returned}, numbered {shown}: there is none for {{row}}.", missing[0])
    if len(items) != len(texts):
        raise ValueError(f"{returned}. Lower batch_size if the server limits a request.")
    return [place[i] for i in range(len(texts))]


def _number(index: Any) -> Any:
    """Number of an item, which some servers write as text."""
    return int(index) if isinstance(index, str) and index.isdecimal() else index


def _row(item: Any, text: str, where: str, who: str) -> NDArray:
    """Embedding of one item, in float32."""
    value = getattr(item, "embedding", None)
    if value is None:
        raise RowError(
            f"{where} no embedding (null) for {{row}}, of {who}. Leave this text out or shorten it "
            "if others have one; if none has, the model may not be one for embeddings.",
            text,
        )
    try:
        if isinstance(value, str):  # base64, which some servers return though floats were asked for
            value = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        row = np.array(value, dtype=np.float32)
    except (TypeError, ValueError):
        row = np.empty((0, 0), dtype=np.float32)
    if row.ndim != 1 or not len(row):
        raise RowError(
            f"{where} something other than a list of numbers for {{row}}, of {who}: "
            f"{_cut(repr(value))}.",
            text,
        )
    if not np.isfinite(row).all():
        raise RowError(
            f"{where.removesuffix(' returned')} with {who} returned NaN or infinity for {{row}}.",
            text,
        )
    return row


def _said(answer: Any) -> str:
    """What an answer without embeddings says: its error, if there is one."""
    for name in ("error", "detail", "message"):
        said = getattr(answer, name, None)
        if said:
            return _cut(str(said.get("message", said) if isinstance(said, dict) else said))
    return _cut(str(answer))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _refusal(message: str, error: Any, texts: list[str]) -> ValueError:
    """Error about a request that the server refuses, with the text that it is likely to refuse."""
    said = f"{message}: {error.message}".rstrip(". ")
    if error.status_code not in _OF_A_TEXT:
        return ValueError(said)
    named = re.search(r"input\[(\d+)\]", error.message)
    if named and int(named[1]) < len(texts):
        return RowError(f"{said}. It is about {{row}}.", texts[int(named[1])])
    if len(texts) == 1:
        return RowError(f"{said}. It was asked for {{row}}.", texts[0])
    blank = [text for text in texts if not text.strip()]
    if blank:
        return RowError(f"{said}. {{row}} is blank, which many servers refuse.", blank[0])
    longest = max(texts, key=len)
    return RowError(
        f"{said}. If a text is too long, begin with {{row}}, the longest of the request "
        f"({len(longest)} characters).",
        longest,
    )


def _retries(error: Any) -> str:
    """Number of times that the client repeated a request; it gives up when told to wait minutes."""
    return str(error.request.headers.get("x-stainless-retry-count", "0"))

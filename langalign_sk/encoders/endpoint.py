"""EndpointEncoder: embeddings of an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import os
import threading
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._utils.optional import import_extra
from .._utils.validation import check_number
from .base import TextEncoder
from .cache.lookup import as_cache
from .models.model import Model

__all__ = ["EndpointEncoder"]


_models: dict[tuple[Any, ...], Model] = {}
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
                width = len(_request_rows(client, settings, ["width"])[0])

                def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
                    texts = [prompt + text for text in texts] if prompt else texts
                    return _request_rows(client, settings, texts)

                _models[key] = Model(encode, width, f"{self.name}@{client.base_url}")
            return _models[key]

    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        return model.encode(texts, self.prompt, self.batch_size)

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


def _at_least_1(value: int) -> bool:
    return value >= 1


def _request_rows(client: Any, encoder: EndpointEncoder, texts: list[str]) -> NDArray:
    """Ask for the rows of texts in one request; rows are in the order of the texts."""
    import openai

    more = {} if encoder.dimensions is None else {"dimensions": encoder.dimensions}
    who = f"model {encoder.name!r}"
    try:
        answer = client.embeddings.create(
            model=encoder.name, input=texts, encoding_format="float", **more
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
        raise ValueError(f"{message}: {error.message}") from error
    except openai.APIConnectionError as error:
        raise ConnectionError(
            f"The endpoint {client.base_url} could not be reached for {who} "
            f"({error.__cause__ or error}). Check base_url, or use an encoder that needs no network, "
            "such as 'use-multilingual'."
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The endpoint {client.base_url} answered something other than JSON for {who} ({error})."
        ) from error
    try:
        rows = sorted(answer.data, key=lambda item: item.index)
        out = np.array([item.embedding for item in rows], dtype=np.float32)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The endpoint {client.base_url} answered something other than embeddings for {who}: "
            f"{str(answer)[:200]}"
        ) from error
    if [item.index for item in rows] != list(range(len(texts))):
        raise ValueError(
            f"The endpoint {client.base_url} returned {len(rows)} rows for {len(texts)} texts of "
            f"{who}, or numbered them wrongly."
        )
    return out


def _retries(error: Any) -> str:
    """Number of times that the client repeated a request; it gives up when told to wait minutes."""
    return str(error.request.headers.get("x-stainless-retry-count", "0"))

"""Embeddings over HTTP, in the manner of OpenAI's API."""

from __future__ import annotations

import json
import os
import threading
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .base import TextEncoder
from .cache.lookup import as_cache
from .models.model import Model

__all__ = ["EndpointEncoder"]


_models: dict[tuple[Any, ...], Model] = {}
_lock = threading.RLock()


class EndpointEncoder(TextEncoder):
    """Sentence encoder behind an HTTP endpoint in the manner of OpenAI's API.

    Requests go through the `openai` client (extra "openai"), which repeats those that met a busy
    or failing server with growing pauses. Rows of every answered request are cached at once, so
    that a failure later on does not lose what was paid for.

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
        Texts a request.
    max_retries : int, default=5
        How often a request that met status 408, 409, 429 or 500 and above, or no connection, is
        repeated.
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
        with _lock:
            if key not in _models:
                asking = clone(self)  # what others share must not change with this one
                client = asking._client()
                width = len(_ask(client, asking, ["width"])[0])
                identity = f"{self.name}@{client.base_url}"

                def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
                    return _ask(client, asking, [prompt + t for t in texts] if prompt else texts)

                _models[key] = Model(encode, width, identity)
            return _models[key]

    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        return model.encode(texts, self.prompt, self.batch_size)

    def _settings(self) -> str:
        changing = {"prompt": self.prompt, "dimensions": self.dimensions}
        return " ".join(f"{k}={v!r}" for k, v in changing.items() if v is not None)

    def _check_settings(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be the name of a model, got {self.name!r}.")
        for name, least in (("batch_size", 1), ("max_retries", 0), ("dimensions", 1)):
            value = getattr(self, name)
            if name == "dimensions" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name} must be an int of at least {least}, got {value!r}.")
        timeout = self.timeout
        if isinstance(timeout, bool) or not isinstance(timeout, Real) or not timeout > 0:
            raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}.")
        for name in ("api_key_env", "base_url", "prompt"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name == "api_key_env"):
                raise TypeError(f"{name} must be a str, got {type(value).__name__}.")
        as_cache(self.cache)

    def _client(self) -> Any:
        try:
            import openai
        except ImportError as error:
            raise ImportError(
                "EndpointEncoder needs the package openai: pip install langalign-sk[openai]"
            ) from error
        key = os.environ.get(self.api_key_env, "").strip()
        if not key.isascii():
            raise ValueError(
                f"The environment variable {self.api_key_env} holds no key: it is not ASCII."
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


def _ask(client: Any, encoder: EndpointEncoder, texts: list[str]) -> NDArray:
    """Rows of one request's texts, in their order."""
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
    """How often the client repeated the request; it does not wait for minutes."""
    return str(error.request.headers.get("x-stainless-retry-count", "0"))

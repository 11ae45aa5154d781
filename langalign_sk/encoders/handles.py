"""Handles: what an aligner holds of an encoder, small to pickle and cheap to clone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ._settings import check_settings
from .base import TextEncoder, as_rows
from .presets import preset_of
from .registry import DEFAULT, Model, Spec, load_model

__all__ = ["Encoder", "EncodingSession", "SentenceEncoder", "as_encoder"]

# A dense row of a vectorizer without dimension reduction would be wider than any map can learn.
_MAX_WIDTH = 4096


class Encoder(Protocol):
    """What the aligner asks of an encoder."""

    def load(self) -> None:
        """Find the model, so that a wrong name is known before any work starts."""

    def encode(self, texts: list[str]) -> NDArray:
        """Rows of shape (n_texts, width), float32."""


class SentenceEncoder(TextEncoder):
    """Frozen sentence encoder, by name: a handle, and a scikit-learn transformer of text.

    The model is loaded at first use, once per process and settings; the handle itself holds only
    parameters, so that clones and pickles stay small. A pickle remembers which model it met: one
    of another width is refused when it is loaded again, one with other weights is warned of.

    Parameters
    ----------
    name : str, default="use-multilingual"
        A name of :func:`list_encoders`, a folder in the format of sentence-transformers,
        transformers or model2vec, or a name on the Hugging Face hub. Plain transformers
        checkpoints are mean-pooled.
    revision : str, default=None
        Branch, tag or commit of a hub model.
    prompt : str, default=None
        Put before every text. None is what the model's card asks for, where this package knows
        it (see :func:`list_encoders`), and else the model's own default; "" is none.
    pooling : {"mean", "cls", "max", "lasttoken"}, default=None
        How the tokens of a text become one row; None leaves the model's own.
    normalize : bool, default=False
        Scale rows to length 1. Many models do so themselves.
    max_length : int, default=None
        Tokens of a text that are read; None leaves the model's own limit.
    batch_size : int, default=32
        Texts that go through the model together. Not used by "use-multilingual".
    device : str or list of str, default=None
        Torch device, such as "cuda:0". None takes cuda, mps or cpu, in this order. A list starts
        a process for each device, such as ``["cuda:0", "cuda:1"]`` or ``["cpu", "cpu"]``; they
        keep the model, and every call shares its batches out. Scripts that do so need
        ``if __name__ == "__main__":``.
    dtype : {"float32", "float16", "bfloat16"}, default=None
        Precision of the model's arithmetic; rows are float32 in any case.
    backend : {"torch", "onnx", "openvino"}, default="torch"
        Runtime, where sentence-transformers has it for the model; the others are extras.
    trust_remote_code : bool, default=False
        Let the model run Python code from its repository.
    cache : None, "memory", path, MemoryCache or FolderCache, default="memory"
        Where encoded rows are kept, so that a text is encoded once. "memory" is 128 MiB for all
        encoders of the process, the oldest rows going first; a folder is shared between
        processes and runs (:class:`FolderCache`).
    verbose : bool, default=False
        Show a progress bar over the texts.

    Raises
    ------
    ImportError
        At first use, if a package is missing; the message names the extra to install.
    ValueError
        At first use, if a parameter is out of its range, or if there is no such model and no
        network to fetch it.

    See Also
    --------
    EndpointEncoder : Embeddings over HTTP.

    Examples
    --------
    >>> from langalign_sk import SentenceEncoder
    >>> encoder = SentenceEncoder("use-multilingual")
    >>> encoder.encode(["Good morning", "좋은 아침"]).shape
    (2, 512)

    As a step of a pipeline:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(encoder, LogisticRegression())
    >>> model.fit(["good", "fine", "bad", "awful"], [1, 1, 0, 0]).predict(["좋아요"])
    array([1])
    """

    def __init__(
        self,
        name: str = DEFAULT,
        *,
        revision: str | None = None,
        prompt: str | None = None,
        pooling: str | None = None,
        normalize: bool = False,
        max_length: int | None = None,
        batch_size: int = 32,
        device: str | Sequence[str] | None = None,
        dtype: str | None = None,
        backend: str = "torch",
        trust_remote_code: bool = False,
        cache: Any = "memory",
        verbose: bool = False,
    ) -> None:
        self.name = name
        self.revision = revision
        self.prompt = prompt
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype
        self.backend = backend
        self.trust_remote_code = trust_remote_code
        self.cache = cache
        self.verbose = verbose

    def _load(self) -> Model:
        check_settings(self)
        devices = self.device
        return load_model(
            Spec(
                name=os.fspath(self.name),
                revision=self.revision,
                pooling=self.pooling,
                max_length=self.max_length,
                device=devices if devices is None or isinstance(devices, str) else tuple(devices),
                dtype=self.dtype,
                backend=self.backend,
                trust_remote_code=self.trust_remote_code,
            )
        )

    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        # In float32, for lengths of half precision overflow.
        rows = np.asarray(model.encode(texts, self._prompt(), self.batch_size), dtype=np.float32)
        if not self.normalize:
            return rows
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1)

    def _prompt(self) -> str | None:
        preset = preset_of(str(self.name))
        return preset.prompt if self.prompt is None and preset else self.prompt

    def _settings(self) -> str:
        """Devices are left out: rows differ between them in the last digits only."""
        changing = {
            "prompt": self._prompt(),
            "pooling": self.pooling,
            "normalize": self.normalize or None,
            "max_length": self.max_length,
            "dtype": self.dtype,
            "backend": None if self.backend == "torch" else self.backend,
        }
        return " ".join(f"{k}={v!r}" for k, v in changing.items() if v is not None)


class _Wrapped:
    """A user's object; two wrappers of one object are one encoder."""

    _object: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wrapped) and other._object is self._object

    def __hash__(self) -> int:
        return id(self._object)


class _ObjectEncoder(_Wrapped):
    """Any object with ``encode(list of str)``."""

    def __init__(self, encoder: Any) -> None:
        self._object = encoder
        is_st = any(c.__module__.startswith("sentence_transformers") for c in type(encoder).__mro__)
        if is_st:
            from .transformer import one_at_a_time

        self._encode = one_at_a_time(encoder) if is_st else encoder.encode
        self._name = type(encoder).__name__

    def load(self) -> None:
        """The object is there already."""

    def encode(self, texts: list[str]) -> NDArray:
        return as_rows(self._encode(texts), len(texts), self._name)


class _TransformerEncoder(_Wrapped):
    """A fitted scikit-learn text transformer."""

    def __init__(self, transformer: Any) -> None:
        self._object = transformer
        self._name = type(transformer).__name__

    def load(self) -> None:
        check_is_fitted(
            self._object,
            msg="The encoder %(name)s is not fitted. Fit it on the English training texts first: an "
            "encoder stays as it is, the aligner never fits it.",
        )

    def encode(self, texts: list[str]) -> NDArray:
        out = self._object.transform(texts)
        if hasattr(out, "toarray"):
            if out.shape[1] > _MAX_WIDTH:
                raise ValueError(
                    f"The encoder {self._name} returns sparse rows of width {out.shape[1]}, over "
                    f"{_MAX_WIDTH}. Put sklearn.decomposition.TruncatedSVD behind it, and train the "
                    "English head on its output."
                )
            out = out.toarray()
        return as_rows(out, len(texts), self._name)


def as_encoder(encoder: Any, device: str | None = None) -> Encoder:
    """Handle for whatever a user may pass as an encoder.

    Parameters
    ----------
    encoder : str, path, SentenceEncoder, object with ``encode``, or fitted scikit-learn transformer
        See :class:`SentenceEncoder` for names.
    device : str, default=None
        For a name only; a handle or an object has its own.

    Returns
    -------
    object
        With ``load()`` and ``encode(list of str)``, which returns (n, width) float32.

    Raises
    ------
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from langalign_sk.encoders import as_encoder
    >>> as_encoder("minilm-english")
    SentenceEncoder(name='minilm-english')
    """
    if isinstance(encoder, str | os.PathLike):
        return SentenceEncoder(os.fspath(encoder), device=device)
    if isinstance(encoder, TextEncoder):
        return encoder
    if isinstance(encoder, type):
        raise TypeError(f"encoder is the class {encoder.__name__}: pass an instance of it.")
    if hasattr(encoder, "encode"):
        return _ObjectEncoder(encoder)
    if hasattr(encoder, "transform"):
        return _TransformerEncoder(encoder)
    raise TypeError(
        "encoder must be a name, a SentenceEncoder, an object with encode(list of str), or a fitted "
        f"scikit-learn transformer of text, got {type(encoder).__name__}."
    )


class EncodingSession:
    """Encodes every distinct text once within one call.

    Examples
    --------
    >>> from langalign_sk.encoders import EncodingSession
    >>> class Length:
    ...     def encode(self, texts):
    ...         print("encoding", texts)
    ...         return [[len(t), 1.0] for t in texts]
    >>> session, encoder = EncodingSession(), as_encoder(Length())
    >>> session.encode(encoder, ["aa", "b", "aa"]).tolist()
    encoding ['aa', 'b']
    [[2.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    """

    def __init__(self) -> None:
        self._rows: dict[Encoder, dict[str, NDArray]] = {}

    def encode(self, encoder: Encoder, texts: Sequence[str]) -> NDArray:
        """Rows of shape (n_texts, width), float32."""
        rows = self._rows.setdefault(encoder, {})
        new = [t for t in dict.fromkeys(texts) if t not in rows]
        if new:
            rows.update(zip(new, encoder.encode(new), strict=True))
        return np.stack([rows[t] for t in texts])

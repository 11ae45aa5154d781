"""Encoders from a user's own objects."""

from __future__ import annotations

import os
from typing import Any, Protocol

from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .base import TextEncoder
from .models.transformer import one_at_a_time
from .outputs import as_rows
from .sentence import SentenceEncoder

__all__ = ["Encoder", "as_encoder", "original_object"]


# Dense rows of a vectorizer without dimension reduction are wider than any map can learn.
_MAX_WIDTH = 4096


class Encoder(Protocol):
    """Protocol of an encoder, as the aligner uses it."""

    def load(self) -> None:
        """Load the model, so that a wrong name is reported before any work starts."""

    def encode(self, texts: list[str]) -> NDArray:
        """Rows of shape (n_texts, width), float32."""


class _Wrapped:
    """Handle of a user's object; two handles of one object are equal."""

    _object: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wrapped) and other._object is self._object

    def __hash__(self) -> int:
        return id(self._object)


class _ObjectEncoder(_Wrapped):
    """Handle of an object with ``encode(list of str)``."""

    def __init__(self, encoder: Any) -> None:
        self._object = encoder
        is_model = _is_sentence_transformer(encoder)
        self._encode = one_at_a_time(encoder) if is_model else encoder.encode
        self._name = type(encoder).__name__

    def load(self) -> None:
        """Nothing to do: the object is loaded."""

    def encode(self, texts: list[str]) -> NDArray:
        return as_rows(self._encode(texts), len(texts), self._name)


class _TransformerEncoder(_Wrapped):
    """Handle of a fitted scikit-learn transformer of text."""

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


def _is_sentence_transformer(encoder: Any) -> bool:
    """Whether an object is of a class of sentence-transformers, told without importing them."""
    return any(c.__module__.startswith("sentence_transformers") for c in type(encoder).__mro__)


def original_object(encoder: Any) -> Any:
    """Object that a user passed as an encoder; None for the encoders of this package."""
    return encoder._object if isinstance(encoder, _Wrapped) else None


def as_encoder(encoder: Any, device: str | None = None) -> Encoder:
    """Handle of anything that a user may pass as an encoder.

    Parameters
    ----------
    encoder : str, path, SentenceEncoder, object with ``encode``, or fitted scikit-learn transformer
        See :class:`SentenceEncoder` for names.
    device : str, default=None
        For a name only; a handle or an object has a device of its own.

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

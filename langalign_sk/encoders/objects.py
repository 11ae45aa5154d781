"""Encoders from a user's own objects."""

from __future__ import annotations

import os
from typing import Any, Protocol

from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .base import TextEncoder, as_rows
from .sentence import SentenceEncoder

__all__ = ["Encoder", "as_encoder"]


# A dense row of a vectorizer without dimension reduction would be wider than any map can learn.
_MAX_WIDTH = 4096


class Encoder(Protocol):
    """What the aligner asks of an encoder."""

    def load(self) -> None:
        """Find the model, so that a wrong name is known before any work starts."""

    def encode(self, texts: list[str]) -> NDArray:
        """Rows of shape (n_texts, width), float32."""


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
            from .models.transformer import one_at_a_time

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

"""Handles: what an aligner holds of an encoder, small to pickle and cheap to clone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .registry import DEFAULT, load_model, one_at_a_time

__all__ = ["Encoder", "EncodingSession", "SentenceEncoder", "as_encoder"]

# A dense row of a vectorizer without dimension reduction would be wider than any map can learn.
_MAX_WIDTH = 4096


class Encoder(Protocol):
    """What the aligner asks of an encoder."""

    def load(self) -> None:
        """Find the model, so that a wrong name is known before any work starts."""

    def encode(self, texts: list[str]) -> NDArray:
        """Rows of shape (n_texts, width), float32."""


class SentenceEncoder:
    """Handle of a frozen sentence encoder, by name.

    The model is loaded at first use, once per process and device; the handle itself holds only
    the name, so that clones and pickles of an aligner stay small.

    Parameters
    ----------
    name : str, default="use-multilingual"
        A built-in name (see :func:`list_encoders`), a folder in the format of
        sentence-transformers or transformers, or a name on the Hugging Face hub. Plain
        transformers checkpoints are mean-pooled.
    revision : str, default=None
        Branch, tag or commit of a hub model.
    device : str, default=None
        Torch device, such as "cuda:0". None takes cuda, mps or cpu, in this order.

    Examples
    --------
    >>> from langalign_sk.encoders import SentenceEncoder
    >>> encoder = SentenceEncoder("use-multilingual")
    >>> encoder.encode(["Good morning", "좋은 아침"]).shape
    (2, 512)
    """

    def __init__(
        self, name: str = DEFAULT, *, revision: str | None = None, device: str | None = None
    ) -> None:
        self.name = name
        self.revision = revision
        self.device = device

    def load(self) -> None:
        """Load the model, if this process has not yet.

        Raises
        ------
        ImportError
            If the package that carries the model is not installed; the message names it.
        ValueError
            If there is no such model, or no network to fetch it.
        """
        load_model(self.name, self.revision, self.device)

    def encode(self, texts: Sequence[str]) -> NDArray:
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str
            A single str counts as one text.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            One row a text; width is kept for no text at all.
        """
        model = load_model(self.name, self.revision, self.device)
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts:
            return np.empty((0, model.width), dtype=np.float32)
        return _as_rows(model.encode(texts), len(texts), repr(self.name))

    def __repr__(self) -> str:
        given = [repr(self.name)]
        given += [
            f"{k}={v!r}" for k in ("revision", "device") if (v := getattr(self, k)) is not None
        ]
        return f"SentenceEncoder({', '.join(given)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SentenceEncoder) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.name, self.revision, self.device))


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
        self._encode = one_at_a_time(encoder) if is_st else encoder.encode
        self._name = type(encoder).__name__

    def load(self) -> None:
        """The object is there already."""

    def encode(self, texts: list[str]) -> NDArray:
        return _as_rows(self._encode(texts), len(texts), self._name)


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
        return _as_rows(out, len(texts), self._name)


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
    >>> as_encoder("use-multilingual")
    SentenceEncoder('use-multilingual')
    """
    if isinstance(encoder, str | os.PathLike):
        return SentenceEncoder(os.fspath(encoder), device=device)
    if isinstance(encoder, SentenceEncoder):
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


def _to_array(out: Any) -> Any:
    """A torch tensor, on any device and of any float type, as an array."""
    return out.detach().float().cpu().numpy() if hasattr(out, "detach") else out


def _as_rows(out: Any, n: int, name: str) -> NDArray:
    if isinstance(out, list | tuple):
        out = [_to_array(row) for row in out]
    rows = np.asarray(_to_array(out))
    if rows.ndim == 1 and n == 1:
        rows = rows[None, :]
    if rows.ndim != 2 or len(rows) != n:
        raise ValueError(
            f"The encoder {name} returned shape {rows.shape} for {n} texts; it must return "
            f"({n}, width)."
        )
    rows = rows.astype(np.float32, copy=False)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ValueError(f"The encoder {name} returned NaN or infinity for text {bad} of the call.")
    return rows

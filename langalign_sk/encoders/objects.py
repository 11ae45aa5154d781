"""Encoders from a user's own objects."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .base import TextEncoder
from .models.transformer import one_at_a_time
from .outputs import as_rows, awaited_error, one_by_one
from .sentence import SentenceEncoder

__all__ = ["Encoder", "as_encoder", "object_name", "original_object"]


# Methods that encode a list of str, behind `encode` and `transform`: of LangChain, LlamaIndex, Milvus,
# LASER, FlagEmbedding, sentence-transformers and FastEmbed.
_METHODS = (
    "embed_documents",
    "get_text_embedding_batch",
    "encode_documents",
    "encode_sentences",
    "encode_corpus",
    "encode_document",
    "embed",
)
# Methods of asynchronous clients, and of models that take one text.
_AWAITED = ("aembed_documents", "aget_text_embedding_batch", "aembed")
_OF_ONE_TEXT = ("get_sentence_vector", "embed_query", "get_text_embedding", "get_mean_vector")
_TRIAL = "Good morning."
# Attributes that say that a transformer was fitted, or on what, and hold nothing that it learned.
_NOT_LEARNED = ("n_features_in_", "feature_names_in_", "fitted_", "is_fitted_")


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
        return isinstance(other, _Wrapped) and _same(other._object, self._object)

    def __hash__(self) -> int:
        return id(getattr(self._object, "__self__", self._object))


class _ObjectEncoder(_Wrapped):
    """Handle of a function, or of an object with a method, that encodes a list of str."""

    # Handles that were pickled by earlier releases have none.
    _call = "model.encode(texts)"

    def __init__(self, encoder: Any, method: str = "encode") -> None:
        self._object = encoder
        self._name = object_name(encoder)
        self._call = f"model.{method}(texts)" if method else "model(texts)"
        encode = getattr(encoder, method) if method else encoder
        _check_call(encode, self._name, self._call)
        is_model = method == "encode" and _is_sentence_transformer(encoder)
        self._encode = one_at_a_time(encoder) if is_model else encode

    def load(self) -> None:
        """Nothing to do: the object is loaded."""

    def encode(self, texts: list[str]) -> NDArray:
        try:
            # A copy, which the object may sort or empty.
            out = self._encode([*texts])
        except (AttributeError, TypeError, ValueError) as error:
            if self._call not in "".join(getattr(error, "__notes__", ())):
                error.add_note(
                    f"The encoder {self._name} was called with a list of {len(texts)} str, as "
                    f"{self._call}. If it takes something else, pass a function, such as\n"
                    f"    {one_by_one(self._call)}"
                )
            raise
        return as_rows(out, texts, self._name, self._call)


class _TransformerEncoder(_Wrapped):
    """Handle of a scikit-learn transformer of text that is fitted, or has nothing to fit."""

    def __init__(self, transformer: Any) -> None:
        self._object = transformer
        self._name = type(transformer).__name__

    def load(self) -> None:
        unknown = [*_not_known_as_fitted(self._object)]
        if not unknown:
            return
        # A transformer without fitted attributes may have nothing to fit: it transforms a text then.
        if any(_learns(step) for step in unknown):
            raise self._not_fitted()
        try:
            self.encode([_TRIAL])
        except (NotFittedError, AttributeError) as error:
            raise self._not_fitted() from error

    def encode(self, texts: list[str]) -> NDArray:
        out = _transformed(self._object, _column(self._object, texts))
        return as_rows(out, texts, self._name, "model.transform(texts)")

    def _not_fitted(self) -> NotFittedError:
        return NotFittedError(
            f"The encoder {self._name} is not fitted. Fit it on the English training texts first: an "
            "encoder stays as it is, the aligner never fits it."
        )


def _same(one: Any, other: Any) -> bool:
    """Whether two objects are one; each look at a bound method makes a new object."""
    return one is other or (inspect.ismethod(one) and inspect.ismethod(other) and one == other)


def _check_call(encode: Callable[..., Any], name: str, call: str) -> None:
    """Raise TypeError for a function that cannot be called with texts alone, or is asynchronous."""
    functions = (encode, getattr(encode, "__call__", None))  # noqa: B004
    generator = any(map(inspect.isasyncgenfunction, functions))
    if generator or any(map(inspect.iscoroutinefunction, functions)):
        raise awaited_error(name, call, generator=generator)
    try:
        signature = inspect.signature(encode)
    except (TypeError, ValueError):  # written in C
        return
    try:
        signature.bind([_TRIAL])
    except TypeError:
        raise TypeError(
            f"The encoder {name} takes {signature}, and not a list of str alone. Pass a function that "
            f"gives it the rest:\n    encoder=lambda texts: {_with_the_rest(call, signature)}"
        ) from None


def _with_the_rest(call: str, signature: inspect.Signature) -> str:
    """Call of a function with places for what it needs besides texts."""
    needed = [p for p in signature.parameters.values() if p.default is p.empty]
    keywords = [f"{p.name}=..." for p in needed if p.kind is p.KEYWORD_ONLY]
    if {"task_metadata", "hf_split"} <= signature.parameters.keys():  # of MTEB
        batches = '[{"text": texts}]'
        return call.replace("texts)", f"{', '.join([batches, *keywords])})")
    if not keywords:
        return call.replace("texts)", "..., texts)")
    return call.replace("texts)", f"texts, {', '.join(keywords)})")


def _not_known_as_fitted(transformer: Any) -> Iterator[Any]:
    """Steps of a transformer that do not say that they are fitted, or that they need no fit."""
    if isinstance(transformer, Pipeline):
        for _, step in transformer.steps:
            yield from _not_known_as_fitted(step)
    elif hasattr(transformer, "fit"):
        try:
            check_is_fitted(transformer)
        except (NotFittedError, AttributeError, TypeError):  # some have no tags
            yield transformer


def _learns(transformer: Any) -> bool:
    """Whether `fit` names an attribute that it learns, by the underscore at its end."""
    fit = inspect.unwrap(getattr(type(transformer), "fit", transformer.fit))
    names: tuple[str, ...] = getattr(getattr(fit, "__code__", None), "co_names", ())
    return any(
        name.endswith("_")
        and not name.startswith("_")
        and name not in _NOT_LEARNED
        and not hasattr(transformer, name)
        for name in names
    )


def _transformed(transformer: Any, X: Any) -> Any:
    """Output of a transformer, or of the steps of a Pipeline one by one.

    A Pipeline itself refuses to transform as soon as its last step has no fitted attributes.
    """
    if not isinstance(transformer, Pipeline) or not [*_not_known_as_fitted(transformer)]:
        return transformer.transform(X)
    for _, step in transformer.steps:
        if step not in (None, "passthrough"):
            X = _transformed(step, X)
    return X


def _column(transformer: Any, texts: list[str]) -> Any:
    """Texts in the container that a transformer reads: mostly a list."""
    first = transformer
    while isinstance(first, Pipeline):
        first = first.steps[0][1]
    if getattr(first, "__single_column_transformer__", False):  # of skrub
        return pd.Series(texts, name="text", dtype=object)
    names = getattr(first, "feature_names_in_", None)
    if names is not None and len(names) == 1:  # fitted on a table
        return pd.DataFrame({names[0]: texts}, dtype=object)
    return [*texts]


def _is_sentence_transformer(encoder: Any) -> bool:
    """Whether an object is of a class of sentence-transformers, told without importing them."""
    # A class made by `type` where no module is executed has no __module__.
    modules = (getattr(c, "__module__", "") for c in type(encoder).__mro__)
    return any(str(module).startswith("sentence_transformers") for module in modules)


def original_object(encoder: Any) -> Any:
    """Object that a user passed as an encoder; None for the encoders of this package."""
    encoder = getattr(encoder, "handle", encoder)  # of normalised text
    return encoder._object if isinstance(encoder, _Wrapped) else None


def object_name(encoder: Any) -> str:
    """Name of a function or method that encodes, or of the class of an object."""
    if inspect.isroutine(encoder):
        return str(getattr(encoder, "__qualname__", encoder.__name__)).replace("<locals>.", "")
    return type(encoder).__name__


def as_encoder(encoder: Any, device: str | None = None) -> Encoder:
    """Handle of anything that a user may pass as an encoder.

    Parameters
    ----------
    encoder : str, path, SentenceEncoder, object, function or scikit-learn transformer
        See :class:`SentenceEncoder` for names. An object has one of the methods `encode`,
        `transform`, `embed_documents` (LangChain), `get_text_embedding_batch` (LlamaIndex),
        `encode_documents` (Milvus), `encode_sentences` (LASER), `encode_corpus`, `encode_document`
        or `embed` (FastEmbed), of which the first is called, or can be called itself, with a list
        of str. A transformer is fitted, or has nothing to fit.
    device : str, default=None
        For a name only; a handle or an object has a device of its own.

    Returns
    -------
    object
        With ``load()`` and ``encode(list of str)``, which returns (n, width) float32.

    Raises
    ------
    TypeError
        If it is none of these, needs more than a list of str, or is asynchronous.

    Notes
    -----
    A function or method returns the rows as an array, tensor or sparse matrix of at most 4,096
    columns, as a list, generator or other iterable of rows or of batches of rows, or as a dict or
    response that holds one of these under a name such as "dense_vecs", "embeddings" or "data".

    Examples
    --------
    >>> from langalign_sk.encoders import as_encoder
    >>> as_encoder("minilm-english")
    SentenceEncoder(name='minilm-english')
    >>> as_encoder(lambda texts: ([len(text), 1] for text in texts)).encode(["a", "bc"]).tolist()
    [[1.0, 1.0], [2.0, 1.0]]
    """
    if isinstance(encoder, str | os.PathLike):
        return SentenceEncoder(os.fspath(encoder), device=device)
    if isinstance(encoder, TextEncoder):
        return encoder
    if isinstance(encoder, type):
        raise TypeError(f"encoder is the class {encoder.__name__}: pass an instance of it.")
    if callable(getattr(encoder, "encode", None)):
        return _ObjectEncoder(encoder)
    if hasattr(encoder, "transform"):
        return _TransformerEncoder(encoder)
    for method in _METHODS:
        if callable(getattr(encoder, method, None)):
            return _ObjectEncoder(encoder, method)
    if callable(encoder) and getattr(encoder, "__module__", None) != "builtins":
        return _ObjectEncoder(encoder, "")
    for method in _AWAITED:
        if hasattr(encoder, method):
            raise awaited_error(object_name(encoder), f"model.{method}(texts)")
    vector = next(
        (f"model.{method}(text)" for method in _OF_ONE_TEXT if hasattr(encoder, method)), ""
    )
    raise TypeError(
        "encoder must be a name, a SentenceEncoder, an object with encode(list of str), a function "
        "of a list of str, or a fitted scikit-learn transformer of text, got "
        f"{type(encoder).__name__}. Around anything else, put a function:\n"
        f"    encoder=lambda texts: [{vector or '...the vector of text...'} for text in texts]"
    )

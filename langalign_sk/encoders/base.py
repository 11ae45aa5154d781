"""Base class of sentence encoders: cache, streaming, and the interface of a transformer."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone

from .._utils.containers import cells_of, check_text_column, iterate_texts
from .._utils.fits import keeps_former_fit, keeps_former_fit_transform
from .._utils.normalization import NORMALIZATION_VERSION, joined_surrogates, normalize_texts
from .._utils.texts import check_texts
from .._utils.validation import warn_user
from .cache.folder import FolderCache
from .cache.lookup import as_cache
from .keywords import as_asked, check_others, settings_of_call
from .long_texts import LongTextsOfStream, warn_of_long_texts
from .models.model import LayerError, Model
from .outputs import as_rows, numbered_in
from .progress import ProgressBar
from .stream import check_chunk_size, check_target, write_rows

__all__ = [
    "TextEncoder",
    "expect_model",
    "form_of",
    "loaded_model",
    "seen_model",
    "settings_of_rows",
]


_CHUNK = 2_048  # texts
# Parameters that leave the model as it is.
_NOT_OF_THE_MODEL = (
    *("batch_size", "cache", "device", "max_retries", "normalize_text", "timeout", "verbose"),
)


@keeps_former_fit_transform
class TextEncoder(TransformerMixin, BaseEstimator):
    """Base class of sentence encoders, which are scikit-learn transformers of text.

    Subclasses have the parameters `name`, `normalize_text`, `cache` and `verbose`, and load a model.
    """

    name: str
    normalize_text: str | None = None
    cache: Any
    verbose: bool
    # Parameters, identity and width of the model that was loaded last; pickled.
    _seen: tuple[dict[str, Any], str, int] | None = None

    @abstractmethod
    def _load(self) -> Model:
        """Load the model, at most once per process."""

    @abstractmethod
    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        """Encode distinct texts with the model."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Settings that change the rows of a model; those left to the model are not in it."""

    @property
    def _block(self) -> int:
        """Number of texts between two writes to the cache: what a killed process loses."""
        return _CHUNK

    def load(self) -> None:
        """Load the model, unless this process has, and compare it with the one loaded before.

        Raises
        ------
        ImportError
            If a package is missing; the message names it.
        ValueError
            If the model does not exist or cannot be fetched, or if its rows have another width than
            when this encoder was pickled.
        """
        self._checked_model()

    def _checked_model(self) -> Model:
        """The model, loaded and compared with the one loaded before; the cache is checked too."""
        store = as_cache(self.cache)
        if isinstance(store, FolderCache):
            store.check()
        parameters = self._parameters()
        of_model = {k: v for k, v in parameters.items() if k not in _NOT_OF_THE_MODEL}
        seen = self._seen
        if seen is not None and _given(seen[0]) != _given(of_model):
            seen = None  # of another model, on purpose
        try:
            model = self._load()
        except LayerError as error:
            if seen is None:
                raise
            raise LayerError(
                f"{error} It was {seen[1]} when it was saved, which had the layer: put the former "
                "model back, or fit again with another layer."
            ) from error
        if seen is not None and not (seen[2] == model.width and model.is_known_as(seen[1])):
            self._compare(*seen[1:], model)
        self._seen = of_model, model.identity, model.width  # so that another is warned of once
        return model

    def _compare(self, identity: str, width: int, model: Model) -> None:
        """Refuse a model of another width than before, and warn of another identity."""
        if width != model.width:
            raise ValueError(
                f"Encoder {self.name!r} returned rows of width {width} when it was saved "
                f"({identity}), and returns width {model.width} now ({model.identity}). Put the "
                "former model back, or fit again."
            )
        warn_user(
            f"Encoder {self.name!r} was {identity} when it was saved, and is {model.identity} now: "
            "what was fitted on its rows may not fit any more. Pin it with revision=, or fit again."
        )

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_size: int | None = None,
        prompt: str | None = None,
        device: str | None = None,
        show_progress_bar: bool | None = None,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool = False,
        **others: Any,
    ) -> NDArray:
        """Embed texts; each distinct text is encoded once.

        The keywords are those of sentence-transformers, so that an encoder can stand where a
        library expects a SentenceTransformer.

        Parameters
        ----------
        texts : sequence of str
            Or another :ref:`container <what-x-may-be>` of one column of text. A single str counts as
            one text.
        batch_size, prompt, device : default=None
            In place of the parameter of this name, for this call; None is the parameter.
        show_progress_bar : bool, default=None
            In place of `verbose`, for this call; None is `verbose`.
        convert_to_numpy : bool, default=True
            Return an array; False asks for a list of one torch tensor per text.
        convert_to_tensor : bool, default=False
            Return one torch tensor, on the processor, whatever `convert_to_numpy` says.
        normalize_embeddings : bool, default=False
            Scale rows to length 1; rows of zeros stay.
        **others
            Other keywords of sentence-transformers at their defaults (`prompt_name`,
            `output_value`, `precision`, `truncate_dim`, `pool`, `chunk_size`), and those that
            describe a task of MTEB, which change nothing.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            One row per text; without any text the shape is (0, width).

        Raises
        ------
        ValueError, TypeError
            If a text is missing, or is not a str, or if a keyword cannot be honoured.

        Examples
        --------
        >>> from langalign_sk import SentenceEncoder
        >>> encoder = SentenceEncoder()
        >>> encoder.encode(["Good morning"], show_progress_bar=False, convert_to_tensor=True).shape
        torch.Size([1, 512])
        """
        check_others(others)
        asked = {
            "batch_size": batch_size,
            "verbose": show_progress_bar,
            "prompt": prompt,
            "device": device,
        }
        changed = settings_of_call(self._parameters(), asked, type(self).__name__)
        rows = self._with(changed)._encoded(texts)
        out: NDArray = as_asked(
            rows,
            convert_to_numpy=convert_to_numpy,
            convert_to_tensor=convert_to_tensor,
            normalize=normalize_embeddings,
        )
        return out

    def encode_query(self, texts: Sequence[str], **keywords: Any) -> NDArray:
        """Embed search queries: the same as `encode`, by its name in sentence-transformers.

        Parameters
        ----------
        texts : sequence of str
            Queries; they get the same prompt as any text.
        **keywords
            As in `encode`.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            One row per text.
        """
        return self.encode(texts, **keywords)

    def encode_document(self, texts: Sequence[str], **keywords: Any) -> NDArray:
        """Embed documents: the same as `encode`, by its name in sentence-transformers.

        Parameters
        ----------
        texts : sequence of str
            Documents; they get the same prompt as any text.
        **keywords
            As in `encode`.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            One row per text.
        """
        return self.encode(texts, **keywords)

    def _with(self, parameters: dict[str, Any]) -> TextEncoder:
        """This encoder with other parameters, for one call; itself if there are none."""
        if not parameters:
            return self
        if "device" not in parameters:
            self._checked_model()  # and not the copy, so that another model is warned of once
        encoder = copy(self)
        for name, value in parameters.items():
            setattr(encoder, name, value)
        return encoder

    def _encoded(self, texts: Sequence[str]) -> NDArray:
        """Rows of texts in their order, from the cache or from the model."""
        model = self._checked_model()
        texts = [texts] if isinstance(texts, str) else cells_of(texts, "texts")
        given = check_texts(texts, "texts,", may_be_empty=True)
        if not given:
            return np.empty((0, model.width), dtype=np.float32)
        read = self._read(given)
        limit, prompt = model.limit, self._prompt
        starts = read if limit is None else [limit.start_of(text, prompt) for text in read]
        distinct = dict.fromkeys(starts)
        with numbered_in(starts, given):
            rows = self._rows(model, list(distinct))
        if limit is not None:
            pairs = enumerate(zip(read, starts, strict=True))
            long = [
                i for i, (text, start) in pairs if len(start) < len(text) or limit.was_cut(start)
            ]
            warn_of_long_texts(str(self.name), limit.max_length, given, long)
        if len(distinct) == len(given):
            return rows
        place = {text: i for i, text in enumerate(distinct)}
        return rows[[place[text] for text in starts]]

    def _read(self, texts: list[str]) -> list[str]:
        """Texts in the form in which they are encoded and cached."""
        if self.normalize_text is None:  # no model reads half a surrogate pair
            return [joined_surrogates(text) for text in texts]
        return normalize_texts(texts, self.normalize_text)

    @property
    def _prompt(self) -> str | None:
        """Prompt before every text; None where there is none, or the model has one of its own."""
        return None

    def _rows(self, model: Model, texts: list[str]) -> NDArray:
        """Rows of distinct texts, from the cache or from the model."""
        store = as_cache(self.cache)
        with ProgressBar(self.verbose, len(texts), str(self.name)) as bar:

            def encode(new: list[str]) -> NDArray:
                bar.start()  # not where the cache has every row
                return self._encode_blocks(model, new, bar)

            if store is None:
                return encode(texts)
            rows = store.rows(self._key(model).strip(), texts, model.width, encode, self._block)
            bar.complete()  # by the rows that the cache had
            return rows

    def _key(self, model: Model) -> str:
        """Key of the rows of a model with the settings of this encoder."""
        settings = " ".join(f"{name}={value!r}" for name, value in self._settings().items())
        return f"{model.identity} {settings}"

    def _encode_blocks(self, model: Model, texts: list[str], bar: ProgressBar) -> NDArray:
        """Rows of distinct texts from the model, checked."""
        out = np.empty((len(texts), model.width), dtype=np.float32)
        for start in range(0, len(texts), self._block):
            block = texts[start : start + self._block]
            rows = as_rows(self._encode(model, block), block, repr(self.name))
            if rows.shape[1] != model.width:
                raise ValueError(
                    f"Encoder {self.name!r} returned rows of width {rows.shape[1]}, and of width "
                    f"{model.width} before."
                )
            out[start : start + len(block)] = rows
            bar.update(len(block))
        return out

    def encode_iter(self, texts: Iterable[str], *, chunk_size: int = _CHUNK) -> Iterator[NDArray]:
        """Embed any number of texts, chunk by chunk.

        Parameters
        ----------
        texts : iterable of str
            Read as needed.
        chunk_size : int, default=2048
            Texts per chunk.

        Yields
        ------
        ndarray of shape (at most chunk_size, width), float32
            Rows of the next texts.

        Examples
        --------
        >>> from langalign_sk import SentenceEncoder
        >>> lines = (f"sentence {i}" for i in range(5))
        >>> [rows.shape for rows in SentenceEncoder().encode_iter(lines, chunk_size=2)]
        [(2, 512), (2, 512), (1, 512)]
        """
        check_chunk_size(chunk_size)
        _check_several(texts)
        remaining, before = iterate_texts(texts), 0
        long = LongTextsOfStream()
        try:
            while chunk := list(islice(remaining, chunk_size)):
                chunk = check_texts(chunk, "texts,", may_be_empty=True, first=before)
                before += len(chunk)
                yield long.encoded(self.encode, chunk)
        finally:
            long.warn()

    def encode_to_file(
        self,
        texts: Iterable[str],
        path: str | os.PathLike[str],
        *,
        chunk_size: int = _CHUNK,
        n_texts: int | None = None,
    ) -> NDArray:
        """Embed any number of texts into a ``.npy`` file, in constant memory.

        A run that was killed continues where it stopped when the method is called again with the
        same texts and path.

        Parameters
        ----------
        texts : iterable of str
            Read as needed.
        path : path
            The file. Until all rows are written, they are in ``<path>.part``.
        chunk_size : int, default=2048
            Texts between two writes.
        n_texts : int, default=None
            Number of texts, for the progress bar (`verbose`).

        Returns
        -------
        memmap of shape (n_texts, width), float32
            The file, mapped for reading.

        Raises
        ------
        ValueError
            If the file exists, or if ``<path>.part`` belongs to another encoder or other texts.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from langalign_sk import SentenceEncoder
        >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.npy")
        >>> SentenceEncoder().encode_to_file((f"sentence {i}" for i in range(5)), path).shape
        (5, 512)
        """
        check_chunk_size(chunk_size)
        _check_several(texts)
        path = Path(path)
        check_target(path)
        model = self._checked_model()
        # One bar for all chunks, in place of one per chunk.
        encoder = clone(self).set_params(verbose=False) if self.verbose else self
        return write_rows(
            iterate_texts(texts),
            path,
            encode=encoder.encode,
            width=model.width,
            encoder=self._key(model) + (f" {form}" if (form := form_of(self)) else ""),
            chunk_size=chunk_size,
            bar=ProgressBar(self.verbose, n_texts, str(self.name)),
        )

    @keeps_former_fit
    def fit(self, X: Any, y: Any = None) -> TextEncoder:
        """Load the model and check the input; nothing is learned.

        The model may be another one than this encoder met before it was pickled.

        Parameters
        ----------
        X : one column of text
            List, array, Series, one-column frame or another :ref:`container <what-x-may-be>` of str.
        y : None
            Ignored.

        Returns
        -------
        TextEncoder
            The encoder itself.
        """
        check_text_column(X)
        self._seen = None
        self.load()
        return self

    def transform(self, X: Any) -> NDArray:
        """Embed a column of text.

        Parameters
        ----------
        X : one column of text
            List, array, Series, one-column frame or another :ref:`container <what-x-may-be>` of str.

        Returns
        -------
        ndarray of shape (n_samples, width), float32
            One row per text.

        Raises
        ------
        ValueError, TypeError
            If a row is missing, empty, or is not text.
        """
        return self.encode(check_text_column(X, may_have_no_rows=True))

    def fit_transform(self, X: Any, y: Any = None) -> NDArray:
        """Load the model, and embed a column of text.

        Parameters
        ----------
        X : one column of text
            In any container; an iterator is read once.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_samples, width), float32
            The same as ``fit(X).transform(X)``.
        """
        X = cells_of(X)
        return self.fit(X).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns: the class name in lower case, and a number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str
            One name per column.
        """
        prefix = type(self).__name__.lower()
        width = self._checked_model().width
        return np.array([f"{prefix}{i}" for i in range(width)], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._parameters() == other._parameters()

    def __hash__(self) -> int:
        return hash((type(self), str(self.name)))

    def _parameters(self) -> dict[str, Any]:
        """Parameters as in get_params, whose inspection takes longer than a cached row."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def _given(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters other than None: earlier releases did not have all of them."""
    return {name: value for name, value in parameters.items() if value is not None}


def seen_model(encoder: Any) -> tuple[dict[str, Any], str, int] | None:
    """Parameters, identity and width of the model that an encoder loaded last; None if unknown."""
    return encoder._seen if isinstance(encoder, TextEncoder) else None


def expect_model(encoder: Any, seen: tuple[dict[str, Any], str, int] | None) -> None:
    """Let an encoder compare its model with one that was loaded before; None forgets that one."""
    if isinstance(encoder, TextEncoder):
        encoder._seen = seen


def settings_of_rows(encoder: Any) -> dict[str, Any] | None:
    """Settings of an encoder that change the rows of its model; None if unknown.

    Two encoders of one model have equal settings if and only if their rows are the same for every
    text in the form in which it is encoded (`form_of`). A setting that is left to the model is not
    among them.

    Parameters
    ----------
    encoder : object
        As `as_encoder` returns it.

    Returns
    -------
    dict or None
        Values by the names of parameters.

    Examples
    --------
    >>> from langalign_sk import SentenceEncoder
    >>> from langalign_sk.encoders.base import settings_of_rows
    >>> settings_of_rows(SentenceEncoder("multilingual-e5-small", layer=[8, 4]))
    {'prompt': 'query: ', 'layer': (4, 8)}
    """
    return encoder._settings() if isinstance(encoder, TextEncoder) else None


def form_of(encoder: Any) -> str | None:
    """Form of the texts of an encoder, with the version of its rules; None for texts as they are.

    Parameters
    ----------
    encoder : object
        As `as_encoder` returns it, or in `NormalizedEncoder`.

    Returns
    -------
    str or None
        Such as "auto-1".
    """
    form = getattr(encoder, "normalize_text", None)
    return None if form is None else f"{form}-{NORMALIZATION_VERSION}"


def loaded_model(encoder: TextEncoder) -> Model:
    """Model of an encoder, loaded and compared with the one that was loaded before."""
    return encoder._checked_model()


def _check_several(texts: Iterable[str]) -> None:
    if isinstance(texts, str):
        raise TypeError("texts is one str: pass an iterable of texts, such as [text].")

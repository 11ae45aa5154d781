"""What all encoders of text have in common."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from .._utils.texts import check_text_column, check_texts
from .._utils.validation import warn_user
from .cache.folder import FolderCache
from .cache.lookup import as_cache
from .models.model import Model

__all__ = ["TextEncoder", "as_rows", "expect_model", "loaded_model", "seen_model"]


_CHUNK = 2_048
_OF_NO_EFFECT = ("batch_size", "cache", "device", "max_retries", "timeout", "verbose")


class TextEncoder(TransformerMixin, BaseEstimator):
    """Text in, rows out: caching, streaming, and the interface of a scikit-learn transformer.

    Subclasses have the parameters `name`, `cache` and `verbose`, and give a model.
    """

    name: str
    cache: Any
    verbose: bool
    # Parameters, identity and width of the model that was met.
    _seen: tuple[dict[str, Any], str, int] | None = None

    @abstractmethod
    def _load(self) -> Model:
        """The model, loaded at most once per process."""

    @abstractmethod
    def _encode(self, model: Model, texts: list[str]) -> NDArray:
        """Rows of distinct texts, as the model gives them."""

    @abstractmethod
    def _settings(self) -> str:
        """What changes the rows of a model, in words."""

    @property
    def _block(self) -> int:
        """Texts that are encoded before rows are kept: what a killed process loses."""
        return _CHUNK

    def load(self) -> None:
        """Load the model, if this process has not yet, and check that it is the one of before.

        Raises
        ------
        ImportError
            If a package is missing; the message names it.
        ValueError
            If there is no such model, no network to fetch it, or its rows have another width than
            when this encoder was pickled.
        """
        self._checked_model()

    def _checked_model(self) -> Model:
        store = as_cache(self.cache)
        if isinstance(store, FolderCache):
            store.check()
        model = self._load()
        asked = {k: v for k, v in self._parameters().items() if k not in _OF_NO_EFFECT}
        seen, now = self._seen, (asked, model.identity, model.width)
        if seen != now:
            if seen is not None and seen[0] == asked:
                self._compare(*seen[1:], model)
            self._seen = now  # what is warned of is said once
        return model

    def _compare(self, identity: str, width: int, model: Model) -> None:
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

    def encode(self, texts: Sequence[str]) -> NDArray:
        """Embed texts; every distinct one is encoded once.

        Parameters
        ----------
        texts : sequence of str
            A single str counts as one text.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            One row a text; width is kept for no text at all.
        """
        model = self._checked_model()
        texts = [texts] if isinstance(texts, str) else texts
        texts = check_texts(texts, "texts,", may_be_empty=True)
        if not texts:
            return np.empty((0, model.width), dtype=np.float32)
        distinct = dict.fromkeys(texts)
        rows = self._rows(model, list(distinct))
        if len(distinct) == len(texts):
            return rows
        place = {text: i for i, text in enumerate(distinct)}
        return rows[[place[text] for text in texts]]

    def _rows(self, model: Model, texts: list[str]) -> NDArray:
        store, bar = as_cache(self.cache), None

        def encode(new: list[str]) -> NDArray:
            nonlocal bar
            if self.verbose and bar is None:  # none for rows that are all in the cache
                from tqdm.auto import tqdm

                bar = tqdm(total=len(texts), unit="text", desc=str(self.name))
            out = np.empty((len(new), model.width), dtype=np.float32)
            for start in range(0, len(new), self._block):
                part = new[start : start + self._block]
                rows = as_rows(self._encode(model, part), len(part), repr(self.name))
                if rows.shape[1] != model.width:
                    raise ValueError(
                        f"Encoder {self.name!r} returned rows of width {rows.shape[1]}, and of width "
                        f"{model.width} before."
                    )
                out[start : start + len(part)] = rows
                if bar is not None:
                    bar.update(len(part))
            return out

        try:
            if store is None:
                return encode(texts)
            encoder = f"{model.identity} {self._settings()}".strip()
            rows = store.rows(encoder, texts, model.width, encode, self._block)
            if bar is not None:
                bar.update(bar.total - bar.n)  # what the cache had
            return rows
        finally:
            if bar is not None:
                bar.close()

    def encode_iter(self, texts: Iterable[str], *, chunk_size: int = _CHUNK) -> Iterator[NDArray]:
        """Embed texts of any number, chunk by chunk.

        Parameters
        ----------
        texts : iterable of str
            Read as it is needed.
        chunk_size : int, default=2048
            Texts a chunk.

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
        if chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")
        if isinstance(texts, str):
            raise TypeError("texts is one str: pass an iterable of texts, such as [text].")
        remaining = iter(texts)
        while chunk := list(islice(remaining, chunk_size)):
            yield self.encode(chunk)

    def encode_to_file(
        self,
        texts: Iterable[str],
        path: str | os.PathLike[str],
        *,
        chunk_size: int = _CHUNK,
        n_texts: int | None = None,
    ) -> NDArray:
        """Embed texts of any number into a ``.npy`` file, in constant memory.

        A run that was killed goes on where it stopped when it is begun again with the same texts
        and path.

        Parameters
        ----------
        texts : iterable of str
            Read as it is needed.
        path : path
            Of the file. Until all rows are there, they are in ``<path>.part``.
        chunk_size : int, default=2048
            Texts between two writes.
        n_texts : int, default=None
            How many texts there are, for the progress bar (`verbose`).

        Returns
        -------
        memmap of shape (n_texts, width), float32
            The file, mapped for reading.

        Raises
        ------
        ValueError
            If the file is there already, or ``<path>.part`` is of another encoder or other texts.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from langalign_sk import SentenceEncoder
        >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.npy")
        >>> SentenceEncoder().encode_to_file((f"sentence {i}" for i in range(5)), path).shape
        (5, 512)
        """
        from .stream import write_rows

        return write_rows(self, texts, path, chunk_size=chunk_size, n_texts=n_texts)

    def fit(self, X: Any, y: Any = None) -> TextEncoder:
        """Load the model and check the input; there is nothing to learn.

        A model that this encoder met before, in a pickle, need not be the same.

        Parameters
        ----------
        X : one column of text
            List, array, Series or one-column frame of str.
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
            List, array, Series or one-column frame of str.

        Returns
        -------
        ndarray of shape (n_samples, width), float32
            One row a text.

        Raises
        ------
        ValueError, TypeError
            If a row is missing, empty, or no text.
        """
        return self.encode(check_text_column(X))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the output columns: the class name, in lower case, and a number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str
            One name a column.
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
        """What get_params returns, without the inspection that would cost more than a cached row."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def seen_model(encoder: Any) -> tuple[dict[str, Any], str, int] | None:
    """Parameters, identity and width of the model that an encoder met last; None if unknown."""
    return encoder._seen if isinstance(encoder, TextEncoder) else None


def expect_model(encoder: Any, seen: tuple[dict[str, Any], str, int] | None) -> None:
    """Let an encoder compare its model with one that was met before; None forgets that one."""
    if isinstance(encoder, TextEncoder):
        encoder._seen = seen


def loaded_model(encoder: TextEncoder) -> Model:
    """The model of an encoder, loaded and compared with the one that it met before."""
    return encoder._checked_model()


def _to_array(out: Any) -> Any:
    """A torch tensor, on any device and of any float type, as an array."""
    return out.detach().float().cpu().numpy() if hasattr(out, "detach") else out


def as_rows(out: Any, n: int, name: str) -> NDArray:
    """What an encoder returned as float32 rows, one a text, or an error that names the encoder."""
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

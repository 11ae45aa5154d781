"""The documents of a retriever: identifiers, rows, index and hubness."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ..aligner._pairs import CORPORA, pairs_of_corpus
from ..corpus._inputs import Sides, Text, pairs_from, text_column
from ..languages import LanguageRouter, languages_of
from ..metrics._core import normalize_rows
from .backends import Index, make_index
from .exact import Rows
from .hubness import SCORINGS, Hubs

__all__ = ["IndexMixin", "check_width", "checked_ids", "unit"]


_CHUNK = 8_192


class IndexMixin:
    """The private half of a CrossLingualRetriever."""

    aligner: Any
    n_neighbors: int
    scoring: str
    hub_neighbors: int
    temperature: float
    backend: str
    backend_params: dict[str, Any] | None
    aligner_: Any
    ids_: list[Any]
    documents_: list[str] | None
    n_documents_: int
    _next_id: int
    _rows: Rows
    _index: Index
    _hubs: Hubs | None

    def _check_parameters(self) -> Any:
        check_scalar(self.n_neighbors, "n_neighbors", Integral, min_val=1)
        check_scalar(self.hub_neighbors, "hub_neighbors", Integral, min_val=1)
        if self.scoring not in SCORINGS:
            raise ValueError(f"scoring must be one of {SCORINGS}, got {self.scoring!r}.")
        check_scalar(self.temperature, "temperature", Real, min_val=0, include_boundaries="neither")
        if self.aligner is not None and not hasattr(self.aligner, "transform"):
            raise TypeError(
                "aligner must be a CrossLingualAligner, a frozen one or None, got "
                f"{self.aligner!r}."
            )
        return make_index(self.backend, self.backend_params)

    def _texts(self, X: Any, what: str) -> list[str] | None:
        """Rows of text; None for embeddings."""
        data = text_column(X, what)
        rows = data.rows if isinstance(data, Text) else None
        if rows is not None and self.aligner is None:
            raise ValueError(
                f"The {what} are text, and without an aligner the retriever takes embeddings only: "
                'pass aligner=CrossLingualAligner("ko"), or the language of your queries.'
            )
        return rows

    def _embeddings(self, X: Any, reset: bool = False) -> NDArray:
        if self.aligner is None:
            return validate_data(self, X, dtype=np.float32, reset=reset)
        # The embeddings of queries may have another width than those of documents.
        return check_array(X, dtype=np.float32, input_name="X")

    def _check_parallel(self, parallel: Any) -> None:
        stays = self.aligner is None or isinstance(self.aligner, FrozenEstimator)
        if stays and parallel is not None:
            raise ValueError("parallel= is for an aligner that is fitted here; this one is not.")

    def _bank_queries(self, query_bank: Any, parallel: Any) -> Any:
        """Text or embeddings of the bank, checked; None where none is needed."""
        aligner = self.aligner
        if self.scoring == "cosine":
            return None
        if query_bank is not None:
            texts = self._texts(query_bank, "queries of the bank")
            return texts or check_array(query_bank, dtype=np.float32, input_name="query_bank")
        pairs: dict[str, Sides] = {}
        if hasattr(aligner, "target_lang"):
            languages = languages_of(aligner.target_lang)
            if parallel is not None:
                pairs = pairs_from(parallel, LanguageRouter(languages, aligner.detect), languages)
            elif aligner.corpus not in CORPORA:  # too small to tell hubs by: it lowers recall
                pairs = pairs_of_corpus(aligner.corpus, languages)
        found = list(dict.fromkeys(text for targets, _ in pairs.values() for text in targets))
        if not found:
            raise ValueError(
                f"scoring={self.scoring!r} tells by a bank of queries which documents are near to all "
                "of them: pass fit(..., query_bank=), some thousand past queries or texts like them."
            )
        return found

    def _empty_hubs(self, bank: NDArray) -> Hubs:
        level = np.empty(0, dtype=np.float32)
        return Hubs(self.scoring, bank, self.hub_neighbors, float(self.temperature), level)

    def _document_rows(self, aligner: Any, documents: Any, width: int | None = None) -> NDArray:
        """Unit rows of the output space; embeddings that are such rows already are not copied."""
        if isinstance(documents, np.ndarray):
            check_width(documents, width, "Documents")
            return unit(documents)
        rows: NDArray | None = None
        for start in range(0, len(documents), _CHUNK):
            part = np.asarray(aligner.transform(documents[start : start + _CHUNK]))
            if rows is None:
                check_width(part, width, "Documents")
                rows = np.empty((len(documents), part.shape[1]), dtype=np.float32)
            rows[start : start + len(part)] = normalize_rows(part)
        assert rows is not None
        return rows

    def _query_rows(self, aligner: Any, queries: Any, width: int) -> NDArray:
        rows = queries if aligner is None else np.asarray(aligner.transform(queries))
        check_width(rows, width, "Queries")
        return unit(np.asarray(rows, dtype=np.float32))

    def _search(self, X: Any, n_neighbors: int | None) -> tuple[NDArray[np.intp], NDArray]:
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_scalar(k, "n_neighbors", Integral, min_val=1)
        if not self.n_documents_:
            raise ValueError("The index is empty, as all documents were removed: add some.")
        if k > self.n_documents_:
            raise ValueError(
                f"Expected n_neighbors <= n_documents_, but n_neighbors = {k}, n_documents_ = "
                f"{self.n_documents_}: ask for fewer, or add documents."
            )
        X = [X] if isinstance(X, str) else X
        texts = self._texts(X, "queries")
        queries = self._embeddings(X) if texts is None else texts
        Q = self._query_rows(self.aligner_, queries, self._rows.width)
        if self._hubs is None:
            positions, scores = self._index.search(Q, k)
        else:
            positions, scores = self._hubs.search(Q, k, self._index, self._rows)
        if (positions < 0).any():
            raise ValueError(
                f"The {self._index.backend} index found fewer than {k} documents for a query: ask for "
                "fewer, or let it look at more by backend_params."
            )
        return self._order[positions], scores

    def _set_documents(
        self, ids: list[Hashable], texts: list[str] | None, next_id: int | None = None
    ) -> None:
        """Take the documents in use; numbers of the retriever's own count on from `next_id`."""
        self.ids_, self.documents_, self.n_documents_ = ids, texts, len(ids)
        before = self._next_id if next_id is None else next_id
        # Nor does a removed document give its number to a new one.
        numbers = (key + 1 for key in ids if isinstance(key, int))
        self._next_id = max(before, max(numbers, default=0))
        # From positions in the index, which keep the place of removed documents, and back.
        self._order = np.cumsum(self._rows.alive) - 1
        self._places = np.flatnonzero(self._rows.alive)

    def _warn_of_duplicates(self, texts: list[str] | None) -> None:
        again = 0 if texts is None else len(texts) - len(set(texts))
        if again:
            warnings.warn(
                f"{again} of {len(texts or ())} documents are the same as others, and each will take a "
                "rank of its own. Index every text once, if that is not wanted.",
                stacklevel=3,
            )


def unit(rows: NDArray) -> NDArray:
    """Rows of length 1, the same array if they are that already; rows of zeros stay zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if len(lengths) and np.abs(lengths - 1).max() < 1e-6:
        return np.ascontiguousarray(rows)
    return rows / np.where(lengths == 0, 1, lengths)[:, None]


def check_width(rows: NDArray, width: int | None, what: str) -> None:
    if width is not None and rows.shape[1] != width:
        raise ValueError(
            f"{what} have {rows.shape[1]} features, but the index has {width}: all must come "
            "from the encoders and the aligner that the index was built with."
        )


def checked_ids(
    ids: Any, n: int, before: Sequence[Hashable] = (), start: int = 0
) -> Sequence[Hashable]:
    if ids is None:
        if before and not all(isinstance(i, int) for i in before):
            raise ValueError("The index has identifiers of its own: pass ids= for new documents.")
        return range(start, start + n)
    if isinstance(ids, str):
        raise ValueError("ids is one str: pass one identifier a document.")
    ids = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    if len(ids) != n:
        raise ValueError(f"There are {len(ids)} ids for {n} documents.")
    seen = set(before)
    for key in ids:
        if key in seen:
            raise ValueError(
                f"The id {key!r} stands for two documents: every id may come once. Remove the former "
                "document first to replace it."
            )
        seen.add(key)
    return ids

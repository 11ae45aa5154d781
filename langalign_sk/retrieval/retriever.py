"""CrossLingualRetriever: queries of one language, documents of another."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._utils.stamp import VersionStampMixin
from ..aligner._frozen import fitted_aligner
from ..aligner._pairs import CORPORA, pairs_of_corpus
from ..corpus._inputs import Sides, Text, pairs_from, text_column
from ..languages import LanguageRouter, languages_of
from ..metrics._core import normalize_rows
from .backends import make_index
from .exact import Rows
from .hubness import SCORINGS, Hubs
from .index import check_width, checked_ids, unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossLingualRetriever"]


_CHUNK = 8_192


class CrossLingualRetriever(VersionStampMixin, BaseEstimator):
    """Search documents in one language with queries in another.

    The documents, in English or in any mixture of the languages that the aligner knows, are
    moved once, when they are indexed; queries are moved when they come. Documents that are near
    to everything ("hubs") can be discounted by a bank of queries.

    Parameters
    ----------
    aligner : CrossLingualAligner, or a frozen one, default=None
        Moves text, or embeddings of queries, into one space. It is cloned and fitted by `fit`,
        to learn a bridge from the documents if it has an `english_encoder`;
        ``aligner.freeze()`` keeps one that is fitted already. None: documents and queries are
        embeddings of one space.
    n_neighbors : int, default=10
        Documents that a query finds.
    scoring : str, default="cosine"
        How documents are ranked.

        - "cosine";
        - "csls": cross-domain similarity local scaling, twice the cosine less the mean cosines
          of the query to its nearest documents and of the document to its nearest queries of
          the bank (Conneau et al., ICLR 2018, eq. 3);
        - "margin": the cosine over the mean of these two (Artetxe and Schwenk, ACL 2019);
        - "inverted_softmax": the softmax over the queries of the bank (Smith et al., ICLR 2017);
        - "query_bank": the same, for queries whose nearest document is nearest to one of the
          bank too, and the cosine for the others (Bogolin et al., CVPR 2022).
    hub_neighbors : int, default=10
        Neighbours that "csls" and "margin" take means over.
    temperature : float, default=0.05
        Of "inverted_softmax" and "query_bank".
    backend : {"exact", "faiss", "hnswlib"}, default="exact"
        "exact" looks at every document, in blocks. The others are extras. With an approximate
        index, hubness is corrected among the nearest documents by cosine: the highest of 100 and
        ten times the number that is asked for.
    backend_params : dict, default=None
        For "faiss" ``{"factory": "Flat", "search": ""}``: a string of FAISS's index factory, and
        one of its search parameters, such as "nprobe=16" or "efSearch=64"; for "hnswlib"
        ``{"M": 16, "ef_construction": 200, "ef": 100, "random_state": 0}``.

    Attributes
    ----------
    aligner_ : CrossLingualAligner, FrozenEstimator or None
        The fitted aligner.
    ids_ : list
        Identifiers of the documents.
    documents_ : list of str or None
        The documents; None for embeddings.
    n_documents_ : int
        How many there are.

    Notes
    -----
    The exact backend finds documents with the same score in the order they were added in. Scores
    of equal documents may differ in the last digit, as a matrix product sums in blocks.

    Documents stay in memory as float32 rows; `save_index` writes them to a folder, from which
    `open_index` maps them without reading them.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner, CrossLingualRetriever
    >>> retriever = CrossLingualRetriever(CrossLingualAligner("ko", random_state=0))
    >>> retriever.fit(["Card lost or stolen", "Change of address", "Opening hours"])
    CrossLingualRetriever(aligner=CrossLingualAligner(random_state=0))
    >>> retriever.search("카드를 도난당했어요", n_neighbors=1)[["rank", "id", "text"]]
       rank  id                 text
    0     1   0  Card lost or stolen
    """

    _next_id: int

    def __init__(
        self,
        aligner: Any = None,
        *,
        n_neighbors: int = 10,
        scoring: str = "cosine",
        hub_neighbors: int = 10,
        temperature: float = 0.05,
        backend: str = "exact",
        backend_params: dict[str, Any] | None = None,
    ) -> None:
        self.aligner = aligner
        self.n_neighbors = n_neighbors
        self.scoring = scoring
        self.hub_neighbors = hub_neighbors
        self.temperature = temperature
        self.backend = backend
        self.backend_params = backend_params

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        ids: Any = None,
        parallel: Any = None,
        query_bank: Any = None,
    ) -> CrossLingualRetriever:
        """Index documents, and fit the aligner if it is not frozen.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_documents, n_features)
            Documents. Embeddings are those of the output space of the aligner: of the English
            system, for most.
        y : None
            Ignored.
        ids : sequence of hashable, default=None
            Identifiers, each once. None numbers the documents from 0.
        parallel : as in CrossLingualAligner.fit, default=None
            Translation pairs for the aligner.
        query_bank : one column of text, or array-like of shape (n_queries, n_features), default=None
            Queries as `kneighbors` takes them, for every `scoring` but "cosine": some thousand
            past ones, or texts like them. None takes the target side of `parallel`, or else of
            the aligner's `corpus`, if that is your own: the built-in one is too small.

        Returns
        -------
        CrossLingualRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            If there are no documents, an identifier comes twice, a parameter is out of its
            range, or there is no query bank for a `scoring` that needs one.
        ImportError
            If the package of the backend is not installed.
        """
        index = self._check_parameters()
        texts = self._texts(X, "documents")
        documents = self._embeddings(X, reset=True) if texts is None else texts
        ids = checked_ids(ids, len(documents))
        self._warn_of_duplicates(texts)
        self._check_parallel(parallel)
        bank = self._bank_queries(query_bank, parallel)
        aligner = None
        if self.aligner is not None:
            words = "The documents are", " on the documents"
            aligner = fitted_aligner(self.aligner, texts, parallel, *words)
        rows = Rows([self._document_rows(aligner, documents)])
        index.build(rows)
        hubs = None
        if bank is not None:
            hubs = self._empty_hubs(self._query_rows(aligner, bank, rows.width))
            hubs.append(rows.blocks[0])
            hubs.activate(index)
        self.aligner_, self._rows, self._index, self._hubs = aligner, rows, index, hubs
        self._set_documents(list(ids), texts, next_id=0)
        return self

    def kneighbors(
        self, X: Any, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Nearest documents of queries, nearest first.

        Parameters
        ----------
        X : str, one column of text, or array-like of shape (n_queries, n_features)
            Queries in any language that the aligner knows, or their embeddings by its
            multilingual encoder.
        n_neighbors : int, default=None
            How many; None is the parameter `n_neighbors`.
        return_distance : bool, default=True
            Whether to return distances too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float32
            One less the score; of "cosine", the cosine distance.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int
            Places in `ids_` and `documents_`.

        Raises
        ------
        ValueError
            If there are fewer documents than are asked for, or a query is in a language that
            the aligner does not know.
        """
        indices, scores = self._search(X, n_neighbors)
        return (1 - scores, indices) if return_distance else indices

    def search(self, X: Any, n_neighbors: int | None = None) -> pd.DataFrame:
        """Nearest documents of queries, as a table.

        Parameters
        ----------
        X, n_neighbors
            As in `kneighbors`.

        Returns
        -------
        pandas.DataFrame
            Columns query (its place in X), rank (from 1), id, score and, for documents of text,
            text.
        """
        import pandas as pd

        indices, scores = self._search(X, n_neighbors)
        found = indices.ravel()
        columns: dict[str, Any] = {
            "query": np.repeat(np.arange(len(indices)), indices.shape[1]),
            "rank": np.tile(np.arange(1, indices.shape[1] + 1), len(indices)),
            "id": [self.ids_[i] for i in found],
            "score": scores.ravel(),
        }
        if self.documents_ is not None:
            columns["text"] = [self.documents_[i] for i in found]
        return pd.DataFrame(columns)

    def add(self, X: Any, *, ids: Any = None) -> CrossLingualRetriever:
        """Index more documents.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_documents, n_features)
            As in `fit`.
        ids : sequence of hashable, default=None
            New identifiers. None counts on, if all are numbers; a removed
            document does not give its number to a new one.

        Returns
        -------
        CrossLingualRetriever
            Itself.

        Raises
        ------
        ValueError
            If an identifier is there already, or embeddings come to an index of texts. The index
            is then as it was.
        """
        check_is_fitted(self)
        texts = self._texts(X, "documents")
        if (texts is None) != (self.documents_ is None):
            kinds = "texts", "embeddings"
            here, new = kinds if texts is None else kinds[::-1]
            raise ValueError(f"The index holds {here}, and X holds {new}: add {here}.")
        documents = self._embeddings(X) if texts is None else texts
        ids = checked_ids(ids, len(documents), self.ids_, self._next_id)
        rows = self._document_rows(self.aligner_, documents, self._rows.width)
        first = len(self._rows.alive)
        self._rows.append(rows)
        self._index.append(rows, first)
        if self._hubs is not None:
            self._hubs.append(rows)
            self._hubs.activate(self._index)
        all_texts = None if self.documents_ is None or texts is None else self.documents_ + texts
        self._set_documents(self.ids_ + list(ids), all_texts)
        return self

    def remove(self, ids: Any) -> CrossLingualRetriever:
        """Take documents out of the index.

        Parameters
        ----------
        ids : hashable or iterable of hashable
            Identifiers; a str or a tuple is one.

        Returns
        -------
        CrossLingualRetriever
            Itself.

        Raises
        ------
        KeyError
            If there is no such identifier. The index is then as it was.
        """
        check_is_fitted(self)
        many = not isinstance(ids, str | bytes | tuple) and hasattr(ids, "__iter__")
        ids = list(ids) if many else [ids]
        place = {key: i for i, key in enumerate(self.ids_)}
        unknown = [key for key in ids if key not in place]
        if unknown:
            raise KeyError(
                f"The index has no document with the id {unknown[0]!r} ({len(unknown)} of "
                f"{len(ids)} ids are unknown); nothing was removed."
            )
        gone = {place[key] for key in ids}
        positions = self._places[sorted(gone)]
        self._rows.alive[positions] = False
        self._index.remove(positions, self._rows)
        left = [i for i in range(len(self.ids_)) if i not in gone]
        texts = None if self.documents_ is None else [self.documents_[i] for i in left]
        self._set_documents([self.ids_[i] for i in left], texts)
        if self._hubs is not None and left:
            self._hubs.activate(self._index)
        return self

    def save_index(self, folder: str | os.PathLike[str]) -> None:
        """Write the index to a folder, in formats that execute nothing when they are read.

        What was in the folder stays whole until all of the new index is there; the aligner is
        not part of it.

        Parameters
        ----------
        folder : path
            Made if it is not there.

        Raises
        ------
        TypeError
            If an identifier is neither a str nor an int.
        ValueError
            If the index is empty.
        """
        from .index_folder import write_index

        check_is_fitted(self)
        write_index(self, folder)

    def open_index(
        self, folder: str | os.PathLike[str], *, verify: bool = False
    ) -> CrossLingualRetriever:
        """Take documents from a folder, in place of `fit`; rows are mapped, and read when needed.

        Parameters
        ----------
        folder : path
            What `save_index` wrote.
        verify : bool, default=False
            Read all of it, and compare checksums. Sizes are always compared.

        Returns
        -------
        CrossLingualRetriever
            Itself. Documents that are added or removed change the folder only by `save_index`.

        Raises
        ------
        FileNotFoundError
            If there is no index in the folder.
        ValueError
            If a file was cut short or changed, or the index was built with another aligner or
            encoder. The retriever is then as it was.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from langalign_sk import CrossLingualRetriever
        >>> folder = tempfile.mkdtemp()
        >>> CrossLingualRetriever().fit(np.eye(3), ids=["a", "b", "c"]).save_index(folder)
        >>> CrossLingualRetriever().open_index(folder).search([[0, 1, 0]], 1)
           query  rank id  score
        0      0     1  b    1.0
        """
        from .index_folder import read_index

        return read_index(self, folder, verify)

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags

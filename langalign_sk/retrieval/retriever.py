"""CrossLingualRetriever: queries of one language, documents of another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._utils.stamp import VersionStampMixin
from ..aligner._frozen import fitted_aligner
from .exact import Rows
from .index import IndexMixin, checked_ids

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossLingualRetriever"]


class CrossLingualRetriever(VersionStampMixin, IndexMixin, BaseEstimator):
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags

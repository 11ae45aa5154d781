"""CrossLingualRetriever: queries in one language, documents in another."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._utils.bundle import Bundle
from .._utils.stamp import VersionStampMixin
from .._utils.validation import check_choice, warn_user
from ..aligner._frozen import fitted_aligner
from ..aligner._pairs import CORPORA, pairs_of_corpus
from ..corpus._inputs import Embeddings, Sides, Text, pairs_from, text_column
from ..languages import LanguageRouter, languages_of
from ..metrics._core import normalize_rows
from .aligner_signature import signature_of
from .backends import Index, make_index
from .hubness import SCORINGS, Hubness
from .index import DocumentIndex, check_width, checked_ids, unit
from .index_folder import IndexContents, checked_contents, open_folder, read_files, write_folder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossLingualRetriever", "index_contents", "open_files"]


_CHUNK = 8_192  # texts that are encoded before their rows are put into place


class CrossLingualRetriever(VersionStampMixin, BaseEstimator):
    """Search documents in one language with queries in another.

    Documents in English, or in any mixture of the languages that the aligner knows, are moved
    when they are indexed; queries are moved when they are searched for. Documents that are near
    to every query ("hubs") can be discounted by means of a bank of queries.

    Parameters
    ----------
    aligner : CrossLingualAligner, or a frozen one, default=None
        Moves text, or embeddings of queries, into one space. `fit` clones it and fits the clone,
        which learns a bridge from the documents if it has an `english_encoder`;
        ``aligner.freeze()`` keeps one that is fitted already. None: documents and queries are
        embeddings in one space.
    n_neighbors : int, default=10
        Number of documents that each query finds.
    scoring : str, default="cosine"
        How documents are ranked.

        - "cosine";
        - "csls": cross-domain similarity local scaling, twice the cosine less the mean cosines
          of the query to its nearest documents and of the document to its nearest queries of
          the bank (Conneau et al., ICLR 2018, eq. 3);
        - "margin": the cosine over the mean of these two (Artetxe and Schwenk, ACL 2019);
        - "inverted_softmax": the softmax over the queries of the bank (Smith et al., ICLR 2017);
        - "query_bank": the same, for queries whose nearest document is also the nearest one of a
          query of the bank; the cosine for all other queries (Bogolin et al., CVPR 2022).
    hub_neighbors : int, default=10
        Number of neighbours that "csls" and "margin" take means over.
    temperature : float, default=0.05
        Temperature of "inverted_softmax" and "query_bank".
    backend : {"exact", "faiss", "hnswlib"}, default="exact"
        "exact" compares each query with every document, in blocks. The others are extras. An
        approximate index finds candidates by cosine, 100 or ten times `n_neighbors`, whichever is
        more; hubness is corrected among them.
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
        Number of documents.

    Notes
    -----
    The exact backend returns documents with equal scores in the order in which they were added.
    Scores of equal documents may differ in the last digit, since a matrix product sums in blocks.

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

    aligner_: Any
    ids_: list[Any]
    documents_: list[str] | None
    n_documents_: int
    n_features_in_: int
    _document_index: DocumentIndex

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
        """Index documents, and fit the aligner unless it is frozen.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_documents, n_features)
            Documents. Embeddings must be rows of the aligner's output space, which is usually
            that of the English system.
        y : None
            Ignored.
        ids : sequence of hashable, default=None
            Unique identifiers. None numbers the documents from 0.
        parallel : as in CrossLingualAligner.fit, default=None
            Translation pairs for the aligner.
        query_bank : one column of text, or array-like of shape (n_queries, n_features), default=None
            Queries as `kneighbors` takes them, needed for every `scoring` but "cosine": some
            thousand past ones, or texts like them. None takes the target side of `parallel`, or
            else of the aligner's `corpus`, unless that is the built-in one, which is too small.

        Returns
        -------
        CrossLingualRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            If there are no documents, an identifier is not unique, a parameter is out of its
            range, or a `scoring` that needs a query bank has none.
        ImportError
            If the package of the backend is not installed.
        """
        backend = self._new_backend()
        data = self._read(X, "documents")
        documents = self._checked(data, reset=True)
        texts = data.rows if isinstance(data, Text) else None
        ids = checked_ids(ids, len(documents))
        _warn_of_duplicates(texts)
        self._check_parallel(parallel)
        bank = self._bank_queries(query_bank, parallel)
        aligner = None
        if self.aligner is not None:
            words = "The documents are", " on the documents"
            aligner = fitted_aligner(self.aligner, texts, parallel, *words)
        rows = _document_rows(aligner, documents)
        hubness = None
        if bank is not None:
            bank_rows = _query_rows(aligner, bank, rows.shape[1])
            hubness = Hubness.of_bank(bank_rows, **self._hubness_settings())
        self.aligner_ = aligner
        self._set_index(DocumentIndex.build(ids, rows, backend, hubness), texts)
        return self

    def kneighbors(
        self, X: Any, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the nearest documents of queries, nearest first.

        Parameters
        ----------
        X : str, one column of text, or array-like of shape (n_queries, n_features)
            Queries in any language that the aligner knows, or their embeddings by its
            multilingual encoder.
        n_neighbors : int, default=None
            Number of documents; None takes the parameter `n_neighbors`.
        return_distance : bool, default=True
            Whether to return the distances as well.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float32
            1 minus the score; for "cosine", the cosine distance.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int
            Places in `ids_` and `documents_`.

        Raises
        ------
        ValueError
            If there are fewer documents than `n_neighbors`, or a query is in a language that the
            aligner does not know.
        """
        indices, scores = self._search(X, n_neighbors)
        return (1 - scores, indices) if return_distance else indices

    def search(self, X: Any, n_neighbors: int | None = None) -> pd.DataFrame:
        """Find the nearest documents of queries, as a table.

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
            New identifiers. None continues the numbers, where all identifiers are numbers; the
            number of a removed document is not used again.

        Returns
        -------
        CrossLingualRetriever
            Itself.

        Raises
        ------
        ValueError
            If an identifier is in use, or the index holds texts and X embeddings, or the other way
            round. The index is then unchanged.
        """
        check_is_fitted(self)
        data = self._read(X, "documents")
        texts = data.rows if isinstance(data, Text) else None
        if (texts is None) != (self.documents_ is None):
            kinds = "texts", "embeddings"
            here, new = kinds if texts is None else kinds[::-1]
            raise ValueError(f"The index holds {here}, and X holds {new}: add {here}.")
        documents = self._checked(data)
        index = self._document_index
        ids = index.checked_ids(ids, len(documents))
        index.add(_document_rows(self.aligner_, documents, index.width), ids)
        all_texts = None if self.documents_ is None or texts is None else self.documents_ + texts
        self._set_index(index, all_texts)
        return self

    def remove(self, ids: Any) -> CrossLingualRetriever:
        """Remove documents from the index.

        Parameters
        ----------
        ids : hashable or iterable of hashable
            Identifiers; a str, bytes or a tuple is a single one.

        Returns
        -------
        CrossLingualRetriever
            Itself.

        Raises
        ------
        KeyError
            If there is no such identifier. The index is then unchanged.
        """
        check_is_fitted(self)
        many = not isinstance(ids, str | bytes | tuple) and hasattr(ids, "__iter__")
        kept = self._document_index.remove(ids if many else [ids])
        texts = None if self.documents_ is None else [self.documents_[i] for i in kept]
        self._set_index(self._document_index, texts)
        return self

    def save_index(self, folder: str | os.PathLike[str]) -> None:
        """Write the index to a folder, in formats that execute nothing when they are read.

        A former index in the folder stays whole until all files of the new one are there. The
        aligner is not part of the index.

        Parameters
        ----------
        folder : path
            Folder, which is made if it does not exist.

        Raises
        ------
        TypeError
            If an identifier is neither a str nor an int.
        ValueError
            If the index is empty.
        """
        check_is_fitted(self)
        write_folder(folder, index_contents(self))

    def open_index(
        self, folder: str | os.PathLike[str], *, verify: bool = False
    ) -> CrossLingualRetriever:
        """Open a saved index, in place of `fit`; rows are mapped, and read when they are needed.

        Parameters
        ----------
        folder : path
            Folder that `save_index` wrote.
        verify : bool, default=False
            Whether to read all rows and compare their checksum. Sizes are always compared.

        Returns
        -------
        CrossLingualRetriever
            Itself. Documents that are added or removed later change the folder only by
            `save_index`.

        Raises
        ------
        FileNotFoundError
            If there is no index in the folder.
        ValueError
            If a file was cut short or changed, or the index was built with another aligner or
            encoder. The retriever is then unchanged.

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
        return open_files(self, open_folder(folder), verify)

    def _new_backend(self) -> Index:
        """Backend without rows, made once all parameters are found to be valid."""
        check_scalar(self.n_neighbors, "n_neighbors", Integral, min_val=1)
        check_scalar(self.hub_neighbors, "hub_neighbors", Integral, min_val=1)
        check_choice("scoring", self.scoring, SCORINGS)
        check_scalar(self.temperature, "temperature", Real, min_val=0, include_boundaries="neither")
        if self.aligner is not None and not hasattr(self.aligner, "transform"):
            raise TypeError(
                "aligner must be a CrossLingualAligner, a frozen one or None, got "
                f"{self.aligner!r}."
            )
        return make_index(self.backend, self.backend_params)

    def _hubness_settings(self) -> dict[str, Any]:
        return {
            "scoring": self.scoring,
            "n_neighbors": int(self.hub_neighbors),
            "temperature": float(self.temperature),
        }

    def _read(self, X: Any, what: str) -> Text | Embeddings:
        """One column of text, or embeddings that are not validated yet."""
        data = text_column(X, what)
        if isinstance(data, Text) and self.aligner is None:
            raise ValueError(
                f"The {what} are text, and without an aligner the retriever takes embeddings only: "
                'pass aligner=CrossLingualAligner("ko"), or the language of your queries.'
            )
        return data

    def _checked(self, data: Text | Embeddings, reset: bool = False) -> list[str] | NDArray:
        """Texts, or validated float32 embeddings."""
        if isinstance(data, Text):
            return data.rows
        if self.aligner is None:
            rows: NDArray = validate_data(self, data.rows, dtype=np.float32, reset=reset)
            return rows
        # Embeddings of queries may have another width than those of documents.
        return _check_embeddings(data.rows, "X")

    def _check_parallel(self, parallel: Any) -> None:
        stays = self.aligner is None or isinstance(self.aligner, FrozenEstimator)
        if stays and parallel is not None:
            raise ValueError(
                "parallel= is for an aligner that is fitted here, and this one is not."
            )

    def _bank_queries(self, query_bank: Any, parallel: Any) -> list[str] | NDArray | None:
        """Texts or validated embeddings of the query bank; None where the scoring needs none."""
        aligner = self.aligner
        if self.scoring == "cosine":
            return None
        if query_bank is not None:
            data = self._read(query_bank, "queries of the bank")
            if isinstance(data, Text):
                return data.rows
            return _check_embeddings(data.rows, "query_bank")
        pairs: dict[str, Sides] = {}
        if hasattr(aligner, "target_lang"):
            languages = languages_of(aligner.target_lang)
            if parallel is not None:
                pairs = pairs_from(parallel, LanguageRouter(languages, aligner.detect), languages)
            elif aligner.corpus not in CORPORA:  # too small a bank lowers recall
                pairs = pairs_of_corpus(aligner.corpus, languages)
        texts = list(dict.fromkeys(text for targets, _ in pairs.values() for text in targets))
        if not texts:
            raise ValueError(
                f"scoring={self.scoring!r} needs a bank of queries, which tells the documents that are "
                "near to all of them: pass fit(..., query_bank=), some thousand past queries or texts "
                "like them."
            )
        return texts

    def _search(self, X: Any, n_neighbors: int | None) -> tuple[NDArray[np.intp], NDArray]:
        """Places and scores of the nearest documents."""
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
        queries = self._checked(self._read([X] if isinstance(X, str) else X, "queries"))
        index = self._document_index
        return index.search(_query_rows(self.aligner_, queries, index.width), k)

    def _set_index(self, index: DocumentIndex, texts: list[str] | None) -> None:
        """Take over an index that was built, read or changed, and the texts of its documents."""
        self._document_index = index
        self.ids_, self.documents_, self.n_documents_ = index.ids, texts, index.n_documents

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(_with_document_index(state))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


def index_contents(retriever: CrossLingualRetriever) -> IndexContents:
    """Contents of a fitted retriever's index, ready to be written to files.

    Raises
    ------
    TypeError
        If an identifier is neither a str nor an int.
    ValueError
        If the index is empty.
    """
    signature = signature_of(retriever.aligner_)
    return checked_contents(retriever._document_index, retriever.documents_, signature)


def open_files(
    retriever: CrossLingualRetriever, saved: Bundle, verify: bool
) -> CrossLingualRetriever:
    """Fill a retriever from the files of a saved index, once all of them are found to be sound.

    Raises
    ------
    ValueError
        As `CrossLingualRetriever.open_index`.
    """
    backend = retriever._new_backend()
    aligner = retriever.aligner
    if aligner is not None:
        check_is_fitted(
            aligner,
            msg="open_index needs the fitted aligner that the index was built with, and this "
            "%(name)s is not fitted. Pass the one you saved beside the index, such as "
            "aligner=retriever.aligner_.",
        )
    settings = None if retriever.scoring == "cosine" else retriever._hubness_settings()
    index, texts = read_files(saved, backend, settings, signature_of(aligner), verify)
    if aligner is None:
        retriever.n_features_in_ = index.width
    retriever.aligner_ = aligner
    retriever._set_index(index, texts)
    return retriever


def _check_embeddings(rows: Any, name: str) -> NDArray:
    checked: NDArray = check_array(rows, dtype=np.float32, input_name=name)
    return checked


def _document_rows(
    aligner: Any, documents: list[str] | NDArray, width: int | None = None
) -> NDArray:
    """Unit rows in the output space; embeddings are rows of it, and unit ones are not copied."""
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


def _query_rows(aligner: Any, queries: list[str] | NDArray, width: int) -> NDArray:
    """Unit rows of queries, moved to the output space."""
    rows = np.asarray(queries if aligner is None else aligner.transform(queries))
    check_width(rows, width, "Queries")
    return unit(np.asarray(rows, dtype=np.float32))


def _warn_of_duplicates(texts: list[str] | None) -> None:
    n_duplicates = 0 if texts is None else len(texts) - len(set(texts))
    if n_duplicates:
        warn_user(
            f"{n_duplicates} of {len(texts or ())} documents are the same as others, and each takes "
            "a rank of its own. To avoid that, index every text once."
        )


def _with_document_index(state: dict[str, Any]) -> dict[str, Any]:
    """State of a pickle; earlier releases kept the parts of the index in the retriever itself."""
    if "_rows" not in state:
        return state
    parts = {"_rows", "_index", "_hubs", "_next_id", "_order", "_places"}
    kept = {name: value for name, value in state.items() if name not in parts}
    kept["_document_index"] = index = DocumentIndex(
        state["ids_"], state["_rows"], state["_index"], state["_hubs"], state["_next_id"]
    )
    return {**kept, "ids_": index.ids}

"""CrossLingualRetriever: queries in one language, documents in another."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._utils.bundle import Bundle
from .._utils.containers import opened
from .._utils.files import as_allowed
from .._utils.fits import keeps_former_fit
from .._utils.idle import say_idle
from .._utils.lineage import LineageMixin
from .._utils.reread import read_again
from .._utils.stamp import VersionStampMixin
from .._utils.tables import as_column
from .._utils.validation import check_choice, ensured, warn_user
from ..aligner import CrossLingualAligner
from ..aligner._frozen import prepared_aligner, thawed
from ..aligner._learn import fit_planned
from ..aligner._pairs import CORPORA, pairs_of_corpus
from ..aligner._plan import plan_fit
from ..aligner._route import missing_of, route_of, router_of
from ..corpus._inputs import Sides, Text, opened_parallel, pairs_from, text_column
from ..encoders import EncodingSession
from ..languages.codes import languages_of
from ..languages.router import one_report
from .backends import Index, make_index
from .build import (
    EncodedView,
    build_view,
    checked_coefficients,
    correct_hubness,
    match_of_banks,
    spreads_of,
)
from .centring import Centring, prior_means
from .fusion import FUSIONS, Fusion, lexical_weight
from .hubness import SCORINGS, Hubness
from .identifiers import listed_ids
from .idle import idle_of_retriever
from .index import DocumentIndex, all_the_same, checked_ids
from .index_folder import (
    IndexContents,
    Opening,
    checked_contents,
    manifest_of,
    open_folder,
    read_files,
    write_folder,
)
from .judged import Judged, weights_by_judgements
from .lexical import LexicalIndex, lexical_evidence
from .report import SearchReport, SearchViewReport
from .selection import LEAST_BANK, BankMatch, ScoringChoice, choose_centring, choose_scoring
from .state import SearchState, found_by, writing
from .view import (
    QueryRows,
    SearchView,
    document_rows,
    languages_in,
    name_of,
    query_rows,
    text_rows,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossLingualRetriever", "index_contents", "open_files"]


_MAX_ASKED = 2_000  # queries whose nearest documents are looked for, to find their mean
_MAX_PAIRS = 1_000  # of a language, whose means and cosines are those of all


_NO_MEANS = (
    "centre=True needs means of the queries, and there are neither pairs of text nor past queries: "
    "pass fit(..., query_bank=)."
)


class CrossLingualRetriever(LineageMixin, VersionStampMixin, BaseEstimator):
    """Search documents in one language with queries in another.

    Documents in English, or in any mixture of the languages that the aligner knows, are moved
    when they are indexed; queries are moved when they are searched for. Several aligners, such as
    of several encoders, are *views* of the same documents, whose scores are fused. Documents that
    are near to every query ("hubs") can be discounted by means of a bank of queries.

    Parameters
    ----------
    aligner : CrossLingualAligner, a frozen one, or a list of them, default=None
        Moves text, or embeddings of queries, into one space. `fit` clones it and fits the clone,
        which learns a bridge from the documents if it has an `english_encoder`;
        ``aligner.freeze()`` keeps one that is fitted already. None: documents and queries are
        embeddings in one space. A list has one aligner per view; each has an index of its own.
        The first view finds the candidates that all views rank.
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
          query of the bank; the cosine for all other queries (Bogolin et al., CVPR 2022);
        - "auto": "csls" where the bank has 250 queries or more that ask for these documents, which
          shows in how far their nearest document stands out beside that of general sentences;
          else "cosine". `report_` says why.
    hub_neighbors : int, default=10
        Number of neighbours that "csls" and "margin" take means over.
    temperature : float, default=0.05
        Temperature of "inverted_softmax" and "query_bank".
    backend : {"exact", "faiss", "hnswlib"}, default="exact"
        "exact" compares each query with every document, in blocks. The others are extras. An
        approximate index finds candidates by cosine, 100 or ten times `n_neighbors`, whichever is
        more; hubness is corrected among them. A query for which it finds fewer is searched for more
        widely, and compared with every document in the end.
    backend_params : dict, default=None
        For "faiss" ``{"factory": "Flat", "search": ""}``: a string of FAISS's index factory, and
        one of its search parameters, such as "nprobe=16" or "efSearch=64"; for "hnswlib"
        ``{"M": 16, "ef_construction": 200, "ef": 100, "random_state": 0}``. All views have them.
    fusion : {"auto", "sum", "rank"}, default="auto"
        How views are fused. "sum", which is what "auto" stands for: the mean of their cosines, each
        weighted by `weights` over its standard deviation, which `fit` measures. "rank": reciprocal
        rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), the mean of ``1 / (60 + rank)``
        weighted by `weights`, which needs no comparable scores, and finds less where they are; its
        ranks are by cosine.
    weights : array-like of shape (n_views,), default=None
        Weights of the views, at least 0. None: equal ones.
    centre : {"auto", True, False}, default="auto"
        Whether the mean of each language is subtracted from the rows before the cosine: the mean of
        the pairs' target side from queries and that of their English side from documents; as
        queries become known (`query_bank`, `partial_adapt`), the means of these and of the documents
        that they find first. "auto" centres a view whose rows of pairs point in one direction (the
        mean of unit rows has a norm of at least .55), and all views where there are 250 past queries
        or more that ask for these documents. It leaves a single view as it is, unless `scoring` is
        "auto" or `lexical` is not False.
    lexical : {False, True, "auto"}, default=False
        Whether words, numbers, names and identifiers that both languages write alike, or that sound
        alike in katakana and hangul, count as well, by BM25 (Robertson and Zaragoza, 2009; extra
        `lexical`). "auto": where they tell the translations of the pairs apart.
    n_candidates : int, default=None
        Documents that the first view finds for each query, and all views rank; more is slower and
        nearer to a comparison with every document. None: 200, or 20 times `n_neighbors` if that is
        more.

    Attributes
    ----------
    aligner_ : CrossLingualAligner, FrozenEstimator, None, or a list of them
        The fitted aligners; a list if `aligner` is one.
    ids_ : list
        Identifiers of the documents.
    documents_ : list of str or None
        The documents; None for embeddings.
    n_documents_ : int
        Number of documents.
    scoring_ : str
        How documents are ranked: `scoring`, or what "auto" stands for.
    report_ : SearchReport
        Views, scoring and fusion, and why they are as they are. ``print`` it.

    Notes
    -----
    A view whose encoder fails at a query, such as an endpoint that is down, is left out of the
    answer with a warning, as long as another view answers.

    The exact backend returns documents with equal scores in the order in which they were added.
    Scores of equal documents may differ in the last digit, since a matrix product sums in blocks.

    Any number of threads may search while another one calls `fit`, `add`, `remove`, `partial_adapt`,
    `open_index` or `save_index`: an answer is that of the documents before a change or after it.
    Changes wait for each other. `search` returns identifiers; the places of `kneighbors` count the
    documents of one moment. Documents that are added to the index of a library are compared with
    each query until there are 1,024 of them, or a 16th of the index; then a copy of the index takes
    them in, which takes as long as for all of them at once. A graph of FAISS is built again when a
    quarter of its documents is removed. An index that keeps no whole rows, such as "IVF64,PQ8", is
    copied for every addition, so add many documents at once.

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

    _later_parameters: ClassVar[dict[str, Any]] = {
        "fusion": "auto",
        "weights": None,
        "centre": "auto",
        "lexical": False,
        "n_candidates": None,
    }

    aligner_: Any
    ids_: list[Any]
    documents_: list[str] | None
    n_documents_: int
    n_features_in_: int
    scoring_: str
    report_: SearchReport
    _state: SearchState  # what a search reads; the other fitted attributes are for users

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
        fusion: str = "auto",
        weights: Any = None,
        centre: Any = "auto",
        lexical: Any = False,
        n_candidates: int | None = None,
    ) -> None:
        self.aligner = aligner
        self.n_neighbors = n_neighbors
        self.scoring = scoring
        self.hub_neighbors = hub_neighbors
        self.temperature = temperature
        self.backend = backend
        self.backend_params = backend_params
        self.fusion = fusion
        self.weights = weights
        self.centre = centre
        self.lexical = lexical
        self.n_candidates = n_candidates

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        ids: Any = None,
        parallel: Any = None,
        query_bank: Any = None,
        judgements: Any = None,
    ) -> CrossLingualRetriever:
        """Index documents, and fit the aligner unless it is frozen.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_documents, n_features)
            Documents, in any :ref:`container <what-x-may-be>`. Embeddings must be rows of the
            aligner's output space, which is usually that of the English system; for several views, a
            list of one array per view.
        y : None
            Ignored.
        ids : sequence of hashable, default=None
            Unique identifiers, each a str, int, float, bool, bytes, tuple, UUID, Path, Decimal, date or
            time, which a saved index keeps. None numbers the documents from 0.
        parallel : as in CrossLingualAligner.fit, default=None
            Translation pairs for the aligner.
        query_bank : one column of text, or array-like of shape (n_queries, n_features), default=None
            Queries as `kneighbors` takes them, needed for every `scoring` but "cosine" and "auto":
            some thousand past ones, or texts like them. None takes the target side of `parallel`, or
            else of the aligner's `corpus`, unless that is the built-in one, which is too small.
            Means of languages (`centre`) are taken from past queries alone.
        judgements : (queries, ids), default=None
            Queries as `kneighbors` takes them, none of which is in `query_bank`, and the identifier
            of the right document of each. From 200 on they choose the weights of the views, unless
            `weights` are given, and the scoring, where it is "auto" and there is a `query_bank`.

        Returns
        -------
        CrossLingualRetriever
            The fitted retriever.

        Raises
        ------
        ValueError
            If there are no documents, an identifier is missing or not unique, a parameter is out of
            its range, or a `scoring` that needs a query bank has none.
        TypeError
            If an identifier is of another kind.
        ImportError
            If the package of the backend is not installed.
        """
        with writing(self):
            return self._fit(X, ids, parallel, query_bank, judgements)

    # Inside the lock: what another thread changes before stays.
    @keeps_former_fit
    @one_report()
    def _fit(
        self, X: Any, ids: Any, parallel: Any, query_bank: Any, judgements: Any
    ) -> CrossLingualRetriever:
        self._check_parameters()
        X, parallel = opened(X), opened_parallel(parallel)  # they are read several times
        given = self._inputs(X, ids, parallel, query_bank, judgements)
        say_idle(self, idle_of_retriever(self, self._is_fused(), judgements is not None))
        session = EncodingSession()
        aligners = self._aligners()
        # A view alone, scored as asked, needs no pairs.
        decide = self._is_fused() or self.centre is True or self.scoring == "auto"
        aligners, pairs = _fitted(aligners, given.texts, parallel, session, decide)
        encoded, banks = self._encoded(aligners, given, pairs, session)
        match = match_of_banks(encoded) if decide else None
        n_bank = int(encoded[0].asks_across.sum())
        asks = match is not None and match.matches and n_bank >= LEAST_BANK
        if not asks and self.centre is not True:
            encoded = [replace(view, bank=None) for view in encoded]
        views, reasons = self._built(encoded, match, given.ids)
        judged = None
        if given.judged is not None:
            judged = Judged(*_rows_and_places(views, given.judged, session))
        fusion, fused = self._fused(views, encoded, judged)
        if fusion is not None and self.lexical is not False:
            fusion.lexical, fused["lexical"] = self._lexical(given.texts, pairs)
            fusion.lexical_weight = lexical_weight(fused["weights"], fused["spreads"])
        choice = self._choice(match, n_bank, fusion, views, banks, judged)
        correct_hubness(fusion, views, banks, self._correction(choice.chosen))
        if aligners == [None]:  # only now: a fit that fails leaves an earlier one as it is
            validate_data(self, X, dtype=np.float32, skip_check_array=True)
        report = _reported(views, reasons, choice, fused)
        several = isinstance(self.aligner, list | tuple)
        return self._publish(
            SearchState(views, fusion, banks, given.texts, choice.chosen, report, several)
        )

    def _publish(self, state: SearchState, **more: Any) -> CrossLingualRetriever:
        """Take over a state and more attributes, at once."""
        self.__dict__.update({**state.attributes, **more})
        return self

    def partial_adapt(self, X: Any) -> CrossLingualRetriever:
        """Take more queries into the means of their languages, as they come in.

        Documents are centred again, so call it for some hundred queries at a time, and not for
        each. Scores of a query do not depend on the queries beside it.

        Parameters
        ----------
        X : as in `kneighbors`
            Queries, of which one may come several times.

        Returns
        -------
        CrossLingualRetriever
            Itself.

        Raises
        ------
        ValueError
            If no view is centred, or the index is empty. The retriever is then unchanged.
        """
        with writing(self):
            return self._partial_adapt(X)

    @keeps_former_fit
    @one_report()
    def _partial_adapt(self, X: Any) -> CrossLingualRetriever:
        check_is_fitted(self)
        state = self._state
        _check_not_empty(state)
        if all(view.centring is None for view in state.views):
            raise ValueError(
                "No view is centred, so there are no means to adapt: fit with centre=True."
            )
        correction = self._correction(state.scoring)
        session, queries = EncodingSession(), self._queries(X, "queries")
        views = []
        for i, view in enumerate(state.views):
            seen = _bank_rows(view.aligner, queries, i, view.index.width, session)
            centring, encoded = copy.deepcopy(view.centring), _encoded_again(view)
            if centring is not None and seen is not None:
                _observe(centring, seen, encoded)
            views.append(build_view(encoded, centring, state.index.ids, self._new_backend()))
            views[i].index.next_id = view.index.next_id
        fusion = None if state.fusion is None else replace(state.fusion)
        if fusion is not None and fusion.lexical is not None:
            fusion.lexical = LexicalIndex(state.texts or [])  # its positions are new
        correct_hubness(fusion, views, state.banks, correction)
        report = replace(state.report, n_bank=state.report.n_bank + _n_rows(queries))
        return self._publish(replace(state, views=views, fusion=fusion, report=report))

    @one_report()
    def kneighbors(
        self, X: Any, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the nearest documents of queries, nearest first.

        Parameters
        ----------
        X : str, one column of text, or array-like of shape (n_queries, n_features)
            Queries in any language that the aligner knows, or their embeddings by its
            multilingual encoder; for several views, a list of one array per view.
        n_neighbors : int, default=None
            Number of documents; None takes the parameter `n_neighbors`.
        return_distance : bool, default=True
            Whether to return the distances as well.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors), float32
            1 minus the score; for "cosine", the cosine distance, or the weighted mean of those of
            the views.
        indices : ndarray of shape (n_queries, n_neighbors), dtype int
            Places in `ids_` and `documents_`.

        Raises
        ------
        ValueError
            If there are fewer documents than `n_neighbors`, or a query is in a language that the
            aligner does not know.
        """
        _, indices, scores = self._search(X, n_neighbors)
        return (1 - scores, indices) if return_distance else indices

    @one_report()
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

        state, indices, scores = self._search(X, n_neighbors)
        found = indices.ravel()
        columns: dict[str, Any] = {
            "query": np.repeat(np.arange(len(indices)), indices.shape[1]),
            "rank": np.tile(np.arange(1, indices.shape[1] + 1), len(indices)),
            "id": as_column([state.index.ids[i] for i in found]),
            "score": scores.ravel(),
        }
        if state.texts is not None:
            columns["text"] = as_column([state.texts[i] for i in found])
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
        with writing(self):
            return self._add(X, ids)

    @keeps_former_fit
    @one_report()
    def _add(self, X: Any, ids: Any) -> CrossLingualRetriever:
        check_is_fitted(self)
        state = self._state
        data = self._read(X, "documents")
        texts = data.rows if isinstance(data, Text) else None
        if (texts is None) != (state.texts is None):
            kinds = "texts", "embeddings"
            here, new = kinds if texts is None else kinds[::-1]
            raise ValueError(f"The index holds {here}, and X holds {new}: add {here}.")
        documents = self._checked(data)
        ids = state.index.checked_ids(ids, _n_rows(documents))
        aligners = [view.aligner for view in state.views]
        widths = [view.index.width for view in state.views]
        rows = document_rows(aligners, documents, None, widths)
        languages = [
            languages_in(aligner, _part(documents, i), "en") for i, aligner in enumerate(aligners)
        ]
        return self._publish(state.with_documents(rows, languages, ids, texts))

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
        gone = listed_ids(list(ids) if isinstance(ids, set | frozenset) else ids if many else [ids])
        with writing(self):
            return self._remove(gone)

    @keeps_former_fit
    def _remove(self, ids: list[Any]) -> CrossLingualRetriever:
        return self._publish(self._state.without_documents(ids))

    def save_index(self, folder: str | os.PathLike[str]) -> None:
        """Write the index to a folder, in formats that execute nothing when they are read.

        A former index in the folder stays whole until all files of the new one are there. The
        aligners are not part of the index. A view alone that is not centred is written in format
        version 1, and everything else in version 2, or, with identifiers that are neither str nor int,
        in version 3; earlier releases refuse what they do not know.

        Parameters
        ----------
        folder : path
            Folder, which is made if it does not exist.

        Raises
        ------
        TypeError
            If an identifier is of a kind that could not be restored, as in an old pickle.
        ValueError
            If the index is empty.
        """
        check_is_fitted(self)
        write_folder(folder, index_contents(self))

    def open_index(
        self,
        folder: str | os.PathLike[str],
        *,
        verify: bool = False,
        allow: str | Iterable[str] = (),
    ) -> CrossLingualRetriever:
        """Open a saved index, in place of `fit`; rows are mapped, and read when they are needed.

        The retriever needs the fitted aligners that the index was built with, in the same order,
        and its `backend`. What is centred, and by which means, is of the index; `centre` may be
        "auto" or must agree. The search follows the retriever: `scoring` and its parameters,
        `fusion`, `n_candidates` and `weights` may differ from those of the fit. ``scoring="auto"``
        and ``weights=None`` take those of the index.

        Parameters
        ----------
        folder : path
            Folder that `save_index` wrote.
        verify : bool, default=False
            Whether to read all rows and compare their checksum. Sizes are always compared.
        allow : str or iterable of str, default=()
            "faiss": read the files of FAISS, which it does not check. Otherwise its index is built
            again from the rows. Allow it only if you trust whoever saved the index.

        Returns
        -------
        CrossLingualRetriever
            Itself. Documents that are added or removed later change the folder only by
            `save_index`.

        Raises
        ------
        FileNotFoundError
            If there is no index in the folder.
        TypeError
            If `allow` is neither a str nor an iterable of str.
        ValueError
            If a file was cut short or changed, or the index was built with other aligners or
            encoders, another `backend` or `centre`, or without the bank that `scoring` needs. The
            retriever is then unchanged.

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
        manifest, trusted = manifest_of(folder), as_allowed(allow)
        return read_again(manifest, lambda: open_files(self, open_folder(folder), verify, trusted))

    def _check_parameters(self) -> None:
        """Raise an error for a parameter that is out of its range."""
        check_scalar(self.n_neighbors, "n_neighbors", Integral, min_val=1)
        check_scalar(self.hub_neighbors, "hub_neighbors", Integral, min_val=1)
        check_choice("scoring", self.scoring, ("auto", *SCORINGS))
        check_scalar(self.temperature, "temperature", Real, min_val=0, include_boundaries="neither")
        check_choice("fusion", self.fusion, FUSIONS)
        check_choice("centre", self.centre, ("auto", True, False))
        check_choice("lexical", self.lexical, ("auto", True, False))
        if self.fusion == "rank" and self.scoring not in ("cosine", "auto"):
            raise ValueError(
                f'fusion="rank" goes by the ranks of cosines, and scoring={self.scoring!r} corrects '
                'scores: use fusion="sum", or scoring="cosine".'
            )
        if self.n_candidates is not None:
            check_scalar(self.n_candidates, "n_candidates", Integral, min_val=1)
        self._new_backend()  # the package of the backend may be missing

    def _inputs(self, X: Any, ids: Any, parallel: Any, query_bank: Any, judgements: Any) -> _Inputs:
        """What was passed to `fit`, checked; nothing is encoded."""
        _checked_weights(self.weights, len(self._aligners()))
        documents = self._rows(X, "documents")
        ids = checked_ids(ids, _n_rows(documents))
        texts = _texts_of(documents)
        _warn_of_duplicates(texts)
        if self.lexical is not False:
            if texts is None:
                raise ValueError(
                    "The documents are embeddings, and lexical= needs their words: pass text, or "
                    "lexical=False."
                )
            LexicalIndex()  # its packages may be missing
        self._check_parallel(parallel)
        bank = None if query_bank is None else self._rows(query_bank, "queries of the bank")
        hub_bank = bank
        if bank is None and self.scoring not in ("cosine", "auto"):
            hub_bank = self._pairs_as_bank(parallel)
        if self.centre is True and bank is None and texts is None:
            raise ValueError(_NO_MEANS)
        judged = None
        if judgements is not None:
            queries, right = _two_sides(judgements)
            judged = self._rows(queries, "judged queries"), _places(right, ids)
            if _n_rows(judged[0]) != len(judged[1]):
                raise ValueError(
                    f"judgements have {_n_rows(judged[0])} queries and {len(judged[1])} ids: pass the "
                    "id of the right document of every query."
                )
        return _Inputs(documents, ids, bank, hub_bank, judged)

    def _encoded(
        self,
        aligners: list[Any],
        given: _Inputs,
        pairs: dict[str, Sides],
        session: EncodingSession,
    ) -> tuple[list[EncodedView], list[QueryRows | None]]:
        """Rows of every view, and those of the bank that hubness is measured by."""
        rows = _document_rows(aligners, given.documents, session)
        if len(rows) == 1:  # of several views, one that cannot tell documents apart is left out
            _warn_of_constant_rows(rows[0], given.documents)
        encoded, banks = [], []
        for i, aligner in enumerate(aligners):
            languages = languages_in(aligner, _part(given.documents, i), "en")
            width = rows[i].shape[1]
            bank = _bank_rows(aligner, given.bank, i, width, session)
            sides = _rows_of_pairs(aligner, pairs, session)
            encoded.append(
                EncodedView(name_of(aligner, i), aligner, rows[i], languages, sides, bank)
            )
            if given.hub_bank is not given.bank:
                bank = _bank_rows(aligner, given.hub_bank, i, width, session)
            banks.append(bank)
        return encoded, banks

    def _built(
        self, encoded: list[EncodedView], match: BankMatch | None, ids: list[Any]
    ) -> tuple[list[SearchView], list[str]]:
        """Views with their indexes, and why they are centred or not."""
        views, reasons = [], []
        for view in encoded:
            centring, reason = self._centring(view, match)
            views.append(build_view(view, centring, ids, self._new_backend()))
            reasons.append(reason)
        return views, reasons

    def _fused(
        self, views: list[SearchView], encoded: list[EncodedView], judged: Judged | None
    ) -> tuple[Fusion | None, dict[str, Any]]:
        """Fusion of several views, and what the report says of it."""
        if not self._is_fused():
            return None, {}
        weights, reason = _checked_weights(self.weights, len(views)), "weights as given"
        spreads = spreads_of(views, encoded)
        if self.weights is None:
            reason = "equal weights"
            if judged is not None and len(views) > 1:
                weights, reason = weights_by_judgements(views, judged, spreads)
        coefficients = checked_coefficients(views, weights, spreads, self.fusion == "rank")
        fusion = self._new_fusion(coefficients)
        return fusion, {
            "fusion": _how_fused(fusion, reason),
            "weights": weights,
            "spreads": spreads,
            "coefficients": coefficients,
        }

    def _is_fused(self) -> bool:
        """Whether there is more than one score to fuse."""
        return len(self._aligners()) > 1 or self.lexical is not False

    def _lexical(
        self, texts: list[str] | None, pairs: dict[str, Sides]
    ) -> tuple[LexicalIndex | None, str]:
        """View of the words in common, or None, and why."""
        texts = ensured(texts, "texts")
        if self.lexical is True:
            return LexicalIndex(texts), "as asked"
        if not pairs:
            return None, "left out, as there are no pairs to tell what it finds"
        sides = [list(chain.from_iterable(side)) for side in zip(*pairs.values(), strict=True)]
        evidence = lexical_evidence(*sides)
        reason = (
            f"{evidence.share:.0%} of pairs share words, which rank the translation above "
            f"{evidence.auc:.0%} of other texts"
        )
        return (LexicalIndex(texts), reason) if evidence.helps else (None, f"left out: {reason}")

    def _choice(
        self,
        match: BankMatch | None,
        n_bank: int,
        fusion: Fusion | None,
        views: list[SearchView],
        banks: list[QueryRows | None],
        judged: Judged | None,
    ) -> ScoringChoice:
        """The scoring that was asked for, or chosen."""
        if self.scoring != "auto":
            return ScoringChoice(self.scoring, "nothing", {}, {}, 0, "as given")
        if fusion is not None and fusion.by_rank:
            return ScoringChoice("cosine", "nothing", {}, {}, 0, "ranks are those of cosines")
        hits = {}
        if judged is not None and n_bank:
            for scoring in SCORINGS:
                correct_hubness(fusion, views, banks, self._correction(scoring))
                found = found_by(fusion, views, [*judged.rows], None, 1)[0][:, 0]
                hits[scoring] = found == judged.places
        return choose_scoring(match, n_bank, hits)

    def _new_backend(self) -> Index:
        """Backend without rows."""
        return make_index(self.backend, self.backend_params)

    def _new_fusion(self, coefficients: NDArray[np.float64]) -> Fusion:
        """Fusion of the views by cosines, or by ranks."""
        return Fusion(coefficients, self.fusion == "rank", self.n_candidates)

    def _aligners(self) -> list[Any]:
        """Aligners of the views, checked and not fitted."""
        several = isinstance(self.aligner, list | tuple)
        given = list(self.aligner) if several else [self.aligner]
        if not given:
            raise ValueError("aligner is an empty list: pass at least one CrossLingualAligner.")
        for aligner in given:
            if aligner is not None and not hasattr(aligner, "transform"):
                raise TypeError(
                    "aligner must be a CrossLingualAligner, a frozen one, None or a list of them, got "
                    f"{aligner!r}."
                )
        declared = [getattr(thawed(aligner), "target_lang", None) for aligner in given]
        languages = [languages_of(one) for one in declared if one is not None]
        if any(set(one) != set(languages[0]) for one in languages):
            raise ValueError(
                "The aligners declare different languages: give all of them one target_lang."
            )
        return given

    def _correction(self, scoring: str) -> Callable[[NDArray], Hubness] | None:
        """Correction of hubness, still to be given its bank; None for cosines."""
        if scoring == "cosine":
            return None
        return partial(Hubness.of_bank, **self._hubness_settings(scoring))

    def _hubness_settings(self, scoring: str) -> dict[str, Any]:
        return {
            "scoring": scoring,
            "n_neighbors": int(self.hub_neighbors),
            "temperature": float(self.temperature),
        }

    def _read(self, X: Any, what: str, *, may_be_empty: bool = False) -> Text | list[Any]:
        """One column of text, or embeddings of every view that are not validated yet."""
        aligners = self._aligners()
        if len(aligners) > 1 and _is_arrays(X):
            return _one_per_view(X, len(aligners), what)
        data = text_column(X, what, may_be_empty=may_be_empty, missing=missing_of(aligners[0]))
        if isinstance(data, Text):
            if data.rows and any(aligner is None for aligner in aligners):
                raise ValueError(
                    f"The {what} are text, and without an aligner the retriever takes embeddings only: "
                    'pass aligner=CrossLingualAligner("ko"), or the language of your queries.'
                )
            return data
        if len(aligners) > 1:
            raise ValueError(
                f"The {what} are one array, and the retriever has {len(aligners)} views: pass text, or "
                "a list of one array per view."
            )
        return [data.rows]

    def _checked(
        self, data: Text | list[Any], *, may_be_empty: bool = False
    ) -> list[str] | list[NDArray]:
        """Texts, or validated float32 embeddings of every view."""
        least = int(not may_be_empty)
        if isinstance(data, Text):
            return data.rows
        if len(data) == 1 and self._aligners()[0] is None:
            rows: NDArray = validate_data(
                self, data[0], dtype=np.float32, reset=False, ensure_min_samples=least
            )
            return [rows]
        # Embeddings of queries may have another width than those of documents.
        return [_check_embeddings(rows, "X", least) for rows in data]

    def _queries(
        self, X: Any, what: str, *, may_be_empty: bool = False
    ) -> list[str] | list[NDArray]:
        """Texts of queries, or validated embeddings of every view."""
        data = self._read([X] if isinstance(X, str) else X, what, may_be_empty=may_be_empty)
        return self._checked(data, may_be_empty=may_be_empty)

    def _rows(self, X: Any, what: str) -> list[str] | list[NDArray]:
        """Texts in declared languages, or validated embeddings of every view."""
        data = self._read(X, what)
        if not isinstance(data, Text):
            return [_check_embeddings(rows, what) for rows in data]
        # An undeclared language is found before the long work starts.
        for aligner in map(thawed, self._aligners()):
            if hasattr(aligner, "target_lang"):
                router_of(aligner)(data.rows)
        return data.rows

    def _check_parallel(self, parallel: Any) -> None:
        stay = all(
            aligner is None or isinstance(aligner, FrozenEstimator) for aligner in self._aligners()
        )
        if stay and parallel is not None:
            raise ValueError(
                "parallel= is for an aligner that is fitted here, and this one is not."
            )

    def _pairs_as_bank(self, parallel: Any) -> list[str]:
        """Target sides of the pairs as a bank of queries; an error where there are none."""
        aligner = self._aligners()[0]
        pairs: dict[str, Sides] = {}
        if hasattr(aligner, "target_lang"):
            languages = languages_of(aligner.target_lang)
            if parallel is not None:
                pairs = pairs_from(parallel, router_of(aligner), languages)
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

    def _centring(
        self, encoded: EncodedView, match: BankMatch | None
    ) -> tuple[Centring | None, str]:
        """Means to subtract in a view, or None, and why."""
        if self.centre is False:
            return None, "as asked"
        if self.centre == "auto" and not self._is_fused() and self.scoring != "auto":
            return None, "a view alone"
        bank = encoded.bank
        if not encoded.pairs and bank is None:
            if self.centre is True:
                raise ValueError(_NO_MEANS)
            return None, "neither pairs nor queries that ask for the documents"
        reason = "as asked"
        if self.centre == "auto" and bank is not None and match is not None:
            reason = f"past queries, {match.ratio:.1f} times as sure as general text"
        elif self.centre == "auto":
            sides = (np.concatenate(side) for side in zip(*encoded.pairs.values(), strict=True))
            choice = choose_centring(*sides)
            reason = choice.reason
            if not choice.centre:
                return None, reason
        centring = Centring(prior_means(encoded.pairs), {})
        if bank is not None:
            _observe(centring, bank, encoded)
        return centring, reason

    def _search(
        self, X: Any, n_neighbors: int | None
    ) -> tuple[SearchState, NDArray[np.intp], NDArray]:
        """State that was searched, and places and scores of the nearest documents."""
        check_is_fitted(self)
        state = self._state  # read once: another thread may replace it
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        check_scalar(k, "n_neighbors", Integral, min_val=1)
        _check_not_empty(state)
        if k > state.index.n_documents:
            raise ValueError(
                f"Expected n_neighbors <= n_documents_, but n_neighbors = {k}, n_documents_ = "
                f"{state.index.n_documents}: ask for fewer, or add documents."
            )
        queries = self._queries(X, "queries", may_be_empty=True)
        if not _n_rows(queries):
            return state, np.empty((0, k), dtype=np.intp), np.empty((0, k), dtype=np.float32)
        rows = _answers(state, queries)
        return state, *state.search(rows, _texts_of(queries), k)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "_state" in state:  # a thread may be replacing it
            state.update(state["_state"].attributes)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(_with_views(state))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


@dataclass(frozen=True)
class _Inputs:
    """Checked inputs of a fit: lists of texts, or of one array per view."""

    documents: list[str] | list[NDArray]
    ids: list[Any]
    bank: list[str] | list[NDArray] | None
    hub_bank: list[str] | list[NDArray] | None
    judged: tuple[list[str] | list[NDArray], NDArray[np.intp]] | None

    @property
    def texts(self) -> list[str] | None:
        return _texts_of(self.documents)


def index_contents(retriever: CrossLingualRetriever) -> IndexContents:
    """Contents of a fitted retriever's index, ready to be written to files.

    Raises
    ------
    TypeError
        If an identifier is of a kind that could not be restored.
    ValueError
        If the index is empty.
    """
    state = retriever._state
    return checked_contents(state.views, state.fusion, state.banks, state.report, state.texts)


def open_files(
    retriever: CrossLingualRetriever, saved: Bundle, verify: bool, trusted: tuple[str, ...] = ()
) -> CrossLingualRetriever:
    """Fill a retriever from the files of a saved index, once all of them are found to be sound.

    Raises
    ------
    ValueError
        As `CrossLingualRetriever.open_index`.
    """
    retriever._check_parameters()
    aligners, weights = retriever._aligners(), None
    if retriever.weights is not None:
        weights = _checked_weights(retriever.weights, len(aligners))
    for aligner in aligners:
        if aligner is not None:
            check_is_fitted(
                aligner,
                msg="open_index needs the fitted aligner that the index was built with, and this "
                "%(name)s is not fitted. Pass the one you saved beside the index, such as "
                "aligner=retriever.aligner_.",
            )
    scoring = _scoring_of(retriever, saved)
    opened = read_files(
        saved,
        Opening(
            aligners,
            retriever._new_backend,
            None if scoring == "cosine" else retriever._hubness_settings(scoring),
            retriever._new_fusion,
            weights,
            retriever.centre,
            verify,
            trusted,
        ),
    )
    fused: dict[str, Any] = {**opened.fused}
    if opened.fusion is not None:
        reason = "weights as saved" if weights is None else "weights as given"
        fused["fusion"] = _how_fused(opened.fusion, reason)
    choice = ScoringChoice(scoring, "nothing", {}, {}, 0, "as saved")
    report = _reported(opened.views, opened.reasons, choice, fused)
    several = isinstance(retriever.aligner, list | tuple)
    state = SearchState(
        opened.views, opened.fusion, opened.banks, opened.texts, scoring, report, several
    )
    alone = len(aligners) == 1 and aligners[0] is None
    width = {"n_features_in_": opened.views[0].index.width} if alone else {}
    with writing(retriever):
        return retriever._publish(state, **width)


def _how_fused(fusion: Fusion, reason: str) -> str:
    """Line of the report about a fusion and its weights."""
    return f"{'reciprocal ranks' if fusion.by_rank else 'mean of cosines'}, {reason}"


def _scoring_of(retriever: CrossLingualRetriever, saved: Bundle) -> str:
    """Scoring of a saved index, where the retriever leaves the choice to it."""
    if retriever.scoring != "auto":
        return retriever.scoring
    if retriever.fusion == "rank" and saved.fields.get("fusion") is not None:
        return "cosine"  # ranks are by cosine, as after a fit
    hubs = saved.fields["hubs"]
    known = isinstance(hubs, dict) and hubs.get("scoring") in SCORINGS
    return str(hubs["scoring"]) if known else "cosine"


def _check_embeddings(rows: Any, name: str, least: int = 1) -> NDArray:
    checked: NDArray = check_array(
        rows, dtype=np.float32, ensure_min_samples=least, input_name=name
    )
    return checked


def _is_arrays(X: Any) -> bool:
    """Whether X is a list of arrays of two dimensions."""
    return isinstance(X, list | tuple) and bool(X) and all(np.ndim(one) == 2 for one in X)


def _one_per_view(X: Sequence[Any], n_views: int, what: str) -> list[Any]:
    """Embeddings of every view, of the same rows."""
    lengths = [np.shape(one)[0] for one in X]
    if len(X) != n_views:
        raise ValueError(
            f"The {what} are a list of {len(X)} arrays, and the retriever has {n_views} views: pass "
            "one array per view."
        )
    if len({*lengths}) > 1:
        raise ValueError(
            f"The {what} have {', '.join(map(str, lengths))} rows in the views: row i must be of the "
            "same one in all of them."
        )
    return list(X)


def _n_rows(data: list[str] | list[NDArray]) -> int:
    """Number of texts, or of rows of embeddings in every view."""
    return len(data) if not data or isinstance(data[0], str) else len(np.asarray(data[0]))


def _observe(centring: Centring, queries: QueryRows, encoded: EncodedView) -> None:
    """Take queries, and the documents that they ask for, into the means of a view."""
    rows, languages = _some_rows(queries.rows), _some_rows(np.array(queries.languages)).tolist()
    found = centring.asked_for(rows, languages, encoded.documents, encoded.languages)
    centring.observe(queries.rows, queries.languages, *found)


def _some_rows(rows: NDArray) -> NDArray:
    """At most _MAX_ASKED rows, at even distances."""
    return rows[:: -(-len(rows) // _MAX_ASKED)]


def _encoded_again(view: SearchView) -> EncodedView:
    """Rows of a view as they were encoded, without those of removed documents."""
    alive = view.index.rows.alive
    rows = view.uncentred()[alive]
    languages = ["en"] * len(rows)
    if view.languages is not None:
        languages = view.languages[alive].tolist()
    return EncodedView(view.name, view.aligner, rows, languages)


def _reported(
    views: list[SearchView], reasons: list[str], choice: ScoringChoice, fused: dict[str, Any]
) -> SearchReport:
    """Report of a fit."""
    reports = []
    for i, view in enumerate(views):
        of_view = {
            name[:-1]: float(fused[name][i])
            for name in ("weights", "spreads", "coefficients")
            if name in fused
        }
        centred = view.centring is not None
        reports.append(
            SearchViewReport(view.name, view.index.width, centred, reasons[i], **of_view)
        )
    seen = [view.centring.n_queries for view in views if view.centring is not None]
    return SearchReport(
        tuple(reports),
        choice.chosen,
        choice.reason,
        choice.recall,
        fused.get("fusion", ""),
        fused.get("lexical", ""),
        max(seen, default=0),
    )


def _answers(state: SearchState, queries: list[str] | list[NDArray]) -> list[NDArray | None]:
    """Rows of queries in every view; None for a view whose encoder fails."""
    session, parts = EncodingSession(), [_part(queries, i) for i in range(len(state.views))]
    # An undeclared language is an error of the input, and not of an encoder.
    languages = [
        languages_in(view.aligner, part) for view, part in zip(state.views, parts, strict=True)
    ]
    used = [True]
    if state.fusion is not None:
        used = [c > 0 for c in state.fusion.coefficients]
    out: list[NDArray | None] = [None] * len(state.views)
    failures = []
    for i, view in enumerate(state.views):
        if not used[i]:
            continue
        try:
            out[i] = view.queries(parts[i], languages[i], session)
        except Exception as error:
            if len(state.views) == 1 or _texts_of(queries) is None:
                raise
            failures.append((view.name, error))
    if failures and all(rows is None for rows in out):
        raise failures[0][1]
    for name, reason in failures:
        warn_user(
            f"The view {name!r} does not answer ({type(reason).__name__}: {reason}): these results "
            "are of the other views."
        )
    return out


def _check_not_empty(state: SearchState) -> None:
    if not state.index.n_documents:
        raise ValueError("The index is empty, as all documents were removed: add some.")


def _two_sides(judgements: Any) -> tuple[Any, Any]:
    """Queries and identifiers of judgements."""
    if not isinstance(judgements, list | tuple) or len(judgements) != 2:
        raise ValueError("judgements must be two sequences, (queries, ids).")
    return judgements[0], judgements[1]


def _places(right: Any, ids: list[Any]) -> NDArray[np.intp]:
    """Places of the documents of judgements."""
    place = {key: i for i, key in enumerate(ids)}
    right = listed_ids(right)
    unknown = [key for key in right if key not in place]
    if unknown:
        raise ValueError(
            f"judgements name the document {unknown[0]!r}, and no document has this id "
            f"({len(unknown)} of {len(right)} are unknown)."
        )
    return np.array([place[key] for key in right], dtype=np.intp)


def _rows_and_places(
    views: list[SearchView],
    judged: tuple[list[str] | list[NDArray], NDArray[np.intp]],
    session: EncodingSession,
) -> tuple[list[NDArray], NDArray[np.intp]]:
    """Unit rows of judged queries in every view, and the places of their documents."""
    rows = []
    for i, view in enumerate(views):
        part = _part(judged[0], i)
        rows.append(view.queries(part, languages_in(view.aligner, part), session))
    return rows, judged[1]


def _texts_of(data: Any) -> list[str] | None:
    """Texts; None for embeddings."""
    return data if isinstance(data[0], str) else None


def _part(data: Any, place: int) -> Any:
    """Texts, which are the same for all views, or embeddings of one view."""
    return data if isinstance(data[0], str) else data[place]


def _checked_weights(weights: Any, n_views: int) -> NDArray[np.float64]:
    """Weights of the views."""
    if weights is None:
        return np.ones(n_views)
    checked: NDArray[np.float64] = check_array(
        np.atleast_1d(weights), ensure_2d=False, dtype=np.float64, input_name="weights"
    )
    if checked.shape != (n_views,) or (checked < 0).any() or not checked.any():
        raise ValueError(
            f"weights must be {n_views} numbers, one per view, at least 0 and not all 0, got "
            f"{weights!r}."
        )
    return checked


def _fitted(
    aligners: list[Any],
    texts: list[str] | None,
    parallel: Any,
    session: EncodingSession,
    with_pairs: bool,
) -> tuple[list[Any], dict[str, Sides]]:
    """Fitted aligners, and the pairs that they have in common, some of each language if asked for."""
    words = "The documents are", " on the documents"
    prepared = [one if one is None else prepared_aligner(one, texts, *words) for one in aligners]
    # All of them are checked before the first encodes.
    plans = [
        plan_fit(one, texts, None, parallel) if isinstance(one, CrossLingualAligner) else None
        for one in prepared
    ]
    pairs: dict[str, Sides] = {}
    for one, plan in zip(prepared, plans, strict=True):
        if plan is not None:
            fit_planned(one, plan, session)
            pairs = pairs or plan.pairs
        elif one is not None and not isinstance(one, FrozenEstimator):
            one.fit(texts, parallel=parallel)
        elif with_pairs and not pairs and hasattr(thawed(one), "language_map_"):
            pairs = _pairs_of_frozen(thawed(one))
    pairs = pairs if with_pairs else {}
    return prepared, {language: _some(sides) for language, sides in pairs.items()}


def _pairs_of_frozen(aligner: CrossLingualAligner) -> dict[str, Sides]:
    """Pairs of the corpus of a fitted aligner; none where its file is not there any more."""
    try:
        return pairs_of_corpus(aligner.corpus, languages_of(aligner.target_lang))
    except FileNotFoundError:
        return {}


def _some(sides: Sides) -> Sides:
    """At most _MAX_PAIRS pairs, at even distances."""
    step = -(-len(sides[0]) // _MAX_PAIRS)
    return list(sides[0][::step]), list(sides[1][::step])


def _document_rows(
    aligners: list[Any], documents: list[str] | list[NDArray], session: EncodingSession
) -> list[NDArray]:
    """Unit rows of documents in every view; a bridge has had them encoded already."""
    maps = [route_of(one) for one in aligners if hasattr(thawed(one), "language_map_")]
    bridged = any(route.bridge is not None for route in maps)
    return document_rows(aligners, documents, session if bridged else None)


def _warn_of_constant_rows(rows: NDArray, documents: list[str] | list[NDArray]) -> None:
    one_text = isinstance(documents[0], str) and len(set(documents)) < 2
    if not one_text and all_the_same(rows):
        warn_user(
            f"All {len(rows)} documents have the same row, so that a search cannot tell one from "
            "another. Check the encoder."
        )


def _rows_of_pairs(
    aligner: Any, pairs: dict[str, Sides], session: EncodingSession
) -> dict[str, tuple[NDArray, NDArray]]:
    """Unit rows of both sides of pairs in a view."""
    if not hasattr(thawed(aligner), "language_map_"):
        return {}
    return {
        language: (
            text_rows(aligner, targets, [language] * len(targets), session),
            text_rows(aligner, english, ["en"] * len(english), session),
        )
        for language, (targets, english) in pairs.items()
    }


def _bank_rows(
    aligner: Any,
    bank: list[str] | list[NDArray] | None,
    place: int,
    width: int,
    session: EncodingSession,
) -> QueryRows | None:
    if bank is None:
        return None
    part = _part(bank, place)
    return query_rows(aligner, part, languages_in(aligner, part), session, width)


def _warn_of_duplicates(texts: list[str] | None) -> None:
    n_duplicates = 0 if texts is None else len(texts) - len(set(texts))
    if n_duplicates:
        warn_user(
            f"{n_duplicates} of {len(texts or ())} documents are the same as others, and each takes "
            "a rank of its own. To avoid that, index every text once."
        )


def _with_views(state: dict[str, Any]) -> dict[str, Any]:
    """State of a pickle; earlier releases kept its parts, or those of the index, in the retriever."""
    if "_rows" in state:
        parts = {"_rows", "_index", "_hubs", "_next_id", "_order", "_places"}
        index = DocumentIndex(
            state["ids_"], state["_rows"], state["_index"], state["_hubs"], state["_next_id"]
        )
        state = {name: value for name, value in state.items() if name not in parts}
        state = {**state, "_document_index": index}
    if "_document_index" in state:
        index = state.pop("_document_index")
        name, scoring = name_of(state["aligner_"], 0), state.get("scoring", "cosine")
        view = SearchViewReport(name, index.width, False, "a view alone")
        state = {
            **state,
            "report_": SearchReport((view,), scoring, "as given", {}),
            "_views": [SearchView(name, state["aligner_"], index)],
            "_fusion": None,
            "_banks": [None],
            "scoring_": scoring,
        }
    if "_views" not in state:
        return state
    views, fusion, banks = (state.pop(name) for name in ("_views", "_fusion", "_banks"))
    fitted = SearchState(
        views,
        fusion,
        banks,
        state["documents_"],
        state["scoring_"],
        state["report_"],
        isinstance(state["aligner_"], list),
    )
    return {**state, **fitted.attributes}

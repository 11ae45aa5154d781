"""View of a search: an aligner, an index of its rows, and their centring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import ensured
from ..aligner._frozen import thawed
from ..aligner._route import encoder_name, route_of, router_of, transform_rows
from ..encoders import EncodingSession
from ..encoders.long_texts import numbered_rows
from ..languages.codes import languages_of
from .centring import Centring
from .index import DocumentIndex, check_width, unit

__all__ = [
    "QueryRows",
    "SearchView",
    "centred",
    "document_rows",
    "languages_in",
    "name_of",
    "query_rows",
]


_CHUNK = 8_192  # texts that are encoded before their rows are put into place


@dataclass(frozen=True)
class QueryRows:
    """Unit rows of queries in one view, not centred, with their languages."""

    rows: NDArray
    languages: list[str]


@dataclass
class SearchView:
    """View of the documents by one aligner.

    Attributes
    ----------
    name : str
        Name of the encoder, with ", bridged" where its rows are.
    aligner : CrossLingualAligner, FrozenEstimator or None
        The fitted aligner.
    index : DocumentIndex
        Index of the rows, centred ones where there is a centring.
    centring : Centring or None
        Means that are subtracted.
    lengths : ndarray of shape (n_rows,), float32, or None
        Lengths of the centred rows before they were scaled, by position.
    languages : ndarray of shape (n_rows,) of str, or None
        Languages of the documents, by position, where there is a centring.
    """

    name: str
    aligner: Any
    index: DocumentIndex
    centring: Centring | None = None
    lengths: NDArray | None = None
    languages: NDArray[np.str_] | None = None

    def queries(
        self, queries: list[str] | NDArray, languages: list[str], session: EncodingSession
    ) -> NDArray:
        """Unit rows of queries as the index compares them."""
        rows = query_rows(self.aligner, queries, languages, session, self.index.width)
        return centred(self.centring, rows)

    def copied(self) -> SearchView:
        """View of the same documents, whose changes leave this one as it is."""
        return replace(self, index=self.index.copied())

    def add(self, rows: NDArray, languages: list[str], ids: list[Any]) -> None:
        """Index unit rows of more documents."""
        if self.centring is not None:
            before, spoken = ensured(self.lengths, "lengths"), ensured(self.languages, "languages")
            rows, lengths = self.centring.documents(rows, languages)
            self.lengths = np.concatenate([before, lengths])
            self.languages = np.concatenate([spoken, np.array(languages)])
        self.index.add(rows, ids)

    def uncentred(self) -> NDArray:
        """Unit rows of all positions, as they were before they were centred."""
        rows = np.concatenate(self.index.rows.blocks)
        if self.centring is None or self.lengths is None or self.languages is None:
            return rows
        return self.centring.restored(rows, self.lengths, self.languages.tolist())


def centred(centring: Centring | None, queries: QueryRows) -> NDArray:
    """Unit rows of queries, centred where there are means to subtract."""
    if centring is None:
        return queries.rows
    return centring.queries(queries.rows, queries.languages)


def document_rows(
    aligners: list[Any],
    documents: list[str] | list[NDArray],
    session: EncodingSession | None,
    widths: list[int] | None = None,
) -> list[NDArray]:
    """Unit rows of documents in every view, in its output space.

    Parameters
    ----------
    aligners : list
        Fitted aligners, one per view; None for embeddings that stay as they are.
    documents : list of str, or list of ndarray of shape (n_documents, width)
        Texts, or embeddings of every view, which are rows of the output space.
    session : EncodingSession or None
        Where texts have been encoded already; None encodes them by parts and forgets them.
    widths : list of int, default=None
        Widths that the index has; None allows any.

    Returns
    -------
    list of ndarray of shape (n_documents, width), float32
        Embeddings that have unit length are not copied.
    """
    expected: Sequence[int | None] = widths or [None] * len(aligners)
    if isinstance(documents[0], np.ndarray):
        for rows, width in zip(documents, expected, strict=True):
            check_width(rows, width, "Documents")
        return [unit(rows) for rows in documents]
    out: list[NDArray] = []
    # Of all rows at once, before the first is encoded: messages count from the first document.
    languages = [languages_in(aligner, documents) for aligner in aligners]
    with numbered_rows([text for text in documents if isinstance(text, str)]):
        for start in range(0, len(documents), _CHUNK):
            part, of_part = documents[start : start + _CHUNK], session or EncodingSession()
            for i, aligner in enumerate(aligners):
                rows = text_rows(aligner, part, languages[i][start : start + _CHUNK], of_part)
                if not start:
                    check_width(rows, expected[i], "Documents")
                    out.append(np.empty((len(documents), rows.shape[1]), dtype=np.float32))
                out[i][start : start + len(part)] = rows
    return out


def query_rows(
    aligner: Any,
    queries: list[str] | NDArray,
    languages: list[str],
    session: EncodingSession,
    width: int,
) -> QueryRows:
    """Unit rows of queries, moved to the output space of an aligner.

    Parameters
    ----------
    aligner : object
        A fitted aligner, or None.
    queries : list of str, or ndarray of shape (n_queries, n_features)
        Texts, or embeddings by the multilingual encoder.
    languages : list of str
        As `languages_in` returns them.
    session : EncodingSession
        Keeps every distinct text encoded.
    width : int
        Width of the rows in the index.

    Returns
    -------
    QueryRows
        Not centred.
    """
    if isinstance(queries, np.ndarray):
        rows = np.asarray(queries if aligner is None else aligner.transform(queries))
        rows = np.asarray(rows, dtype=np.float32)
    else:
        rows = text_rows(aligner, queries, languages, session)
    check_width(rows, width, "Queries")
    return QueryRows(unit(rows), languages)


def text_rows(
    aligner: Any, texts: list[str], languages: list[str], session: EncodingSession
) -> NDArray:
    """Unit rows of texts in the output space of an aligner."""
    if hasattr(thawed(aligner), "language_map_"):
        return unit(transform_rows(thawed(aligner), texts, languages, session))
    return unit(np.asarray(aligner.transform(texts), dtype=np.float32))


def languages_in(aligner: Any, data: list[str] | NDArray, of_embeddings: str = "") -> list[str]:
    """Languages of texts or embeddings.

    Parameters
    ----------
    aligner : object
        A fitted aligner, which tells the languages of texts apart.
    data : list of str, or ndarray of shape (n_rows, n_features)
        Texts or embeddings.
    of_embeddings : str, default=""
        Language of embeddings; "" is the declared one, if there is only one.

    Returns
    -------
    list of str
        Codes of languages; "" for an unknown one.
    """
    inner = thawed(aligner)
    declared = getattr(inner, "target_lang", None)
    languages = () if declared is None else languages_of(declared)
    if isinstance(data, np.ndarray):
        only = languages[0] if len(languages) == 1 else ""
        return [of_embeddings or only] * len(data)
    if not hasattr(inner, "language_map_"):
        return [of_embeddings] * len(data)
    return router_of(inner)(data)


def name_of(aligner: Any, place: int) -> str:
    """Name of the view of a fitted aligner."""
    inner = thawed(aligner)
    if not hasattr(inner, "language_map_"):
        return f"embeddings {place}" if inner is None else type(inner).__name__
    name = encoder_name(inner.encoder)
    return name if route_of(inner).bridge is None else f"{name}, bridged"

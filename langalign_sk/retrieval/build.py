"""Views of a search, built of encoded rows: centring, indexes and their fusion."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import warn_user
from .backends import Index
from .centring import Centring
from .exact import Rows, nearest
from .fusion import Fusion, Joined, coefficients_of, spread_of
from .hubness import Hubness
from .index import DocumentIndex
from .selection import MATCH_SAMPLE, BankMatch, match_bank
from .view import QueryRows, SearchView, centred

__all__ = [
    "EncodedView",
    "build_view",
    "checked_coefficients",
    "correct_hubness",
    "match_of_banks",
    "spreads_of",
]


_SAMPLED_QUERIES, _SAMPLED_DOCUMENTS = 500, 2_000  # for the spread of a view's cosines


@dataclass(frozen=True)
class EncodedView:
    """Unit rows of one view, not centred.

    Attributes
    ----------
    name : str
        Name of the view.
    aligner : object
        The fitted aligner, or None.
    documents : ndarray of shape (n_documents, width), float32
        Rows of the documents.
    languages : list of str
        Their languages.
    pairs : dict of str to (ndarray, ndarray)
        Rows of translation pairs by language, (target, English).
    bank : QueryRows or None
        Past queries.
    """

    name: str
    aligner: Any
    documents: NDArray
    languages: list[str]
    pairs: dict[str, tuple[NDArray, NDArray]] = field(default_factory=dict)
    bank: QueryRows | None = None

    @property
    def asks_across(self) -> NDArray[np.bool_]:
        """Which queries of the bank are not in the language that most documents are in.

        Those that are match the documents all the more, and say nothing of the others.
        """
        if self.bank is None:
            return np.zeros(0, dtype=bool)
        codes, counts = np.unique(self.languages, return_counts=True)
        return np.array(self.bank.languages) != codes[counts.argmax()]


def build_view(
    encoded: EncodedView,
    centring: Centring | None,
    ids: Sequence[Hashable],
    backend: Index,
) -> SearchView:
    """Index the documents of a view.

    Parameters
    ----------
    encoded : EncodedView
        Its rows.
    centring : Centring or None
        Means to subtract.
    ids : sequence of hashable
        Identifiers of the documents.
    backend : Index
        Backend without rows.

    Returns
    -------
    SearchView
        The view.
    """
    rows, lengths, languages = encoded.documents, None, None
    if centring is not None:
        rows, lengths = centring.documents(rows, encoded.languages)
        languages = np.array(encoded.languages)
    index = DocumentIndex.build(ids, rows, backend)
    return SearchView(encoded.name, encoded.aligner, index, centring, lengths, languages)


def checked_coefficients(
    views: Sequence[SearchView], weights: NDArray, spreads: NDArray, by_rank: bool = False
) -> NDArray[np.float64]:
    """Coefficients of the views, with a warning of one that tells no document from another.

    Parameters
    ----------
    views : sequence of SearchView
        The views.
    weights : ndarray of shape (n_views,)
        Weights of the standardised scores.
    spreads : ndarray of shape (n_views,)
        Standard deviations of the cosines of the views.
    by_rank : bool, default=False
        Whether ranks are fused, and not scores.

    Returns
    -------
    ndarray of shape (n_views,), float64
        As `coefficients_of` returns them.
    """
    coefficients = coefficients_of(weights, spreads, by_rank)
    for view, coefficient, weight in zip(views, coefficients, weights, strict=True):
        if weight > 0 and coefficient == 0:
            warn_user(
                f"The view {view.name!r} gives all documents the same score, and is left out: look at "
                "its encoder, or leave it out of the list."
            )
    return coefficients


def spreads_of(views: Sequence[SearchView], encoded: Sequence[EncodedView]) -> NDArray[np.float64]:
    """Standard deviations of the cosines of queries and documents, by view."""
    return np.array([_spread(*both) for both in zip(views, encoded, strict=True)])


def correct_hubness(
    fusion: Fusion | None,
    views: Sequence[SearchView],
    banks: Sequence[QueryRows | None],
    correction: Callable[[NDArray], Hubness] | None,
) -> None:
    """Correct the hubness of the documents, by a bank, in place of an earlier correction.

    Parameters
    ----------
    fusion : Fusion or None
        Fusion of the views; None for a view alone, whose index corrects its cosines.
    views : sequence of SearchView
        The views.
    banks : sequence of QueryRows
        Queries of the bank in every view, not centred.
    correction : callable or None
        Returns the correction of a bank of unit rows, without documents. None: scores are cosines.
    """
    hubness = None
    if correction is not None:
        rows = [
            centred(view.centring, bank)
            for view, bank in zip(views, banks, strict=True)
            if bank is not None
        ]
        joined = None if fusion is None else Joined(fusion, [view.index for view in views])
        hubness = correction(rows[0] if joined is None else joined.rows(rows))
        if joined is not None:
            joined.append_to(hubness)
    if fusion is not None:
        fusion.hubness = hubness
    else:
        views[0].index.correct(hubness)


def match_of_banks(encoded: Sequence[EncodedView], seed: int = 0) -> BankMatch | None:
    """Whether the bank asks for the documents, in the view that sees it best.

    Parameters
    ----------
    encoded : sequence of EncodedView
        Rows of the views.
    seed : int, default=0
        Of the draw of queries.

    Returns
    -------
    BankMatch or None
        None where there is no bank.
    """
    matches = []
    for view in encoded:
        if view.bank is None:
            continue
        asked = np.flatnonzero(view.asks_across)
        documents = Rows([view.documents])
        general = None
        if view.pairs:
            general = np.concatenate([targets for targets, _ in view.pairs.values()])
            general = _two_best(_sample(general, MATCH_SAMPLE), documents)
        draw = asked[np.random.default_rng(seed).permutation(len(asked))[:MATCH_SAMPLE]]
        matches.append(match_bank(_two_best(view.bank.rows[np.sort(draw)], documents), general))
    return max(matches, key=lambda match: np.nan_to_num(match.ratio), default=None)


def _two_best(Q: NDArray, documents: Rows) -> NDArray:
    """Cosines of the two nearest documents of every query."""
    return nearest(Q, documents, [(min(2, len(documents.alive)), None)])[0][1]


def _spread(view: SearchView, encoded: EncodedView) -> float:
    """Standard deviation of the cosines of queries and documents of a view.

    Without past queries every other document stands for a query: general pairs are further from
    the documents than queries are, by a share that differs from encoder to encoder.
    """
    documents = view.index.rows.blocks[0]
    if encoded.bank is not None:
        queries = centred(view.centring, encoded.bank)
    elif len(documents) > 1:
        queries, documents = documents[::2], documents[1::2]
    else:
        queries = documents
    return spread_of(_sample(queries, _SAMPLED_QUERIES), _sample(documents, _SAMPLED_DOCUMENTS))


def _sample(rows: NDArray, n: int) -> NDArray:
    """At most n rows, at even distances."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).astype(np.intp)]

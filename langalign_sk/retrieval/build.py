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
from .fusion import Fusion, Joined, coefficients_of, spread_of
from .hubness import Hubness
from .index import DocumentIndex
from .view import QueryRows, SearchView, centred

__all__ = [
    "BuildSettings",
    "EncodedView",
    "build_fusion",
    "build_view",
    "measure_hubness",
    "sample",
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
    hub_bank : QueryRows or None
        Queries that hubness is measured by.
    """

    name: str
    aligner: Any
    documents: NDArray
    languages: list[str]
    pairs: dict[str, tuple[NDArray, NDArray]] = field(default_factory=dict)
    bank: QueryRows | None = None
    hub_bank: QueryRows | None = None


@dataclass(frozen=True)
class BuildSettings:
    """Parameters that views are built by.

    Attributes
    ----------
    backend : callable
        Returns a backend without rows.
    hubness : callable
        Returns a hubness correction of a bank of unit rows; None where scores are cosines.
    n_candidates : int or None
        Documents of the first stage.
    by_rank : bool
        Whether ranks are fused.
    """

    backend: Callable[[], Index]
    hubness: Callable[[NDArray], Hubness] | None
    n_candidates: int | None
    by_rank: bool


def build_view(
    encoded: EncodedView,
    centring: Centring | None,
    ids: Sequence[Hashable],
    settings: BuildSettings,
    alone: bool,
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
    settings : BuildSettings
        Parameters.
    alone : bool
        Whether there is nothing to fuse: then the index corrects hubness itself.

    Returns
    -------
    SearchView
        The view.
    """
    rows, lengths, languages, hubness = encoded.documents, None, None, None
    if centring is not None:
        rows, lengths = centring.documents(rows, encoded.languages)
        languages = np.array(encoded.languages)
    if alone and settings.hubness is not None:
        assert encoded.hub_bank is not None
        hubness = settings.hubness(centred(centring, encoded.hub_bank))
    index = DocumentIndex.build(ids, rows, settings.backend(), hubness)
    return SearchView(encoded.name, encoded.aligner, index, centring, lengths, languages)


def build_fusion(
    views: Sequence[SearchView],
    encoded: Sequence[EncodedView],
    settings: BuildSettings,
    weights: NDArray,
) -> tuple[Fusion, NDArray]:
    """Fuse the views of the same documents.

    Parameters
    ----------
    views : sequence of SearchView
        The views.
    encoded : sequence of EncodedView
        Rows that they were built of.
    settings : BuildSettings
        Parameters.
    weights : ndarray of shape (n_views,)
        Weights of the standardised scores.

    Returns
    -------
    fusion : Fusion
        The fusion, without hubness and words in common.
    spreads : ndarray of shape (n_views,)
        Standard deviations of the cosines of the views.
    """
    spreads = np.array([_spread(*both) for both in zip(views, encoded, strict=True)])
    coefficients = coefficients_of(weights, spreads)
    for view, coefficient, weight in zip(views, coefficients, weights, strict=True):
        if weight > 0 and coefficient == 0:
            warn_user(
                f"The view {view.name!r} gives all documents the same score, and is left out: look at "
                "its encoder, or leave it out of the list."
            )
    return Fusion(coefficients, settings.by_rank, settings.n_candidates), spreads


def measure_hubness(
    fusion: Fusion,
    views: Sequence[SearchView],
    encoded: Sequence[EncodedView],
    settings: BuildSettings,
) -> None:
    """Set the hubness correction of fused cosines, by the bank of the views."""
    if settings.hubness is None:
        return
    indexes = [view.index for view in views]
    joined = Joined(fusion, indexes)
    banks = []
    for view, each in zip(views, encoded, strict=True):
        assert each.hub_bank is not None
        banks.append(centred(view.centring, each.hub_bank))
    hubness = settings.hubness(joined.rows(banks))
    joined.append_to(hubness)
    fusion.hubness = hubness


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
    return spread_of(sample(queries, _SAMPLED_QUERIES), sample(documents, _SAMPLED_DOCUMENTS))


def sample(rows: NDArray, n: int) -> NDArray:
    """At most n rows, at even distances."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).astype(np.intp)]

"""Judged queries: what they say of the weights of views and of the scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from .fusion import coefficients_of, united
from .selection import LEAST_LABELS
from .view import SearchView

__all__ = ["Judged", "weights_by_judgements"]


_CANDIDATES = 200  # of every view, that the document of a judged query is ranked among
_WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
_ROUNDS = 2


@dataclass(frozen=True)
class Judged:
    """Queries with the document that is right for each.

    Attributes
    ----------
    rows : list of ndarray of shape (n_queries, width)
        Unit rows in every view, centred where the view is.
    places : ndarray of shape (n_queries,), dtype int
        Places of the right documents.
    """

    rows: list[NDArray]
    places: NDArray[np.intp]


def weights_by_judgements(
    views: Sequence[SearchView], judged: Judged, spreads: NDArray
) -> tuple[NDArray[np.float64], str]:
    """Weights of views under which judged queries find their documents best.

    Weights of 1/4 to 4 are tried for one view after another, by the mean reciprocal rank. They stay
    equal unless others are better by more than a standard error of the difference.

    Parameters
    ----------
    views : sequence of SearchView
        The views, without removed documents.
    judged : Judged
        Queries whose documents are known.
    spreads : ndarray of shape (n_views,)
        Standard deviations of the views' cosines.

    Returns
    -------
    weights : ndarray of shape (n_views,), float64
        The weights.
    reason : str
        Where they come from.
    """
    n = len(judged.places)
    equal = np.ones(len(views))
    if n < LEAST_LABELS:
        return equal, f"equal weights, as {n} judged queries are too few to tell ({LEAST_LABELS})"
    scores = _scores(views, judged.rows, judged.places)
    of_equal = _reciprocal_ranks(scores, equal, spreads)
    best, of_best = equal, of_equal
    for _ in range(_ROUNDS):
        for i in range(len(views)):
            for weight in _WEIGHTS:
                tried = best.copy()
                tried[i] = weight
                ranks = _reciprocal_ranks(scores, tried, spreads)
                if ranks.mean() > of_best.mean():
                    best, of_best = tried, ranks
    difference = of_best - of_equal
    if difference.mean() <= difference.std(ddof=1) / np.sqrt(n):
        return equal, f"equal weights, as {n} judged queries do not gain by others"
    gain = f"{of_equal.mean():.3f} to {of_best.mean():.3f}"
    return best, f"weights by {n} judged queries, whose mean reciprocal rank rises from {gain}"


def _scores(
    views: Sequence[SearchView], queries: Sequence[NDArray], places: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Cosines of the candidates in every view, the right document first; -inf for none."""
    positions = places[:, None]
    for view, Q in zip(views, queries, strict=True):
        k = min(_CANDIDATES, view.index.n_documents)
        positions = united(positions, view.index.finder.search(Q, k)[0])
    out = np.empty((len(views), *positions.shape), dtype=np.float32)
    for i, (view, Q) in enumerate(zip(views, queries, strict=True)):
        for j, row in enumerate(positions):
            out[i, j] = view.index.rows.take(row) @ Q[j]
    out[:, positions < 0] = -np.inf
    return out


def _reciprocal_ranks(
    scores: NDArray[np.float32], weights: NDArray, spreads: NDArray
) -> NDArray[np.float64]:
    """Reciprocal ranks of the right documents; a tie counts half."""
    coefficients = coefficients_of(weights, spreads)
    # Without those of weight 0, whose product with -inf is no number.
    parts = (c * S for c, S in zip(coefficients, scores, strict=True) if c > 0)
    fused: NDArray = reduce(np.add, parts)
    first, others = fused[:, :1], fused[:, 1:]
    ahead = (others > first).sum(axis=1) + 0.5 * (others == first).sum(axis=1)
    return np.asarray(1 / (1 + ahead), dtype=np.float64)

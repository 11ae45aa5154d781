"""Hubness and reciprocity of nearest neighbours, which need no gold pairs."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew

from .._utils.validation import check_choice
from ._core import (
    BLOCK_ROWS,
    TIE,
    check_k,
    check_one_space,
    local_scaling_of,
    normalize_rows,
    similarities,
)

__all__ = ["hubness_score", "k_occurrence", "reciprocity_score"]


HubSimilarity = Literal["cosine", "csls"]


def reciprocity_score(X: ArrayLike, Y: ArrayLike) -> float:
    """Share of rows of X that are the nearest row of their own nearest row of Y, by cosine.

    Such mutual nearest neighbours are the pairs that unsupervised mapping trusts (Conneau et
    al., "Word translation without parallel data", ICLR 2018, section 2.2). Ties are broken at
    random in expectation: with T(i) the rows that tie as nearest to row i, row i counts as
    the sum over j in T(i) of 1 / (size of T(i) times size of T(j)), where T(j) holds i.

    Parameters
    ----------
    X : array-like of shape (n_X, n_features), float32 or float64
        Embeddings of one side.
    Y : array-like of shape (n_Y, n_features), float32 or float64
        Embeddings of the other side, in the same space. No pairs are needed.

    Returns
    -------
    float
        In (0, 1]; at most n_Y / n_X. `reciprocity_score(Y, X)` counts the same pairs as a share
        of the rows of Y.

    Raises
    ------
    ValueError
        If the two sides differ in width or hold NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import reciprocity_score
    >>> reciprocity_score(np.eye(3), np.eye(3)[::-1])
    1.0
    >>> reciprocity_score([[1.0, 0.0], [1.0, 0.1]], [[1.0, 0.2]])
    0.5
    """
    X, Y = check_one_space(X, Y)
    A, B = normalize_rows(X), normalize_rows(Y)
    blocks = [slice(i, i + BLOCK_ROWS) for i in range(0, len(A), BLOCK_ROWS)]
    nearest = np.full(len(B), -np.inf, dtype=np.result_type(A, B))
    for rows in blocks:
        np.maximum(nearest, (A[rows] @ B.T).max(axis=0), out=nearest)
    # A row of Y knows how many rows tie as its nearest only after the last block.
    tied, mutual = np.zeros(len(B)), np.zeros(len(B))
    for rows in blocks:
        S = A[rows] @ B.T
        of_row = S.max(axis=1, keepdims=True) - TIE <= S
        of_column = nearest - TIE <= S
        tied += np.count_nonzero(of_column, axis=0)
        mutual += (1 / np.count_nonzero(of_row, axis=1)) @ (of_row & of_column)
    return float((mutual / tied).sum() / len(A))


def k_occurrence(
    X: ArrayLike, Y: ArrayLike, *, k: int = 10, similarity: HubSimilarity = "cosine"
) -> NDArray[np.float64]:
    """How many rows of X have each row of Y among their k nearest.

    N_k of Radovanovic, Nanopoulos and Ivanovic, "Hubs in space: popular nearest neighbors in
    high-dimensional data", JMLR 2010. Rows that tie for the k-th place share the
    places left, so the counts are the expected ones under random order.

    Parameters
    ----------
    X : array-like of shape (n_X, n_features), float32 or float64
        Embeddings that look for their nearest rows.
    Y : array-like of shape (n_Y, n_features), float32 or float64
        Embeddings that are found, in the same space. No pairs are needed.
    k : int, default=10
        How many nearest rows of `Y` are counted.
    similarity : {"cosine", "csls"}, default="cosine"
        "csls" discounts hubs; see `retrieval_recall_score`.

    Returns
    -------
    ndarray of shape (n_Y,), dtype float64
        The counts; they sum to `k` times n_X.

    Raises
    ------
    ValueError
        If the two sides differ in width or hold NaN, `k` is not in [1, n_Y], or `similarity` is
        unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import k_occurrence
    >>> k_occurrence([[1.0, 0.0], [0.9, 0.2], [0.1, 1.0]], np.eye(2), k=1)
    array([2., 1.])
    >>> k_occurrence([[1.0, 1.0]], np.eye(2), k=1)  # both are as near
    array([0.5, 0.5])
    """
    check_choice("similarity", similarity, get_args(HubSimilarity))
    X, Y = check_one_space(X, Y)
    check_k(k, len(Y))
    A, B = normalize_rows(X), normalize_rows(Y)
    scaling = local_scaling_of(A, B, similarity)
    counts = np.zeros(len(B))
    for start in range(0, len(A), BLOCK_ROWS):
        S = similarities(A, B, slice(start, start + BLOCK_ROWS), scaling)
        last = np.partition(S, len(B) - k, axis=1)[:, len(B) - k, None]
        nearer = last + TIE < S
        tied = (last - TIE <= S) & ~nearer
        share = (k - np.count_nonzero(nearer, axis=1)) / np.count_nonzero(tied, axis=1)
        counts += np.count_nonzero(nearer, axis=0) + share @ tied
    return counts


def hubness_score(
    X: ArrayLike, Y: ArrayLike, *, k: int = 10, similarity: HubSimilarity = "cosine"
) -> float:
    """Skewness of how often rows of Y are among the k nearest of the rows of X.

    S_{N_k} of Radovanovic, Nanopoulos and Ivanovic, "Hubs in space: popular nearest neighbors in
    high-dimensional data", JMLR 2010: the third standardized moment of `k_occurrence`. A
    few rows that are near to everything (hubs) make it large and spoil retrieval.

    Parameters
    ----------
    X : array-like of shape (n_X, n_features), float32 or float64
        Embeddings that look for their nearest rows.
    Y : array-like of shape (n_Y, n_features), float32 or float64
        Embeddings that are found, in the same space. No pairs are needed.
    k : int, default=10
        How many nearest rows of `Y` are counted.
    similarity : {"cosine", "csls"}, default="cosine"
        "csls" discounts hubs; see `retrieval_recall_score`.

    Returns
    -------
    float
        Near 0 without hubs, positive with them; 0 where all counts are equal.

    Raises
    ------
    ValueError
        If the two sides differ in width or hold NaN, `k` is not in [1, n_Y], or `similarity` is
        unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import hubness_score
    >>> hubness_score(np.eye(4), np.eye(4), k=1)
    0.0
    >>> Y = np.vstack([np.eye(4), np.ones(4)])  # the last row is near to all
    >>> round(hubness_score(np.eye(4) + 1, Y, k=1), 3)
    1.5
    """
    return skewness(k_occurrence(X, Y, k=k, similarity=similarity))


def skewness(counts: NDArray) -> float:
    """Skewness of k-occurrences; 0 for counts that are all the same."""
    # Shares of ties leave rounding errors, which have a skewness too.
    return 0.0 if np.ptp(counts) < TIE else float(skew(counts))

"""Retrieval metrics for aligned embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core import (
    Direction,
    Similarity,
    check_k,
    check_pairs,
    duplicate_groups,
    local_scaling_of,
    normalize_rows,
    prepare_pairs,
    recall_and_reciprocal_rank,
)

__all__ = ["RetrievalScores", "retrieval_recall_score", "retrieval_scores"]


@dataclass(frozen=True)
class RetrievalScores:
    """Held-out retrieval of one system, the mean of both directions.

    Attributes
    ----------
    recall_at_1 : float
        Share of rows whose translation is the nearest row by cosine.
    csls_recall_at_1 : float
        The same by cross-domain similarity local scaling, which discounts hubs.
    mean_reciprocal_rank : float
        Mean of 1 / rank of the translation, by cosine; among ties, of its expected rank.
    mean_cosine : float
        Mean cosine of a row and its translation.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import retrieval_scores
    >>> retrieval_scores(np.eye(2), np.eye(2)).mean_reciprocal_rank
    1.0
    """

    recall_at_1: float
    csls_recall_at_1: float
    mean_reciprocal_rank: float
    mean_cosine: float


def retrieval_recall_score(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    k: int = 1,
    similarity: Similarity = "cosine",
    direction: Direction = "both",
) -> float:
    """Tie-aware recall at k of translation retrieval, of one direction or the mean of both.

    Row i of `X` and row i of `Y` are translations of each other. Every row looks for its
    translation among all rows of the other side. Ties are counted in expectation under random
    order, and rows with the same vector in `Y` are right answers for each other.

    Parameters
    ----------
    X, Y : array-like of shape (n_pairs, n_features), float32 or float64
        Embeddings in one space.
    k : int, default=1
        How many nearest rows may hold the translation.
    similarity : {"cosine", "csls", "margin"}, default="cosine"
        "csls" is cross-domain similarity local scaling with 10 neighbours (Conneau et al.,
        "Word translation without parallel data", ICLR 2018, eq. 3), which discounts hubs.
        "margin" does so too: it is the cosine divided by the mean cosine of both rows to their
        4 nearest rows of the other side (the ratio margin of Artetxe and Schwenk, "Margin-based
        parallel corpus mining with multilingual sentence embeddings", ACL 2019). A mean below
        0.001, where the ratio has no meaning, counts as 0.001.
    direction : {"both", "forward", "backward"}, default="both"
        "forward": every row of `X` looks for its translation among the rows of `Y`;
        "backward": the other way; "both": the mean of the two.

    Returns
    -------
    float
        In [0, 1]. It falls as the pool grows, so compare only on one pool.

    Raises
    ------
    ValueError
        If the two sides differ in length or width, hold NaN, `k` is not positive, or
        `similarity` or `direction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import retrieval_recall_score
    >>> Y = np.eye(4)
    >>> retrieval_recall_score(Y, Y)
    1.0
    >>> retrieval_recall_score(np.ones((4, 4)), Y)  # all the same: no better than a guess
    0.25
    >>> X = [[1.0, 0.0], [0.9, 0.1]]
    >>> retrieval_recall_score(X, np.eye(2), direction="forward")
    0.5
    >>> retrieval_recall_score(X, np.eye(2), direction="backward")
    1.0
    """
    check_k(k)
    A, B, groups, scaling = prepare_pairs(X, Y, similarity, direction)
    return float(recall_and_reciprocal_rank(A, B, groups, k, scaling, direction)[0].mean())


def retrieval_scores(
    X: ArrayLike, Y: ArrayLike, *, groups: NDArray[np.intp] | None = None
) -> RetrievalScores:
    """Recall at 1 by cosine and by CSLS, mean reciprocal rank and mean cosine of pairs.

    Parameters
    ----------
    X, Y : array-like of shape (n_pairs, n_features), float32 or float64
        Embeddings in one space; row i of one is the translation of row i of the other.
    groups : ndarray of shape (n_pairs,), dtype int, default=None
        Rows with one label are right answers for each other. None: rows with the same vector
        in `Y`.

    Returns
    -------
    RetrievalScores
        All values are means of both directions.

    Raises
    ------
    ValueError
        If the two sides differ in length or width, or hold NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import retrieval_scores
    >>> scores = retrieval_scores(np.eye(3), np.eye(3)[[1, 0, 2]])
    >>> round(scores.recall_at_1, 3), round(scores.mean_cosine, 3)
    (0.333, 0.333)
    """
    X, Y = check_pairs(X, Y)
    if groups is None:
        groups = duplicate_groups(Y)
    A, B = normalize_rows(X), normalize_rows(Y)
    recall, reciprocal = recall_and_reciprocal_rank(A, B, groups, 1)
    scaling = local_scaling_of(A, B, "csls")
    return RetrievalScores(
        recall_at_1=float(recall.mean()),
        csls_recall_at_1=float(recall_and_reciprocal_rank(A, B, groups, 1, scaling)[0].mean()),
        mean_reciprocal_rank=float(reciprocal.mean()),
        mean_cosine=float(np.einsum("ij,ij->i", A, B).mean()),
    )

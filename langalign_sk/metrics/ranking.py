"""Rank-based retrieval metrics of gold translation pairs."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._utils.validation import check_choice
from ._core import (
    TIE,
    Direction,
    LocalScaling,
    Similarity,
    check_k,
    check_pairs,
    duplicate_groups,
    local_scaling_of,
    normalize_rows,
    prepare_pairs,
    recall_and_reciprocal_rank,
    similarity_blocks,
)

__all__ = ["mean_reciprocal_rank_score", "ndcg_retrieval_score", "xsim_error"]


Margin = Literal["ratio", "distance", "absolute"]


def mean_reciprocal_rank_score(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    similarity: Similarity = "cosine",
    direction: Direction = "both",
) -> float:
    """Tie-aware mean of 1 / rank of the translation (Voorhees, TREC-8, 1999).

    Row i of `X` and row i of `Y` are translations of each other. Among ties the rank is the
    expected one under random order, as in `retrieval_scores`. Rows with the same vector in `Y`
    are right answers for each other, and the first of them counts.

    Parameters
    ----------
    X, Y : array-like of shape (n_pairs, n_features), float32 or float64
        Embeddings in one space.
    similarity : {"cosine", "csls", "margin"}, default="cosine"
        What the rows are ranked by; see `retrieval_recall_score`.
    direction : {"both", "forward", "backward"}, default="both"
        "forward": rows of `X` rank the rows of `Y`; "backward": the other way; "both": the
        mean of the two.

    Returns
    -------
    float
        In (0, 1]. It falls as the pool grows, so compare only on one pool.

    Raises
    ------
    ValueError
        If the two sides differ in length or width or hold NaN, or `similarity` or `direction`
        is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import mean_reciprocal_rank_score
    >>> mean_reciprocal_rank_score(np.eye(3), np.eye(3))
    1.0
    >>> mean_reciprocal_rank_score(np.ones((3, 3)), np.eye(3))  # all tie: expected rank 2
    0.5
    """
    A, B, groups, scaling = prepare_pairs(X, Y, similarity, direction)
    return float(recall_and_reciprocal_rank(A, B, groups, 1, scaling, direction)[1].mean())


def ndcg_retrieval_score(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    k: int | None = None,
    similarity: Similarity = "cosine",
    direction: Direction = "both",
) -> float:
    """Tie-aware normalized discounted cumulative gain of translation retrieval.

    Row i of `X` and row i of `Y` are translations of each other. A row's translation, and every
    row with the same vector in `Y` as the translation, has relevance 1, all others 0. Each
    right answer adds 1 / log2(1 + rank); the sum is divided by that of the best order (Jarvelin
    and Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002). Ties
    share the mean discount of their places (McSherry and Najork, "Computing information
    retrieval performance measures efficiently in the presence of tied scores", ECIR 2008).

    The value is that of `sklearn.metrics.ndcg_score` on the matrix of similarities and the matrix
    of relevances, neither of which is held in memory as a whole. One thing differs: similarities
    within 1e-6 of a right answer's tie with it, where scikit-learn asks for equal ones.

    Parameters
    ----------
    X, Y : array-like of shape (n_pairs, n_features), float32 or float64
        Embeddings in one space.
    k : int, default=None
        Only the k first places count. None: all places.
    similarity : {"cosine", "csls", "margin"}, default="cosine"
        What the rows are ranked by; see `retrieval_recall_score`.
    direction : {"both", "forward", "backward"}, default="both"
        "forward": rows of `X` rank the rows of `Y`; "backward": the other way; "both": the
        mean of the two.

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
    >>> from langalign_sk.metrics import ndcg_retrieval_score
    >>> ndcg_retrieval_score(np.eye(3), np.eye(3))
    1.0
    >>> X = [[0.0, 1.0], [1.0, 0.0]]  # every translation is second: 1 / log2(3)
    >>> round(ndcg_retrieval_score(X, np.eye(2)), 4)
    0.6309
    """
    check_k(1 if k is None else k)
    return ndcg_of_unit_rows(*prepare_pairs(X, Y, similarity, direction), direction, k)


def ndcg_of_unit_rows(
    A: NDArray,
    B: NDArray,
    groups: NDArray,
    scaling: LocalScaling | None,
    direction: str,
    k: int | None = None,
) -> float:
    """Gain of unit rows, normalized; rows of one group are right answers for each other."""
    n = len(A)
    discounts = 1 / np.log2(np.arange(2, n + 2))
    discounts[n if k is None else k :] = 0
    cumulative = np.concatenate(([0.0], np.cumsum(discounts)))
    parts = [
        _gain(S, start, groups, cumulative)
        for start, S in similarity_blocks(A, B, scaling, direction)
    ]
    return float(np.concatenate(parts).mean())


def _gain(S: NDArray, start: int, groups: NDArray, cumulative: NDArray) -> NDArray:
    """Normalized gain of the rows of S, whose right answers lie on the diagonal from `start`.

    `cumulative[m]` is the gain of right answers at all of the first m places.
    """
    rows = np.arange(len(S))
    own = groups[start : start + len(S)]
    right = S[rows, rows + start][:, None]
    reached = np.count_nonzero(right - TIE <= S, axis=1)
    better = np.count_nonzero(right + TIE < S, axis=1)
    gain = _mean_discount(better, reached, cumulative)
    for i in np.flatnonzero(np.bincount(groups)[own] > 1):
        # Sorting finds the places of many right answers in one pass over the row.
        rising, answers = np.sort(S[i]), S[i, groups == own[i]]
        reached = len(rising) - np.searchsorted(rising, answers - TIE, side="left")
        better = len(rising) - np.searchsorted(rising, answers + TIE, side="right")
        gain[i] = _mean_discount(better, reached, cumulative).sum() / cumulative[len(answers)]
    return gain


def _mean_discount(better: NDArray, reached: NDArray, cumulative: NDArray) -> NDArray:
    """Mean discount of the places after `better` up to `reached`, which tied rows share."""
    return (cumulative[reached] - cumulative[better]) / (reached - better)


def xsim_error(X: ArrayLike, Y: ArrayLike, *, margin: Margin = "ratio", k: int = 4) -> float:
    """Error rate of cross-lingual similarity search, the xsim of the LASER toolkit.

    The share of rows of `X` whose best row of `Y` is not the translation. With a the cosine of
    two rows, and b the mean of the two rows' mean cosines to their `k` nearest rows of the other
    side, the best row has the largest margin of a over b (Artetxe and Schwenk, "Margin-based
    parallel corpus mining with multilingual sentence embeddings", ACL 2019).

    All rows of `Y` are ranked, as in the paper's formula. LASER ranks only the `k` nearest rows
    by cosine, and breaks ties by order where this function counts them in expectation, so the
    two can differ by a few rows.

    Parameters
    ----------
    X, Y : array-like of shape (n_pairs, n_features), float32 or float64
        Source and target embeddings in one space; row i of one is the translation of row i of
        the other.
    margin : {"ratio", "distance", "absolute"}, default="ratio"
        "ratio" is a / b, "distance" a - b and "absolute" a alone. In "ratio" a b below 0.001,
        where the ratio has no meaning, counts as 0.001.
    k : int, default=4
        Neighbours in b; "absolute" does not use them.

    Returns
    -------
    float
        In [0, 1]; lower is better. It grows with the pool, so compare only on one pool.

    Raises
    ------
    ValueError
        If the two sides differ in length or width or hold NaN, `margin` is unknown, or `k` is
        used and not in [1, n_pairs].

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.metrics import xsim_error
    >>> xsim_error(np.eye(5), np.eye(5))
    0.0
    >>> xsim_error(np.eye(5), np.eye(5)[[1, 0, 2, 3, 4]])
    0.4
    """
    check_choice("margin", margin, get_args(Margin))
    X, Y = check_pairs(X, Y)
    A, B = normalize_rows(X), normalize_rows(Y)
    scaling = None
    if margin != "absolute":
        check_k(k, len(Y))
        # CSLS is 2 (a - b), in the same order as the distance a - b.
        scaling = local_scaling_of(A, B, "margin" if margin == "ratio" else "csls", k)
    return 1 - float(
        recall_and_reciprocal_rank(A, B, duplicate_groups(Y), 1, scaling, "forward")[0].mean()
    )

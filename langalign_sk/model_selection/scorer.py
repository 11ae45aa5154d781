"""Scorer of aligners by retrieval of held-out translations."""

from __future__ import annotations

import numbers
import operator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from .._utils.containers import opened
from .._utils.validation import check_choice, check_number
from ..aligner._route import route_of, transform_pairs
from ..corpus._inputs import Embeddings, Pairs
from ..mapping._base import check_counterparts
from ..metrics._core import local_scaling_of, normalize_rows, recall_and_reciprocal_rank
from ..metrics.hubness import reciprocity_score
from ..metrics.ranking import ndcg_of_unit_rows
from ._pairs import Aligner, is_aligner, read_pairs

__all__ = ["make_retrieval_scorer"]


_CHOICES = {
    "metric": ("recall", "mrr", "ndcg", "neg_xsim_error", "reciprocity"),
    "similarity": ("cosine", "csls", "margin"),
    "direction": ("both", "forward", "backward"),
}
_LEAST = {"k": 1, "pool_size": 2, "random_state": 0}


def make_retrieval_scorer(
    metric: str = "recall",
    *,
    k: int = 1,
    similarity: str = "cosine",
    direction: str = "both",
    pool_size: int | None = None,
    random_state: int = 0,
) -> _RetrievalScorer:
    """Make a scikit-learn scorer of aligners: retrieval of held-out translations.

    Pass it as `scoring` to scikit-learn's GridSearchCV, HalvingGridSearchCV, cross_val_score,
    learning_curve and similar tools, with translation pairs as data; class labels are not needed.
    Larger is better for every metric. Every pair has a row that the language map moves, so the
    score depends on the map, as accuracy on held-out English rows does not.

    It scores a CrossLingualAligner on pairs of text, or on embeddings X with those of their
    translations as y; a LinearAligner or AdapterAligner on embeddings X and y; a Pipeline that ends
    in one of these, whose other steps transform X only; and a fitted search over any of them.

    Parameters
    ----------
    metric : str, default="recall"
        "recall": share of rows with their translation among the `k` nearest; "mrr": mean of
        1 / rank; "ndcg": normalized discounted cumulative gain over all places;
        "neg_xsim_error": minus the error of similarity search by the ratio margin, from target to
        English; "reciprocity": share of target rows that are the nearest row of their own nearest
        row, whether they are translations or not. See :mod:`langalign_sk.metrics`.
    k : int, default=1
        How many nearest rows may hold the translation. Only for "recall".
    similarity : {"cosine", "csls", "margin"}, default="cosine"
        Similarity that ranks the rows. For "recall", "mrr" and "ndcg".
    direction : {"both", "forward", "backward"}, default="both"
        "forward": target rows search among English rows; "backward": English rows search among
        target rows; "both": the mean of the two. For "recall", "mrr" and "ndcg".
    pool_size : int, default=None
        Number of distinct pairs that are drawn from the scored rows. Retrieval gets harder as the
        pool grows, so scores on folds or data of different sizes can only be compared with a
        fixed pool size. None scores all rows.
    random_state : int, default=0
        Seed of the draw. The same rows give the same pool.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float``, which can be pickled.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or has no effect on the metric. When scoring: if there
        are fewer distinct pairs than `pool_size`, X does not hold pairs, or the estimator is not
        one of the above.

    See Also
    --------
    pair_groups : Groups for GroupKFold, where several pairs share a sentence.
    CrossLingualSplit : Splits for a choice by labelled target rows.

    Notes
    -----
    Pairs that share a sentence (see :func:`pair_groups`) are correct answers for each other; a pool
    holds one pair of each such group. scikit-learn's learning_curve scores the training rows too:
    those scores are NaN where there are fewer rows than `pool_size`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from langalign_sk.mapping import LinearAligner
    >>> from langalign_sk.model_selection import make_retrieval_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 8))
    >>> Y = X @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
    >>> scorer = make_retrieval_scorer("mrr", pool_size=50)
    >>> scorer
    make_retrieval_scorer(metric='mrr', pool_size=50)
    >>> grid = {"method": ["identity", "procrustes"]}
    >>> GridSearchCV(LinearAligner(), grid, scoring=scorer, cv=3).fit(X, Y).best_params_
    {'method': 'procrustes'}
    """
    scorer = _RetrievalScorer(metric, k, similarity, direction, pool_size, random_state)
    for name, choices in _CHOICES.items():
        check_choice(name, getattr(scorer, name), choices)
    for name, least in _LEAST.items():
        value = getattr(scorer, name)
        if name == "pool_size" and value is None:
            continue
        check_number(
            name,
            value,
            numbers.Integral,
            partial(operator.le, least),
            f"an int of at least {least}",
        )
    ignored = [] if metric == "recall" else ["k"]
    if metric in ("neg_xsim_error", "reciprocity"):
        ignored += ["similarity", "direction"]
    for field in fields(scorer):
        if field.name in ignored and getattr(scorer, field.name) != field.default:
            raise ValueError(
                f"metric={metric!r} does not use {field.name}: leave it at {field.default!r}, or use "
                'metric="recall".'
            )
    return scorer


@dataclass(frozen=True, repr=False)
class _RetrievalScorer:
    """Scorer that `make_retrieval_scorer` returns; it is pickled under this name."""

    metric: str = "recall"
    k: int = 1
    similarity: str = "cosine"
    direction: str = "both"
    pool_size: int | None = None
    random_state: int = 0

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score a fitted aligner on held-out pairs; larger is better."""
        aligner, X = _aligner_and_rows(estimator, X)
        check_is_fitted(aligner)
        X, y = opened(X), opened(y, "y")  # they are read twice
        pairs, groups = read_pairs(
            aligner,
            X,
            y,
            "make_retrieval_scorer needs pairs, two columns [target, English]; X is one column of "
            "text. To tune by task accuracy, use cv=CrossLingualSplit() with labelled target rows.",
        )
        rows = self._pool(groups)
        if isinstance(pairs, Embeddings):
            moved = np.asarray(aligner.transform(_safe_indexing(X, rows)))
            english = route_of(aligner).english(check_counterparts(moved, _safe_indexing(y, rows)))
        else:
            sides = (pairs.target, pairs.english, pairs.languages)
            pool = Pairs(*([side[i] for i in rows] for side in sides))
            moved, english = transform_pairs(aligner, pool)
        return self._value(moved, english, groups[rows])

    def __repr__(self) -> str:
        shown = [
            f for f in fields(self) if f.name == "metric" or getattr(self, f.name) != f.default
        ]
        arguments = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown)
        return f"make_retrieval_scorer({arguments})"

    def _pool(self, groups: NDArray[np.intp]) -> NDArray[np.intp]:
        """Row numbers of the pairs that are scored."""
        if self.pool_size is None:
            return np.arange(len(groups))
        order = np.random.RandomState(self.random_state).permutation(len(groups))
        first = np.unique(groups[order], return_index=True)[1]
        if len(first) < self.pool_size:
            raise ValueError(
                f"pool_size={self.pool_size}, but the rows that are scored hold {len(first)} distinct "
                "pairs. Use a smaller pool_size, fewer folds or more pairs."
            )
        return np.sort(order[np.sort(first)[: self.pool_size]])

    def _value(self, moved: NDArray, english: NDArray, groups: NDArray[np.intp]) -> float:
        # Not the public metrics, which take equal English vectors for equal sentences: a map that
        # sends all rows to one point would make every answer correct.
        if self.metric == "reciprocity":
            return reciprocity_score(moved, english)
        A, B = normalize_rows(moved), normalize_rows(english)
        groups = np.unique(groups, return_inverse=True)[1]
        if self.metric == "neg_xsim_error":
            hubs = local_scaling_of(A, B, "margin")
            return float(recall_and_reciprocal_rank(A, B, groups, 1, hubs, "forward")[0].mean()) - 1
        hubs = local_scaling_of(A, B, self.similarity)
        if self.metric == "ndcg":
            return ndcg_of_unit_rows(A, B, groups, hubs, self.direction)
        recall, reciprocal_rank = recall_and_reciprocal_rank(
            A, B, groups, self.k, hubs, self.direction
        )
        return float((recall if self.metric == "recall" else reciprocal_rank).mean())


def _aligner_and_rows(estimator: Any, X: Any) -> tuple[Aligner, Any]:
    """The aligner that an estimator ends in, and X as its other steps hand it on."""
    estimator = getattr(estimator, "best_estimator_", estimator)  # a search, in nested folds
    aligner = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not is_aligner(aligner):
        raise ValueError(
            "make_retrieval_scorer scores a CrossLingualAligner, LinearAligner or AdapterAligner, "
            f"alone or as the last step of a Pipeline, got {type(aligner).__name__}. Score the "
            "aligner alone on pairs, or tune the whole Pipeline by accuracy with "
            "cv=CrossLingualSplit() and labelled target rows."
        )
    if aligner is not estimator and len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return aligner, X

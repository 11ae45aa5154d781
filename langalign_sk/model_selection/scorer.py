"""Choosing by retrieval of held-out translations."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from ..aligner import CrossLingualAligner
from ..aligner._route import read_rows, route_of, transform_pairs
from ..corpus._inputs import Embeddings, Pairs, check_pairs_y
from ..mapping._base import check_counterparts
from ..metrics._core import local_scaling_of, normalize_rows, recall_and_reciprocal_rank
from ..metrics.hubness import reciprocity_score
from ..metrics.ranking import ndcg_of_unit_rows
from .splits import pair_groups, text_groups

__all__ = ["make_retrieval_scorer"]


_CHOICES = {
    "metric": ("recall", "mrr", "ndcg", "neg_xsim_error", "reciprocity"),
    "similarity": ("cosine", "csls", "margin"),
    "direction": ("both", "forward", "backward"),
}


def make_retrieval_scorer(
    metric: str = "recall",
    *,
    k: int = 1,
    similarity: str = "cosine",
    direction: str = "both",
    pool_size: int | None = None,
    random_state: int = 0,
) -> _RetrievalScorer:
    """Make a scorer that ranks aligners by retrieval of held-out translations.

    Pass it as `scoring` to GridSearchCV, HalvingGridSearchCV, cross_val_score, learning_curve and
    their kin of scikit-learn, with translation pairs as data; no class label is needed. Larger is
    better for every metric.

    It scores a CrossLingualAligner on pairs of text, or on embeddings X with those of their
    translations as y; a LinearAligner or AdapterAligner on embeddings X and y; a Pipeline whose
    last step is one of these, where the steps before move X alone; and a fitted search over any.

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
        What rows are ranked by. For "recall", "mrr" and "ndcg".
    direction : {"both", "forward", "backward"}, default="both"
        "forward": target rows look for English ones; "backward": English rows look for target
        ones; "both": the mean of the two. For "recall", "mrr" and "ndcg".
    pool_size : int, default=None
        Score on so many distinct pairs, drawn from the rows that are scored. Retrieval gets harder
        as the pool grows, so that scores on folds or data of different size can be compared on
        one size of the pool only. None: all rows.
    random_state : int, default=0
        Seed of the drawn pool, which is the same for the same rows.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None) -> float``; it can be pickled.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or goes with another metric. When scoring: if there
        are fewer distinct pairs than `pool_size`, X holds no pairs, or the estimator is none of
        the above.

    See Also
    --------
    pair_groups : Groups for GroupKFold, where a sentence stands in several pairs.
    CrossLingualSplit : Chooses by labelled target rows.

    Notes
    -----
    Pairs that share a sentence (see :func:`pair_groups`) are right answers for each other; a pool
    holds one pair of each such group. scikit-learn's learning_curve scores the training rows too:
    those scores are nan where there are fewer rows than `pool_size`.

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
        if getattr(scorer, name) not in choices:
            raise ValueError(f"{name} must be one of {choices}, got {getattr(scorer, name)!r}.")
    for name, least in (("k", 1), ("pool_size", 2), ("random_state", 0)):
        value = getattr(scorer, name)
        if name == "pool_size" and value is None:
            continue
        if not isinstance(value, numbers.Integral) or value < least:
            raise ValueError(f"{name} must be an int of at least {least}, got {value!r}.")
    ignored = [] if metric == "recall" else ["k"]
    if metric in ("neg_xsim_error", "reciprocity"):
        ignored += ["similarity", "direction"]
    for field in fields(scorer):
        if field.name in ignored and getattr(scorer, field.name) != field.default:
            raise ValueError(
                f"metric={metric!r} knows no {field.name}: leave it at {field.default!r}, or use "
                'metric="recall".'
            )
    return scorer


@dataclass(frozen=True, repr=False)
class _RetrievalScorer:
    """What `make_retrieval_scorer` makes."""

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
        is_text = isinstance(aligner, CrossLingualAligner)
        pairs = read_rows(aligner, X) if is_text else Embeddings(X)
        if isinstance(pairs, Embeddings):
            groups = pair_groups(X, y)
            rows = self._pool(groups)
            moved = np.asarray(aligner.transform(_safe_indexing(X, rows)))
            english = route_of(aligner).english(check_counterparts(moved, _safe_indexing(y, rows)))
        elif isinstance(pairs, Pairs):
            check_pairs_y(y)
            groups = text_groups(pairs.target, pairs.english)
            rows = self._pool(groups)
            target, own, languages = (
                [side[i] for i in rows] for side in (pairs.target, pairs.english, pairs.languages)
            )
            moved, english = transform_pairs(aligner, Pairs(target, own, languages))
        else:
            raise ValueError(
                "make_retrieval_scorer needs pairs, two columns [target, English]; X is one column of "
                "text. To tune by task accuracy, use cv=CrossLingualSplit() with labelled target rows."
            )
        return self._value(moved, english, groups[rows])

    def __repr__(self) -> str:
        shown = [
            f for f in fields(self) if f.name == "metric" or getattr(self, f.name) != f.default
        ]
        words = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown)
        return f"make_retrieval_scorer({words})"

    def _pool(self, groups: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows that are scored."""
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
        # Not the public metrics: they tell right answers by equal vectors of the English side,
        # and a map that sends all rows to one point makes all of them equal.
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


def _aligner_and_rows(estimator: Any, X: Any) -> tuple[Any, Any]:
    """The aligner, and X as it comes to it."""
    estimator = getattr(estimator, "best_estimator_", estimator)  # a search, in nested folds
    aligner = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not (isinstance(aligner, CrossLingualAligner) or hasattr(aligner, "transform_counterparts")):
        raise ValueError(
            "make_retrieval_scorer scores a CrossLingualAligner, LinearAligner or AdapterAligner, "
            f"alone or as the last step of a Pipeline, got {type(aligner).__name__}. Score the "
            "aligner alone on pairs, or tune the whole Pipeline by accuracy with "
            "cv=CrossLingualSplit() and labelled target rows."
        )
    if aligner is not estimator and len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return aligner, X

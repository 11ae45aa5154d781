"""Frozen and fitted aligners inside other estimators."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._utils.validation import warn_user

__all__ = ["fitted_aligner", "prepared_aligner", "thawed"]


def thawed(estimator: Any) -> Any:
    """The estimator inside a frozen one."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def prepared_aligner(aligner: Any, texts: list[str] | None, rows: str, on: str = "") -> Any:
    """The aligner of a meta-estimator: as it is if it is frozen, else a clone to be fitted on text.

    Parameters
    ----------
    aligner : CrossLingualAligner or FrozenEstimator
        Parameter of the meta-estimator.
    texts : list of str or None
        What to fit it on; None for embeddings.
    rows, on : str
        Words of the messages: what holds embeddings, and what the clone is fitted on.

    Returns
    -------
    CrossLingualAligner or FrozenEstimator
        A clone, or the fitted aligner.
    """
    if isinstance(aligner, FrozenEstimator):
        check_is_fitted(aligner)
        return aligner
    if texts is None:
        raise ValueError(
            f"{rows} embeddings, which an aligner cannot be fitted on without those of their "
            "translations: pass aligner=fitted.freeze(), fitted beforehand."
        )
    if hasattr(aligner, "language_map_"):
        warn_user(
            f"The aligner is fitted already, and fit() fits a clone of it{on}: pass "
            "aligner.freeze() to use it as it is."
        )
    return clone(aligner)


def fitted_aligner(
    aligner: Any, texts: list[str] | None, parallel: Any, rows: str, on: str = ""
) -> Any:
    """The aligner of a meta-estimator, fitted on text unless it is frozen.

    Parameters
    ----------
    aligner : CrossLingualAligner or FrozenEstimator
        Parameter of the meta-estimator.
    texts : list of str or None
        What to fit it on; None for embeddings.
    parallel : object
        Translation pairs, as in ``CrossLingualAligner.fit``.
    rows, on : str
        Words of the messages: what holds embeddings, and what the clone is fitted on.

    Returns
    -------
    CrossLingualAligner or FrozenEstimator
        The fitted aligner.
    """
    prepared = prepared_aligner(aligner, texts, rows, on)
    frozen = isinstance(prepared, FrozenEstimator)
    return prepared if frozen else prepared.fit(texts, parallel=parallel)

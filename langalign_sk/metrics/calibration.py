"""Calibration error of classifiers."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar, column_or_1d
from sklearn.utils.validation import check_array, check_consistent_length

__all__ = ["expected_calibration_error"]


def expected_calibration_error(
    y_true: ArrayLike, y_prob: ArrayLike, *, n_bins: int = 15, labels: ArrayLike | None = None
) -> float:
    """Mean distance between confidence and accuracy, over bins of confidence.

    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, eq. 3:
    the confidence of a row is its highest probability; rows are put into bins of equal width,
    open to the left; the error is the mean over rows of their bin's distance between mean
    confidence and accuracy.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_prob : array-like of shape (n_samples, n_classes), float
        Probabilities, one column a class; rows sum to 1.
    n_bins : int, default=15
        Number of bins of equal width in (0, 1].
    labels : array-like of shape (n_classes,), default=None
        Classes of the columns, such as ``classifier.classes_``. None takes the sorted classes of
        `y_true`, which must then hold every class.

    Returns
    -------
    float
        In [0, 1]; 0 where confidence is accuracy in every bin.

    Raises
    ------
    ValueError
        If `y_prob` holds no probabilities, its columns are not as many as the classes, `y_true`
        holds a class that is not in `labels`, or `n_bins` is less than 1.

    Notes
    -----
    Rows of few bins are few, and their accuracy is off by chance: even a classifier that is
    calibrated to perfection has an error above 0. Compare on equal numbers of rows. Where
    classes tie for the highest probability, the first is the prediction.

    Examples
    --------
    >>> from langalign_sk.metrics.calibration import expected_calibration_error
    >>> y_prob = [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]]
    >>> round(expected_calibration_error(["no", "no", "yes", "yes"], y_prob), 3)
    0.15
    """
    check_scalar(n_bins, "n_bins", Integral, min_val=1)
    P = check_array(y_prob, dtype=[np.float64, np.float32], input_name="y_prob")
    # float32 probabilities sum to 1 up to their own precision.
    if P.min() < 0 or P.max() > 1 + 1e-4 or not np.allclose(P.sum(axis=1), 1, atol=1e-4):
        raise ValueError(
            "y_prob must hold probabilities whose rows sum to 1: pass the output of predict_proba."
        )
    y = column_or_1d(y_true)
    check_consistent_length(y, P)
    known = np.unique(y) if labels is None else column_or_1d(labels)
    if len(known) != P.shape[1]:
        raise ValueError(
            f"y_prob has {P.shape[1]} columns for {len(known)} classes: pass labels=, such as the "
            "classifier's classes_."
        )
    if not np.isin(y, known).all():
        unknown = sorted({*np.asarray(y).tolist()} - {*np.asarray(known).tolist()}, key=str)
        raise ValueError(f"y_true holds {unknown}, which labels lacks: add them to labels.")
    confidence = P.max(axis=1).astype(np.float64)
    right = known[P.argmax(axis=1)] == y
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    # The size of a bin cancels: |sum of right - confidence| over all rows.
    gaps = np.bincount(bins, weights=right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(y))

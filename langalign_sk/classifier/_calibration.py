"""Calibration of class scores by temperature and prior shift, and the choice between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import KFold

from .._utils.validation import ensured

__all__ = [
    "Calibration",
    "choose_calibration",
    "fit_calibration",
    "fit_temperature",
    "prior_of_unlabelled",
]


_FOLDS = 5
_LOG_TEMPERATURES = (-10.0, 10.0)
_EM_STEPS = 1_000
_EM_TOLERANCE = 1e-8  # change of a class frequency


@dataclass(frozen=True)
class Calibration:
    """Calibration of the scores of a classifier.

    Attributes
    ----------
    temperature : float
        Divisor of the scores.
    prior : ndarray of shape (n_classes,) or None
        Class frequencies of the calibrated rows; None without a prior shift.
    log_ratio : ndarray of shape (n_classes,) or float
        Logarithm of these frequencies over those of the classifier's training rows.
    """

    temperature: float = 1.0
    prior: NDArray | None = None
    log_ratio: NDArray | float = 0.0

    def log_odds(self, scores: NDArray) -> NDArray:
        """Scores whose softmax is the calibrated probability."""
        calibrated: NDArray = scores / self.temperature + self.log_ratio
        return calibrated


def fit_calibration(
    name: str, scores: NDArray, labels: NDArray, prior: NDArray | None
) -> Calibration:
    """Fit a calibration to labelled rows.

    Parameters
    ----------
    name : {"none", "temperature", "prior_shift", "temperature+prior_shift"}
        What to fit.
    scores : ndarray of shape (n_samples, n_classes), float64
        Logarithms of probabilities, or decisions.
    labels : ndarray of shape (n_samples,), dtype int
        Columns of the right classes.
    prior : ndarray of shape (n_classes,) or None
        Class frequencies of the classifier's training rows; needed for a prior shift.

    Returns
    -------
    Calibration
        The fitted calibration.
    """
    shifted: NDArray | None = None
    log_ratio: NDArray | float = 0.0
    if "prior_shift" in name:
        prior = ensured(prior, "prior")
        shifted = _shrunk(np.bincount(labels, minlength=len(prior)), prior)
        log_ratio = np.log(shifted / prior)
    temperature = fit_temperature(scores, labels, log_ratio) if "temperature" in name else 1.0
    return Calibration(temperature, shifted, log_ratio)


def choose_calibration(
    names: Sequence[str], scores: NDArray, labels: NDArray, prior: NDArray | None
) -> str:
    """Name of the calibration with the least held-out log loss; of equal ones, the first.

    Parameters
    ----------
    names : sequence of str
        Calibrations to choose from.
    scores, labels, prior
        As in `fit_calibration`.

    Returns
    -------
    str
        One of the names.
    """
    if len(names) == 1:
        return names[0]
    losses = dict.fromkeys(names, 0.0)
    for train, test in KFold(_FOLDS, shuffle=True, random_state=0).split(scores):
        for name in names:
            calibration = fit_calibration(name, scores[train], labels[train], prior)
            logs = log_softmax(calibration.log_odds(scores[test]), axis=1)
            losses[name] -= logs[np.arange(len(test)), labels[test]].sum()
    return min(names, key=lambda name: losses[name])


def fit_temperature(scores: NDArray, labels: NDArray, log_ratio: NDArray | float = 0.0) -> float:
    """Temperature of the highest likelihood of smoothed labels.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes), float64
        As in `fit_calibration`.
    labels : ndarray of shape (n_samples,), dtype int, or (n_samples, n_classes), float64
        Columns of the right classes, or the weight of each class in each row.
    log_ratio : ndarray of shape (n_classes,) or float, default=0.0
        Added to the scores that are divided by the temperature.

    Returns
    -------
    float
        The temperature.
    """
    n_classes = scores.shape[1]
    counts = np.eye(n_classes)[labels] if labels.ndim == 1 else labels
    rows = counts.sum(axis=1, keepdims=True)
    n = rows.sum()
    # Laplace's rule: after n right rows, the next one is wrong with probability 1 / (n + 2).
    smoothed = (counts * (n + 1) + rows / n_classes) / (n + 2)

    gaps = scores - scores.max(axis=1, keepdims=True)  # whose exponentials are at most 1
    gain, ratio = (smoothed * gaps).sum(), np.exp(log_ratio)

    def loss(log_t: float) -> float:
        t = np.exp(log_t)
        sums = (np.exp(gaps / t) * ratio).sum(axis=1)
        return float(rows.ravel() @ np.log(sums) - gain / t)

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))


def prior_of_unlabelled(P: NDArray, prior: NDArray) -> NDArray:
    """Class frequencies of unlabelled rows, by EM (Saerens et al., 2002, eq. 2.9).

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Probabilities under `prior`.
    prior : ndarray of shape (n_classes,)
        Class frequencies of the classifier's training rows.

    Returns
    -------
    ndarray of shape (n_classes,)
        Frequencies, shrunk to `prior`.
    """
    new = prior
    for _ in range(_EM_STEPS):
        R = P * (new / prior)
        last, new = new, _shrunk((R / R.sum(axis=1, keepdims=True)).sum(axis=0), prior)
        if np.abs(new - last).max() < _EM_TOLERANCE:
            break
    return new


def _shrunk(counts: NDArray, prior: NDArray) -> NDArray:
    """Class frequencies shrunk to the prior, which counts as one row per class."""
    shrunk: NDArray = (counts + len(prior) * prior) / (counts.sum() + len(prior))
    return shrunk

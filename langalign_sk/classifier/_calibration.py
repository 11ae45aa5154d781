"""How an AlignedClassifier recalibrates a head: what by, and the arithmetic of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import KFold

__all__ = [
    "Change",
    "_fit_temperature",
    "_prior_of_unlabelled",
    "choose",
    "fit_labelled",
]


_FOLDS = 5
_LOG_TEMPERATURES = (-10.0, 10.0)
_EM_STEPS = 1_000


@dataclass(frozen=True)
class Change:
    """What is done to the scores of a head, before their softmax."""

    temperature: float = 1.0
    prior: NDArray | None = None
    log_ratio: Any = 0.0  # of the class prior to that of the head

    def __call__(self, scores: NDArray) -> NDArray:
        return scores / self.temperature + self.log_ratio


def _fit_temperature(scores: NDArray, labels: NDArray, log_ratio: Any = 0.0) -> float:
    n, k = scores.shape
    # Laplace's rule: after n right rows, the next one is wrong with chance 1 / (n + 2).
    likely = (np.eye(k)[labels] * (n + 1) + 1 / k) / (n + 2)

    def loss(log_t: float) -> float:
        return -float((likely * log_softmax(scores / np.exp(log_t) + log_ratio, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))


def fit_labelled(name: str, scores: NDArray, labels: NDArray, prior: NDArray | None) -> Change:
    new, log_ratio = None, 0.0
    if "prior_shift" in name:
        assert prior is not None
        new = _shrunk(np.bincount(labels, minlength=len(prior)), prior)
        log_ratio = np.log(new / prior)
    temperature = _fit_temperature(scores, labels, log_ratio) if "temperature" in name else 1.0
    return Change(temperature, new, log_ratio)


def choose(names: list[str], scores: NDArray, labels: NDArray, prior: NDArray | None) -> str:
    """The calibration with the least held-out log loss; the first of equal ones."""
    if len(names) == 1:
        return names[0]
    losses = dict.fromkeys(names, 0.0)
    for train, test in KFold(_FOLDS, shuffle=True, random_state=0).split(scores):
        for name in names:
            change = fit_labelled(name, scores[train], labels[train], prior)
            logs = log_softmax(change(scores[test]), axis=1)
            losses[name] -= logs[np.arange(len(test)), labels[test]].sum()
    return min(names, key=lambda name: losses[name])


def _prior_of_unlabelled(P: NDArray, prior: NDArray) -> NDArray:
    """Class prior by EM (Saerens et al., 2002, eq. 2.9)."""
    new = prior
    for _ in range(_EM_STEPS):
        R = P * (new / prior)
        last, new = new, _shrunk((R / R.sum(axis=1, keepdims=True)).sum(axis=0), prior)
        if np.abs(new - last).max() < 1e-8:
            break
    return new


def _shrunk(counts: NDArray, prior: NDArray) -> NDArray:
    """Frequencies with one row a class of the old prior: few rows change it little."""
    return (counts + len(prior) * prior) / (counts.sum() + len(prior))

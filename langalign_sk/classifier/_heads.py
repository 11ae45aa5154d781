"""Heads of a cross-lingual classifier: fitted, calibrated, and fitted again on more rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import has_fit_parameter

from ._calibration import fit_temperature
from ._kernel import distinct_rows, unit_rows
from ._kernel_ridge import KernelRidgeClassifier

__all__ = ["KERNEL", "Head", "KeptRows", "check_head", "fit_head", "takes_weights"]

KERNEL = "kernel"
_FOLDS = 5
_TINY = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Head:
    """Fitted classifier of rows, with the temperature of its probabilities.

    Attributes
    ----------
    model : classifier
        Fitted on the columns of the classes, 0 to n_classes - 1.
    temperature : float
        Divisor of the logarithms of its probabilities. A KernelRidgeClassifier has one of its own,
        and this is 1.
    """

    model: Any
    temperature: float = 1.0

    def predict_proba(self, Z: NDArray) -> NDArray[np.float64]:
        """Calibrated probabilities, of shape (n_samples, n_classes)."""
        P = np.asarray(self.model.predict_proba(Z), dtype=np.float64)
        return P if self.temperature == 1 else _tempered(P, self.temperature)

    def refitted(self, Z: NDArray, y: NDArray, weight: NDArray) -> Head:
        """The same head, fitted on other rows with the settings that it has chosen."""
        model = clone(self.model)
        if not isinstance(model, KernelRidgeClassifier):
            return Head(model.fit(Z, y, sample_weight=weight), self.temperature)
        model.set_params(gamma=self.model.gamma_, alpha=self.model.alpha_)
        model.fit(Z, y, sample_weight=weight)
        # Rows with predicted labels are easy: a temperature that they teach is too low.
        model.temperature_ = self.model.temperature_
        return Head(model)


@dataclass(frozen=True)
class KeptRows:
    """Training rows of a kernel head, which keeps the distinct ones at unit length.

    Attributes
    ----------
    places : ndarray of shape (n_rows,), dtype int
        Which row of `X_fit_` each row is.
    lengths : ndarray of shape (n_rows,), float64
        Lengths of the centred rows.
    """

    places: NDArray[np.intp]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, model: Any, Z: NDArray) -> KeptRows | None:
        """Rows that a model was fitted on; None where it does not keep all of them."""
        if not isinstance(model, KernelRidgeClassifier):
            return None
        nothing = np.zeros((len(Z), 1))
        rows = distinct_rows(unit_rows(Z, model.mean_), np.ones(len(Z)), nothing)
        if len(rows.first) != len(model.X_fit_):
            return None
        return cls(rows.inverse, np.linalg.norm(Z - model.mean_, axis=1))

    def restored(self, model: KernelRidgeClassifier) -> NDArray:
        """The rows, up to rounding."""
        unit = model.X_fit_[self.places]
        rows: NDArray = (unit * self.lengths[:, None] + model.mean_).astype(unit.dtype)
        return rows


def check_head(head: Any) -> None:
    """Raise for a head that cannot be fitted on rows or has no probabilities."""
    if isinstance(head, str) and head == KERNEL:
        return
    if isinstance(head, FrozenEstimator):
        raise ValueError(
            "head is frozen, and it is fitted here, on rows of every view. Serve a classifier that is "
            "fitted already with AlignedClassifier."
        )
    if isinstance(head, str | type) or not is_classifier(head):
        raise ValueError(
            f'head must be "kernel" or a classifier with predict_proba, such as '
            f"LogisticRegression(), got {head!r}."
        )
    if not hasattr(head, "predict_proba"):
        raise ValueError(
            f"head {head!r} has no predict_proba, and the probabilities of views are averaged: wrap it "
            "in sklearn.calibration.CalibratedClassifierCV."
        )


def takes_weights(head: Any) -> bool:
    """Whether rows of a head may count less than others."""
    return isinstance(head, str) or has_fit_parameter(head, "sample_weight")


def fit_head(
    head: Any, Z: NDArray, y: NDArray, weight: NDArray | None, seed: int
) -> tuple[Head, NDArray[np.float64]]:
    """Fit a head, and calibrate it by rows that it did not see.

    Parameters
    ----------
    head : "kernel" or classifier
        The classifier stays unfitted.
    Z : ndarray of shape (n_samples, n_features), float32 or float64
        Rows of one view.
    y : ndarray of shape (n_samples,), dtype int
        Columns of the classes.
    weight : ndarray of shape (n_samples,) or None
        Weights of the rows.
    seed : int
        Draws folds and landmarks.

    Returns
    -------
    head : Head
        The fitted head.
    reference : ndarray of shape (n_samples, n_classes), float64
        Calibrated probabilities of the rows, from leave-one-out or from heads of 5 folds.
    """
    if isinstance(head, str):
        head = KernelRidgeClassifier(random_state=seed)
    model = clone(head)
    if isinstance(model, KernelRidgeClassifier):
        model.set_params(store_loo=True).fit(Z, y, sample_weight=weight)
        reference = model.loo_proba_
        del model.loo_proba_
        return Head(model.set_params(store_loo=False)), reference
    reference = _held_out_proba(model, Z, y, weight, seed)
    counts = np.eye(reference.shape[1])[y] * (1 if weight is None else weight[:, None])
    temperature = fit_temperature(np.log(np.clip(reference, _TINY, None)), counts)
    model.fit(Z, y, **({} if weight is None else {"sample_weight": weight}))
    return Head(model, temperature), _tempered(reference, temperature)


def _held_out_proba(
    model: Any, Z: NDArray, y: NDArray, weight: NDArray | None, seed: int
) -> NDArray[np.float64]:
    """Probabilities of rows from heads of the other folds; a class that these lack has zero."""
    out = np.zeros((len(y), int(y.max()) + 1))
    # Copies of a row are in one fold: a head that knows the copy knows the answer.
    copies = distinct_rows(Z, np.ones(len(Z)), np.zeros((len(Z), 1)))
    n_folds = min(_FOLDS, len(copies.first))
    folds = GroupKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(Z, groups=copies.inverse):
        if len(np.unique(y[train])) < 2:  # most classifiers need two
            out[np.ix_(test, y[train][:1])] = 1
            continue
        weights = {} if weight is None else {"sample_weight": weight[train]}
        fold = clone(model).fit(Z[train], y[train], **weights)
        out[np.ix_(test, fold.classes_)] = fold.predict_proba(Z[test])
    return out


def _tempered(P: NDArray, temperature: float) -> NDArray[np.float64]:
    """Probabilities whose logarithms are divided by a temperature."""
    out: NDArray[np.float64] = softmax(np.log(np.clip(P, _TINY, None)) / temperature, axis=1)
    return out

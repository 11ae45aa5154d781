"""Kernel expansions: fitted kernel classifiers as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray

__all__ = ["KernelExpansion"]


@dataclass(frozen=True)
class KernelExpansion:
    """Kernel expansion of the log odds of classes on unit rows.

    A row x is centred and scaled to unit length, ``u = (x - mean) / |x - mean|``, or is zero where
    it is shorter than rounding. Its log odds are ``k(u) @ coef + intercept`` with
    ``k(u)_i = exp(-gamma |u - centres_i|^2)``.

    Attributes
    ----------
    mean : ndarray of shape (n_features,), float64
        What is subtracted from rows.
    rounding : float
        Length up to which centred float32 rows are rounding, and become zero.
    centres : ndarray of shape (n_centres, n_features), float
        Rows of length one or zero that the kernel compares with.
    gamma : float
        Inverse squared width of the kernel.
    coef : ndarray of shape (n_centres, n_classes), float64
        Coefficients of the kernel.
    intercept : ndarray of shape (n_classes,), float64
        Offset of the log odds.
    classes : ndarray of shape (n_classes,)
        The classes.
    multilabel : bool
        Whether every class is a label of its own, whose probability is the sigmoid of its log odds,
        and which a row has where these are positive. Else probabilities are the softmax of a row,
        and its class that of the largest.
    """

    mean: NDArray
    rounding: float
    centres: NDArray
    gamma: float
    coef: NDArray
    intercept: NDArray
    classes: NDArray
    multilabel: bool

"""Weighted kernel ridge regression on unit rows, with closed-form leave-one-out predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, eigh, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dtrtri
from scipy.special import log_expit, log_softmax

from ._calibration import fit_temperature

__all__ = [
    "DistinctRows",
    "RidgeFit",
    "blocks",
    "distinct_rows",
    "fit_landmarks",
    "fit_ridge",
    "loo_scores",
    "rbf",
    "rounding_length",
    "sigmoid_temperature",
    "softmax_temperature",
    "squared_distances",
    "unit_rows",
]

_BLOCK = 1 << 22  # float64 numbers in a block of a kernel matrix: 32 MB
_ROUNDING = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class DistinctRows:
    """Distinct rows of a weighted sample.

    Attributes
    ----------
    first : ndarray of shape (n_distinct,), dtype int
        Where each row is found first, in increasing order.
    inverse : ndarray of shape (n_samples,), dtype int
        Which distinct row each row is.
    weight : ndarray of shape (n_distinct,), float64
        Sum of the weights of equal rows.
    Y : ndarray of shape (n_distinct, n_outputs), float64
        Weighted mean of the outputs of equal rows.
    """

    first: NDArray[np.intp]
    inverse: NDArray[np.intp]
    weight: NDArray
    Y: NDArray


@dataclass(frozen=True)
class RidgeFit:
    """Solution of a kernel ridge regression.

    Attributes
    ----------
    dual : ndarray of shape (n_rows, n_outputs), float64
        Coefficients of the kernel with the rows.
    loo : ndarray of shape (n_rows, n_outputs), float64
        Leave-one-out predictions.
    """

    dual: NDArray
    loo: NDArray


def unit_rows(X: NDArray, mean: NDArray) -> NDArray:
    """Rows without a mean, scaled to unit length; rows that equal the mean become zero.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float
        Rows.
    mean : ndarray of shape (n_features,), float64
        What is subtracted.

    Returns
    -------
    ndarray of shape (n_samples, n_features), dtype of X
        Rows of length one or zero.
    """
    rows = X - mean
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    small = rounding_length(mean, X.dtype)
    scaled: NDArray = np.where(norms > small, rows / np.where(norms > small, norms, 1.0), 0.0)
    return scaled.astype(X.dtype)


def rounding_length(mean: NDArray, dtype: Any) -> float:
    """Length up to which the difference of a row and a mean is rounding of the row.

    Parameters
    ----------
    mean : ndarray of shape (n_features,), float64
        What is subtracted.
    dtype : dtype
        Of the rows.

    Returns
    -------
    float
        The length.
    """
    return float(4 * np.finfo(dtype).eps * np.linalg.norm(mean))


def distinct_rows(X: NDArray, weight: NDArray, Y: NDArray) -> DistinctRows:
    """Merge equal rows, which changes no ridge solution.

    Then a weight of two and a repeated row are the same for leave-one-out too, and no row is
    predicted by its own copy.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    weight : ndarray of shape (n_samples,), float64
        Positive weights.
    Y : ndarray of shape (n_samples, n_outputs), float64
        Outputs.

    Returns
    -------
    DistinctRows
        In the order of their first occurrence.
    """
    bytes_of_rows = np.ascontiguousarray(X + 0.0)  # -0.0 is 0.0
    keys = bytes_of_rows.view(np.dtype((np.void, bytes_of_rows.itemsize * X.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first, inverse = first[order], rank[inverse.ravel()]
    total = np.bincount(inverse, weight)
    sums = np.zeros((len(first), Y.shape[1]))
    np.add.at(sums, inverse, weight[:, None] * Y)
    return DistinctRows(first, inverse, total, sums / total[:, None])


def squared_distances(X: NDArray, Z: NDArray) -> NDArray:
    """Squared Euclidean distances from products in the dtype of the rows.

    Only those of float64 rows make kernels that are positive definite to the precision of a solve.

    Parameters
    ----------
    X, Z : ndarray of shapes (n, n_features) and (m, n_features)
        Rows.

    Returns
    -------
    ndarray of shape (n, m), float64
        Distances, not below zero.
    """
    distances = np.asarray(X @ Z.T, dtype=np.float64)
    distances *= -2
    distances += np.einsum("ij,ij->i", X, X)[:, None]
    distances += np.einsum("ij,ij->i", Z, Z)
    return np.maximum(distances, 0, out=distances)


def rbf(distances: NDArray, gamma: float) -> NDArray:
    """RBF kernel ``exp(-gamma d)`` of squared distances d."""
    kernel: NDArray = np.exp(-gamma * distances)
    return kernel


def blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Slices of rows whose kernel with `width` rows takes a bounded memory."""
    step = max(1, _BLOCK // max(width, 1))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)


def fit_ridge(K: NDArray, Y: NDArray, weight: NDArray, alpha: float) -> RidgeFit:
    """Fit a weighted kernel ridge regression, by one Cholesky factorisation.

    It minimises ``sum_i w_i |y_i - f(x_i)|^2 + alpha |f|^2``. The residuals that leave a row out
    are the dual coefficients over the diagonal of the inverse of the system (Rifkin and Lippert,
    "Notes on regularized least squares", MIT 2007, section 4).

    Parameters
    ----------
    K : ndarray of shape (n_rows, n_rows), float64
        Kernel of the rows; it is overwritten.
    Y : ndarray of shape (n_rows, n_outputs), float64
        Outputs.
    weight : ndarray of shape (n_rows,), float64
        Positive weights.
    alpha : float
        Strength of the penalty, positive.

    Returns
    -------
    RidgeFit
        The solution.
    """
    root = np.sqrt(weight)
    K *= root[:, None]
    K *= root
    K.flat[:: len(K) + 1] += _floor(alpha, weight)
    # Fortran order, which a symmetric matrix has as its transpose, spares copies.
    factor = cholesky(K.T, lower=True, overwrite_a=True, check_finite=False)
    solved = cho_solve((factor, True), root[:, None] * Y, check_finite=False)
    inverse, _ = dtrtri(factor, lower=1, overwrite_c=1)
    diagonal = np.einsum("ij,ij->j", inverse, inverse)
    return RidgeFit(root[:, None] * solved, Y - solved / (root * diagonal)[:, None])


def fit_landmarks(
    U: NDArray,
    landmarks: NDArray,
    gamma: float,
    Y: NDArray,
    weight: NDArray,
    alpha: float,
    left_out: NDArray[np.intp],
) -> RidgeFit:
    """Fit the ridge regression of `fit_ridge` with a kernel that has a few of the rows as centres.

    This is the subset of regressors (Rasmussen and Williams, "Gaussian processes for machine
    learning", 2006, eq. 8.14). The leave-one-out predictions are exact for fixed landmarks. Those of
    the landmarks themselves are worse than predictions of new rows: each has a coefficient of its
    own, which serves the other rows when its output is left out.

    Parameters
    ----------
    U : ndarray of shape (n_rows, n_features), float
        Rows.
    landmarks : ndarray of shape (n_landmarks, n_features), float
        Centres of the kernel.
    gamma : float
        Parameter of the kernel.
    Y, weight, alpha
        As in `fit_ridge`.
    left_out : ndarray of shape (n_left_out,), dtype int
        Rows whose leave-one-out predictions are wanted.

    Returns
    -------
    RidgeFit
        The solution; `dual` has a row per landmark, and `loo` one per row left out.
    """
    m = len(landmarks)
    landmarks = landmarks.astype(np.float64)
    system = np.zeros((m, m), order="F")  # its lower triangle
    outputs = np.zeros((m, Y.shape[1]))
    for part in blocks(len(U), m):
        kernel = rbf(squared_distances(U[part].astype(np.float64), landmarks), gamma)
        outputs += kernel.T @ (weight[part, None] * Y[part])
        kernel *= np.sqrt(weight[part, None])
        system = dsyrk(1.0, kernel.T, 1.0, system, lower=1, overwrite_c=1)
    system += _floor(alpha, weight) * rbf(squared_distances(landmarks, landmarks), gamma)
    system[np.diag_indices(m)] += _ROUNDING * np.trace(system)
    factor = cholesky(system, lower=True, overwrite_a=True, check_finite=False)
    dual = cho_solve((factor, True), outputs, check_finite=False)
    loo = np.empty((len(left_out), Y.shape[1]))
    for part in blocks(len(left_out), m):
        at = left_out[part]
        kernel = rbf(squared_distances(U[at].astype(np.float64), landmarks), gamma)
        halves = solve_triangular(factor, kernel.T, lower=True, check_finite=False)
        leverage = weight[at] * np.einsum("ij,ij->j", halves, halves)
        loo[part] = Y[at] - (Y[at] - kernel @ dual) / (1 - leverage)[:, None]
    return RidgeFit(dual, loo)


def loo_scores(
    K: NDArray, Y: NDArray, weight: NDArray, alphas: Sequence[float]
) -> Iterator[tuple[float, NDArray]]:
    """Leave-one-out predictions for many strengths of the penalty, by one eigendecomposition.

    Parameters
    ----------
    K, Y, weight
        As in `fit_ridge`.
    alphas : sequence of float
        Strengths of the penalty.

    Yields
    ------
    alpha : float
        A strength.
    loo : ndarray of shape (n_rows, n_outputs), float64
        As `RidgeFit.loo`.
    """
    root = np.sqrt(weight)
    K *= root[:, None]
    K *= root
    values, vectors = eigh(K, overwrite_a=True, check_finite=False, driver="evd")
    values = np.maximum(values, 0)
    outputs = vectors.T @ (root[:, None] * Y)
    shrunk = 1 / (values[:, None] + np.array([_floor(alpha, weight) for alpha in alphas]))
    diagonals = (vectors**2) @ shrunk
    for i, alpha in enumerate(alphas):
        solved = vectors @ (shrunk[:, i, None] * outputs)
        yield alpha, Y - solved / (root * diagonals[:, i])[:, None]


def softmax_temperature(scores: NDArray, Y: NDArray, weight: NDArray) -> tuple[float, float]:
    """Temperature of the softmax of scores, by likelihood.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_classes), float64
        Predictions that left the rows out.
    Y : ndarray of shape (n_rows, n_classes), float64
        Frequencies of the classes of each row.
    weight : ndarray of shape (n_rows,), float64
        Weights.

    Returns
    -------
    temperature : float
        The temperature.
    loss : float
        Mean log loss.
    """
    counts = weight[:, None] * Y
    temperature = fit_temperature(scores, counts)
    logs = log_softmax(scores / temperature, axis=1)
    return temperature, -float((counts * logs).sum() / weight.sum())


def sigmoid_temperature(scores: NDArray, Y: NDArray, weight: NDArray) -> tuple[NDArray, float]:
    """Temperature of the sigmoid of each score, by likelihood.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_outputs), float64
        Predictions that left the rows out: positive ones say yes.
    Y : ndarray of shape (n_rows, n_outputs), float64
        Frequencies of yes.
    weight : ndarray of shape (n_rows,), float64
        Weights.

    Returns
    -------
    temperature : ndarray of shape (n_outputs,), float64
        The temperatures.
    loss : float
        Log loss, the mean over rows and outputs.
    """
    temperature = np.array(
        [
            fit_temperature(
                np.column_stack([-score / 2, score / 2]),
                weight[:, None] * np.column_stack([1 - y, y]),
            )
            for score, y in zip(scores.T, Y.T, strict=True)
        ]
    )
    odds = scores / temperature
    gains = weight[:, None] * (Y * log_expit(odds) + (1 - Y) * log_expit(-odds))
    return temperature, -float(gains.sum() / weight.sum() / Y.shape[1])


def _floor(alpha: float, weight: NDArray) -> float:
    """Penalty, at least as large as the rounding of the largest eigenvalue can be."""
    return max(alpha, _ROUNDING * float(weight.sum()))

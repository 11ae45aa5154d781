"""Vector quality: Mahalanobis distance by probabilistic principal components."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from .shares import LEVELS, MIN_ROWS, quality_folds, share_below

_RANK = 16  # further directions do not improve the scores


@dataclass(frozen=True, eq=False)
class VectorModel:
    """Probabilistic principal components of the fitted rows.

    A Gaussian of some principal directions with one variance for all others (Tipping and Bishop,
    JRSS B 1999), whose Mahalanobis distance detects rows unlike the fit (Lee, Lee, Lee and Shin,
    NeurIPS 2018).
    """

    mean: NDArray  # (n_features,), float32
    basis: NDArray  # (n_features, rank), float32
    variances: NDArray  # (rank + 1,), float32; the last is that of any direction outside

    @classmethod
    def of(cls, n: int, total: NDArray, squares: NDArray) -> VectorModel:
        """Model from the number of rows, their sum and the sum of their outer products."""
        mean = total / n
        width = len(mean)
        rank = max(min(_RANK, width - 1, n // 4), 0)
        covariance = squares / n - np.outer(mean, mean)
        rest = np.trace(covariance)
        values, basis = np.empty(0), np.empty((width, 0))
        if rank:
            values, basis = eigh(covariance, subset_by_index=[width - rank, width - 1])
        rest = (rest - values.sum()) / (width - rank)
        # Rows may have no spread outside the basis: nothing counts as less than a rounding error.
        least = max(1e-6 * np.trace(covariance), np.finfo(np.float32).tiny)
        variances = np.maximum([*values, rest], least)
        return cls(*(a.astype(np.float32) for a in (mean, basis, variances)))

    def typicality(self, Z: NDArray) -> NDArray:
        """Minus the squared distance of each row."""
        Z = Z - self.mean
        inside = Z @ self.basis
        outside = np.maximum(np.square(Z).sum(axis=1) - np.square(inside).sum(axis=1), 0)
        return -(np.square(inside) @ (1 / self.variances[:-1]) + outside / self.variances[-1])


@dataclass(frozen=True, eq=False)
class VectorQuality:
    """Scores in [0, 1] of embeddings, calibrated as those of texts."""

    model: VectorModel
    quantiles: NDArray = field(repr=False)  # (100,), float32

    @classmethod
    def fit(cls, Z: NDArray, seed: int) -> VectorQuality | None:
        """Model of distinct rows; None for fewer than MIN_ROWS."""
        if len(Z) < MIN_ROWS:
            return None
        Z = Z.astype(np.float64)
        n, total, squares = len(Z), Z.sum(axis=0), Z.T @ Z
        values = []
        for fold in quality_folds(n, np.random.RandomState(seed)):
            F = Z[fold]
            rest = VectorModel.of(n - len(F), total - F.sum(axis=0), squares - F.T @ F)
            values.append(rest.typicality(F))
        quantiles = np.quantile(np.concatenate(values), LEVELS).astype(np.float32)
        return cls(VectorModel.of(n, total, squares), quantiles)

    def score(self, Z: NDArray) -> NDArray[np.float64]:
        """Shares in [0, 1] of shape (n_rows,)."""
        return share_below(self.model.typicality(Z), self.quantiles)

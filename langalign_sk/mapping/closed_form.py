"""Second moments of paired rows, and the closed-form maps that they give."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, eigh, solve_triangular, svd

from .._utils.validation import ensured

__all__ = ["AffineMap", "Moments", "Solver", "origins_of"]


# Ridge of the least-squares maps that have no strength of their own, in mean eigenvalues.
_TRACE = 1e-3
_ROWS_AT_ONCE = 16_384
_SAMPLED = 1_000  # rows that an origin is taken from
_ROUNDING = 8  # roundings of its mean, up to which a feature is constant


@dataclass(frozen=True)
class AffineMap:
    """Affine map ``x @ coef + intercept``."""

    coef: NDArray
    intercept: NDArray

    def __call__(self, X: NDArray) -> NDArray:
        out = X @ self.coef
        out += self.intercept
        return out


@dataclass(frozen=True)
class Moments:
    """Weighted sums over paired rows, taken about fixed origins.

    Sums of held-out rows can be subtracted, so every training fold costs one subtraction
    instead of a pass over the rows. Those of one side may be left out, where no map needs them.
    """

    weight: float
    x_origin: NDArray
    y_origin: NDArray
    sum_x: NDArray
    sum_y: NDArray
    xy: NDArray
    xx: NDArray | None = None
    yy: NDArray | None = None

    @classmethod
    def of(
        cls,
        X: NDArray,
        Y: NDArray,
        weight: NDArray | None = None,
        origins: tuple[NDArray, NDArray] | None = None,
        *,
        cross_only: bool = False,
    ) -> Moments:
        """Sums over rows; about their means, or near-zero means, where no origins are given."""
        counts = np.ones(len(X), dtype=X.dtype) if weight is None else weight.astype(X.dtype)
        total = float(counts.sum(dtype=np.float64))
        if origins is None:
            origins = origins_of(X, Y, weight)
        sums: list[NDArray] = []
        for start in range(0, len(X), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            x, y = (
                A[rows] - origin if origin.any() else A[rows]
                for A, origin in zip((X, Y), origins, strict=True)
            )
            c = counts[rows]
            first = c @ x, c @ y
            if weight is not None:
                root = np.sqrt(c)[:, None]
                x, y = x * root, y * root
            part = [*first, x.T @ y]
            if not cross_only:
                part += [x.T @ x, y.T @ y]
            if not sums:
                sums = [np.asarray(m, dtype=np.float64) for m in part]
                continue
            for total_of, m in zip(sums, part, strict=True):
                total_of += m
        return cls(total, *origins, *sums)

    def __add__(self, other: Moments) -> Moments:
        return self._combined(other, np.add)

    def __sub__(self, other: Moments) -> Moments:
        return self._combined(other, np.subtract)

    def _combined(self, other: Moments, operation: np.ufunc) -> Moments:
        sums = ("weight", "sum_x", "sum_y", "xy", "xx", "yy")
        return replace(self, **{s: operation(getattr(self, s), getattr(other, s)) for s in sums})


def origins_of(X: NDArray, Y: NDArray, weight: NDArray | None = None) -> tuple[NDArray, NDArray]:
    """Origins near the means, for sums over rows."""
    return _origin(X, weight), _origin(Y, weight)


def _origin(A: NDArray, weight: NDArray | None) -> NDArray:
    """About the mean, or zero where that is so near that it costs no digits."""
    sample = A[:: max(1, len(A) // _SAMPLED)]
    size = np.einsum("ij,ij->", sample, sample) / len(sample)
    # Off the mean by less than the spread of the rows is near enough; but a few weights may be all.
    mean = sample.mean(axis=0) if weight is None else (weight / weight.sum()) @ A
    return np.zeros_like(mean) if 2 * (mean @ mean) <= size else mean


class Solver:
    """Closed-form maps X -> Y and Y -> X of one set of moments.

    Every factorization is made once, when first asked for, and serves all methods, powers and
    ranks. All of it runs in the dtype of the rows.
    """

    def __init__(self, moments: Moments) -> None:
        dtype = moments.x_origin.dtype
        dx, dy = (m / moments.weight for m in (moments.sum_x, moments.sum_y))
        self.x_mean = (moments.x_origin + dx).astype(dtype)
        self.y_mean = (moments.y_origin + dy).astype(dtype)

        def covariance(sums: NDArray, d: NDArray, e: NDArray) -> NDArray:
            out: NDArray = (sums / moments.weight - np.outer(d, e)).astype(dtype)
            return out

        self.cov_xy = covariance(moments.xy, dx, dy)
        self._cov_x = None if moments.xx is None else covariance(moments.xx, dx, dx)
        self._cov_y = None if moments.yy is None else covariance(moments.yy, dy, dy)
        self._offsets = dx, dy  # of the means from the origins
        self.square = self.cov_xy.shape[0] == self.cov_xy.shape[1]
        self._factors: dict[tuple[float, bool], _Factor] = {}
        self._correlations: dict[float, _Variates] = {}

    @property
    def cov_x(self) -> NDArray:
        return ensured(self._cov_x, "cov_x")

    @property
    def cov_y(self) -> NDArray:
        return ensured(self._cov_y, "cov_y")

    @cached_property
    def _eigen_x(self) -> tuple[NDArray, NDArray]:
        return _eigen(self.cov_x)

    @cached_property
    def _eigen_y(self) -> tuple[NDArray, NDArray]:
        return _eigen(self.cov_y)

    def _factor(self, alpha: float, of_y: bool) -> _Factor:
        """Factor of one side's covariance with ridge."""
        if (alpha, of_y) not in self._factors:
            cov = self.cov_y if of_y else self.cov_x
            factor = _factor(cov, alpha, lambda _: self._eigen_y if of_y else self._eigen_x)
            self._factors[alpha, of_y] = factor
        return self._factors[alpha, of_y]

    def _affine(self, M: NDArray, reverse: bool) -> AffineMap:
        source, target = (self.y_mean, self.x_mean) if reverse else (self.x_mean, self.y_mean)
        return AffineMap(M, target - source @ M)

    def identity(self, reverse: bool = False) -> AffineMap:
        """The map that leaves rows as they are."""
        d, dtype = len(self.x_mean), self.x_mean.dtype
        return AffineMap(np.eye(d, dtype=dtype), np.zeros(d, dtype=dtype))

    def centre(self, reverse: bool = False) -> AffineMap:
        """The difference of the means alone."""
        d, dtype = len(self.x_mean), self.x_mean.dtype
        shift = self.x_mean - self.y_mean if reverse else self.y_mean - self.x_mean
        return AffineMap(np.eye(d, dtype=dtype), shift)

    def scale(self, reverse: bool = False) -> AffineMap:
        """The difference of the means, and the ratio of the standard deviations of every feature."""
        return self._affine(np.diag(1 / self._ratios if reverse else self._ratios), reverse)

    @cached_property
    def _ratios(self) -> NDArray:
        """Standard deviations of Y over those of X; 1 where a feature is constant on either side."""
        of_x = _deviations(self.cov_x, self._offsets[0], self.x_mean)
        of_y = _deviations(self.cov_y, self._offsets[1], self.y_mean)
        varies = (of_x > 0) & (of_y > 0)
        return np.divide(of_y, of_x, out=np.ones_like(of_x), where=varies)

    @cached_property
    def _rotation(self) -> NDArray:
        U, _, Vt = svd(self.cov_xy, full_matrices=False, check_finite=False)
        out: NDArray = U @ Vt
        return out

    def procrustes(self, reverse: bool = False) -> AffineMap:
        """Centred orthogonal Procrustes; semi-orthogonal for two widths."""
        return self._affine(self._rotation.T if reverse else self._rotation, reverse)

    def ridge(self, alpha: float, reverse: bool = False) -> AffineMap:
        """Ridge shrunk towards the identity, or towards zero where the widths differ."""
        G, C = (self.cov_y, self.cov_xy.T) if reverse else (self.cov_x, self.cov_xy)
        if self.square:
            C = C + alpha * _unit(G) * np.eye(len(G), dtype=G.dtype)
        return self._affine(self._factor(alpha, of_y=reverse).solve(C), reverse)

    def least_squares(self) -> AffineMap:
        """Least squares from X to Y, with a trace of ridge for columns without information."""
        return self._affine(self._factor(_TRACE, of_y=False).solve(self.cov_xy), False)

    def spectral(
        self, alpha: float, power: float, rank: int | None = None, reverse: bool = False
    ) -> AffineMap:
        """(Cx + lI)^-1/2 U S^power V' (Cy + lI)^1/2 and its mirror image."""
        variates = self._variates(alpha)
        s = variates.correlations
        rank = min(rank or len(s), *self.cov_xy.shape)  # beyond, a side has no direction left
        # U S is there, so that a power less remains.
        gain = _gain(s)[:rank] ** (power - 1)
        if reverse:
            source, target = variates.in_y, variates.to_x
        else:
            source, target = variates.in_x, variates.to_y
        return self._affine((source[:, :rank] * gain) @ target[:rank], reverse)

    def canonical(
        self, alpha: float, power: float, rank: int | None = None
    ) -> tuple[AffineMap, AffineMap, AffineMap]:
        """Maps of X and of Y into one space, and of that space to X.

        ``(Cx + lI)^-1/2 U S^power`` and ``(Cy + lI)^-1/2 V S^power``, both centred and stretched
        alike, until the moved rows of Y have the total variance of Y. The map to X is the least
        squares one from the moved rows of Y, with a trace of ridge.
        """
        variates = self._variates(alpha)
        rank = min(rank or len(variates.correlations), *self.cov_xy.shape)
        gain = _gain(variates.correlations)[:rank]
        A, B = variates.in_x[:, :rank] * gain ** (power - 1), variates.in_y[:, :rank] * gain**power
        moved = B.T @ self.cov_y @ B
        size = float(np.trace(moved))
        stretch = np.sqrt(np.trace(self.cov_y) / size) if size > 0 else 1.0
        A, B, moved = A * stretch, B * stretch, moved * stretch**2
        back = _factor(moved, _TRACE, _eigen).solve(B.T @ self.cov_xy.T)
        return (
            AffineMap(A, -self.x_mean @ A),
            AffineMap(B, -self.y_mean @ B),
            AffineMap(back, self.x_mean),
        )

    def _variates(self, alpha: float) -> _Variates:
        """Canonical variates with ridge."""
        if alpha not in self._correlations:
            left, right = self._factor(alpha, of_y=False), self._factor(alpha, of_y=True)
            self._correlations[alpha] = _Variates(left, right, self.cov_xy)
        return self._correlations[alpha]

    def match_scale(self, affine: AffineMap, reverse: bool = False) -> AffineMap:
        """The map stretched about the mean until its output has the variance of its target."""
        source, wanted = (self.cov_y, self.cov_x) if reverse else (self.cov_x, self.cov_y)
        have = float(np.einsum("ij,ij->", source @ affine.coef, affine.coef))
        if have <= 0:
            return affine
        return self._affine(affine.coef * np.sqrt(np.trace(wanted) / have), reverse)


class _Variates:
    """Singular value decomposition of the whitened cross-covariance ``K = U S V'``.

    Maps are products of one side's matrix into the variates and another's out of them. Those of X
    hold S as well.
    """

    def __init__(self, left: _Factor, right: _Factor, cov_xy: NDArray) -> None:
        self._left, self._right = left, right
        K = np.ascontiguousarray(right.whiten(left.whiten(cov_xy).T).T)
        squares, V = _eigh(K.T @ K)
        self._V = np.ascontiguousarray(V[:, ::-1])
        self._US = K @ self._V
        self.correlations = np.sqrt(np.clip(squares[::-1], 0, 1))

    @cached_property
    def in_x(self) -> NDArray:
        return self._left.whiten_transposed(self._US)

    @cached_property
    def to_x(self) -> NDArray:
        return self._left.color(self._US.T)

    @cached_property
    def in_y(self) -> NDArray:
        return self._right.whiten_transposed(self._V)

    @cached_property
    def to_y(self) -> NDArray:
        return self._right.color(self._V.T)


def _gain(s: NDArray) -> NDArray:
    """Singular values as powers take them.

    Those of a squared matrix lose what lies below the root of the resolution; from there on, a
    power goes to zero linearly.
    """
    out: NDArray = np.maximum(s, np.sqrt(np.finfo(s.dtype).eps) * max(s[0], 1e-12))
    return out


class _Factor(Protocol):
    """A square root R of a positive matrix ``G = R' R``, and its inverse.

    Spectral maps are the same for every such root: another one turns the whitened rows, and
    with them the singular vectors.
    """

    def solve(self, A: NDArray) -> NDArray:
        """``G^-1 A``."""

    def whiten(self, A: NDArray) -> NDArray:
        """``R^-T A``."""

    def whiten_transposed(self, A: NDArray) -> NDArray:
        """``R^-1 A``."""

    def color(self, A: NDArray) -> NDArray:
        """``A R``."""


class _CholeskyFactor:
    """Triangular root, at a tenth of the price of eigenvectors."""

    def __init__(self, lower: NDArray) -> None:
        self._lower = lower

    def solve(self, A: NDArray) -> NDArray:
        out: NDArray = cho_solve((self._lower, True), A, check_finite=False)
        return np.ascontiguousarray(out)

    def whiten(self, A: NDArray) -> NDArray:
        out: NDArray = solve_triangular(self._lower, A, lower=True, check_finite=False)
        return out

    def whiten_transposed(self, A: NDArray) -> NDArray:
        out: NDArray = solve_triangular(self._lower, A, trans="T", lower=True, check_finite=False)
        return np.ascontiguousarray(out)

    def color(self, A: NDArray) -> NDArray:
        return A @ self._lower.T


class _EigenFactor:
    """Root by eigenvectors, for matrices that may be singular: there the inverse is zero."""

    def __init__(self, values: NDArray, vectors: NDArray) -> None:
        self._root, self._vectors = np.sqrt(values), vectors
        self._inverse_root = _inverse(self._root)

    def solve(self, A: NDArray) -> NDArray:
        return self.whiten_transposed(self.whiten(A))

    def whiten(self, A: NDArray) -> NDArray:
        return self._inverse_root[:, None] * (self._vectors.T @ A)

    def whiten_transposed(self, A: NDArray) -> NDArray:
        return self._vectors @ (self._inverse_root[:, None] * A)

    def color(self, A: NDArray) -> NDArray:
        return (A * self._root) @ self._vectors.T


def _factor(
    G: NDArray, alpha: float, eigen: Callable[[NDArray], tuple[NDArray, NDArray]]
) -> _Factor:
    """Factor of ``G + alpha unit I``; eigenvectors where the ridge is too weak for Cholesky's."""
    if alpha >= np.sqrt(np.finfo(G.dtype).eps):
        prior = alpha * _unit(G) * np.eye(len(G), dtype=G.dtype)
        with suppress(LinAlgError):
            return _CholeskyFactor(cholesky(G + prior, lower=True, check_finite=False))
    values, vectors = eigen(G)
    return _EigenFactor(values + alpha * _unit(G), vectors)


def _deviations(cov: NDArray, offset: NDArray, mean: NDArray) -> NDArray:
    """Standard deviations of the features, zero where there is nothing but rounding."""
    eps = np.finfo(cov.dtype).eps
    variance = np.diagonal(cov)
    lost = np.sqrt(eps) * offset.astype(cov.dtype) ** 2  # a difference of two sums as large as this
    constant = variance <= np.maximum(lost, (_ROUNDING * eps * mean) ** 2)
    return np.sqrt(np.where(constant, 0, variance))


def _unit(G: NDArray) -> float:
    """Mean eigenvalue, the unit of every regularisation strength; 1 for constant columns alone."""
    return float(np.trace(G)) / len(G) or 1.0


def _eigen(G: NDArray) -> tuple[NDArray, NDArray]:
    values, vectors = _eigh(G)
    floor = max(values[-1], 0) * len(values) * np.finfo(values.dtype).eps
    return np.where(values > floor, values, 0), vectors


def _eigh(G: NDArray) -> tuple[NDArray, NDArray]:
    if len(G) == 1:  # scipy before 1.12 asks for too little room here
        return G[0], np.ones_like(G)
    # Divide and conquer, in half the time of numpy's.
    values, vectors = eigh(G, driver="evd", check_finite=False)
    return values, vectors


def _inverse(values: NDArray) -> NDArray:
    return np.divide(1, values, out=np.zeros_like(values), where=values > 0)

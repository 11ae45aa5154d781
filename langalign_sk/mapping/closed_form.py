"""Second moments of paired rows, and the closed-form maps that they give."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["AffineMap", "Moments", "Solver"]


_TRACE = 1e-3
_BLOCK = 16_384  # rows in the working memory at a time


@dataclass(frozen=True)
class AffineMap:
    """``x @ coef + intercept``."""

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
        counts = np.ones(len(X), dtype=X.dtype) if weight is None else weight.astype(X.dtype)
        total = float(counts.sum(dtype=np.float64))
        if origins is None:
            origins = _origin(X, counts / total), _origin(Y, counts / total)
        sums: list[NDArray] = []
        for start in range(0, len(X), _BLOCK):
            c = counts[start : start + _BLOCK]
            x, y = X[start : start + _BLOCK], Y[start : start + _BLOCK]
            x, y = (A - o if o.any() else A for A, o in zip((x, y), origins, strict=True))
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

    def __sub__(self, other: Moments) -> Moments:
        sums = ("sum_x", "sum_y", "xy", "xx", "yy")
        less = {name: getattr(self, name) - getattr(other, name) for name in sums}
        return replace(self, weight=self.weight - other.weight, **less)


def _origin(X: NDArray, share: NDArray) -> NDArray:
    """The mean, or zero where it is so near that subtracting it afterwards costs no digits."""
    mean = share @ X
    sample = X[:: max(1, len(X) // 1000)]
    size = np.einsum("ij,ij->", sample, sample) / len(sample)
    return np.zeros_like(mean) if 2 * (mean @ mean) <= size else mean


class Solver:
    """Closed-form maps X -> Y and Y -> X of one set of moments.

    Every decomposition is made once, when first asked for, and serves all regularisation
    strengths, powers and ranks. All of it runs in the dtype of the rows. With ``one_map`` a
    single map is wanted, to the last digit: a ridge is then a linear solve, and a Procrustes
    rotation comes from an SVD instead of a cheaper decomposition.
    """

    def __init__(self, moments: Moments, *, one_map: bool = False) -> None:
        self.one_map = one_map
        self._moments = moments
        dtype = moments.x_origin.dtype
        self._dx, self._dy = (m / moments.weight for m in (moments.sum_x, moments.sum_y))
        self.x_mean = (moments.x_origin + self._dx).astype(dtype)
        self.y_mean = (moments.y_origin + self._dy).astype(dtype)
        self.cov_xy = self._covariance(moments.xy, self._dx, self._dy)
        self.square = self.cov_xy.shape[0] == self.cov_xy.shape[1]
        self._correlations: dict[float, tuple[NDArray, ...]] = {}

    def _covariance(self, sums: NDArray | None, d: NDArray, e: NDArray) -> NDArray:
        assert sums is not None
        return (sums / self._moments.weight - np.outer(d, e)).astype(self.x_mean.dtype)

    @cached_property
    def cov_x(self) -> NDArray:
        return self._covariance(self._moments.xx, self._dx, self._dx)

    @cached_property
    def cov_y(self) -> NDArray:
        return self._covariance(self._moments.yy, self._dy, self._dy)

    @cached_property
    def _eigen_x(self) -> tuple[NDArray, NDArray, float]:
        return _eigen(self.cov_x)

    @cached_property
    def _eigen_y(self) -> tuple[NDArray, NDArray, float]:
        return _eigen(self.cov_y)

    @cached_property
    def _cross(self) -> NDArray:
        """The cross-covariance in the two eigenbases."""
        return self._eigen_x[1].T @ self.cov_xy @ self._eigen_y[1]

    def _affine(self, M: NDArray, reverse: bool) -> AffineMap:
        source, target = (self.y_mean, self.x_mean) if reverse else (self.x_mean, self.y_mean)
        return AffineMap(M, target - source @ M)

    def identity(self, reverse: bool = False) -> AffineMap:
        d, dtype = len(self.x_mean), self.x_mean.dtype
        return AffineMap(np.eye(d, dtype=dtype), np.zeros(d, dtype=dtype))

    @cached_property
    def _rotation(self) -> NDArray:
        C = self.cov_xy
        if self.one_map:
            return _exact_polar(C)
        return _polar(C) if C.shape[0] >= C.shape[1] else _polar(C.T).T

    def procrustes(self, reverse: bool = False) -> AffineMap:
        """Centred orthogonal Procrustes; semi-orthogonal for two widths."""
        return self._affine(self._rotation.T if reverse else self._rotation, reverse)

    def ridge(self, alpha: float, reverse: bool = False) -> AffineMap:
        """Ridge shrunk towards the identity, or towards zero where the widths differ."""
        G, C = (self.cov_y, self.cov_xy.T) if reverse else (self.cov_x, self.cov_xy)
        if self.one_map and alpha > 0:
            prior = alpha * (float(np.trace(G)) / len(G) or 1.0) * np.eye(len(G), dtype=G.dtype)
            return self._affine(
                np.linalg.solve(G + prior, C + prior if self.square else C), reverse
            )
        values, vectors, unit = self._eigen_y if reverse else self._eigen_x
        right = vectors.T @ C
        if self.square:
            right += alpha * unit * vectors.T
        return self._affine(vectors @ (right * _inverse(values + alpha * unit)[:, None]), reverse)

    def least_squares(self) -> AffineMap:
        """Least squares from X to Y, with a trace of ridge for columns that are no use."""
        return self._affine(_ridge_to_zero(self.cov_x, self.cov_xy, _TRACE), False)

    def spectral(
        self, alpha: float, power: float, rank: int | None = None, reverse: bool = False
    ) -> AffineMap:
        """(Cx + lI)^-1/2 U S^power V' (Cy + lI)^1/2 and its mirror image."""
        s, K, W, root_x, root_y = self._whitened(alpha)
        # K = U S W', so that U S^p W' = K W S^(p - 1) W'. Squaring K loses what lies below the
        # root of the resolution; there the gain goes to zero linearly.
        gain = np.maximum(s, np.sqrt(np.finfo(s.dtype).eps) * max(s[0], 1e-12)) ** (power - 1)
        core = (K @ (W[:, :rank] * gain[:rank])) @ W[:, :rank].T
        Vx, Vy = self._eigen_x[1], self._eigen_y[1]
        if reverse:
            core = _inverse(root_y)[:, None] * core.T * root_x
            return self._affine(Vy @ core @ Vx.T, reverse)
        core = _inverse(root_x)[:, None] * core * root_y
        return self._affine(Vx @ core @ Vy.T, reverse)

    def canonical(
        self, alpha: float, power: float, rank: int | None = None
    ) -> tuple[AffineMap, AffineMap, AffineMap]:
        """Maps of X and of Y into one space, and of that space to X.

        ``(Cx + lI)^-1/2 U S^power`` and ``(Cy + lI)^-1/2 V S^power``, both centred and stretched
        alike, until the moved rows of Y have the total variance of Y. The map to X is the least
        squares one from the moved rows of Y, with a trace of ridge.
        """
        s, K, W, root_x, root_y = self._whitened(alpha)
        rank = min(rank or len(s), *self.cov_xy.shape)  # beyond, a side has no direction left
        floor = np.sqrt(np.finfo(s.dtype).eps) * max(s[0], 1e-12)
        gain = np.maximum(s, floor)[:rank]
        A = self._eigen_x[1] @ (_inverse(root_x)[:, None] * (K @ W[:, :rank])) * gain ** (power - 1)
        B = self._eigen_y[1] @ (_inverse(root_y)[:, None] * W[:, :rank]) * gain**power
        moved = B.T @ self.cov_y @ B
        size = float(np.trace(moved))
        stretch = np.sqrt(np.trace(self.cov_y) / size) if size > 0 else 1.0
        A, B, moved = A * stretch, B * stretch, moved * stretch**2
        back = _ridge_to_zero(moved, B.T @ self.cov_xy.T, _TRACE)
        return (
            AffineMap(A, -self.x_mean @ A),
            AffineMap(B, -self.y_mean @ B),
            AffineMap(back, self.x_mean),
        )

    def _whitened(self, alpha: float) -> tuple[NDArray, ...]:
        """Singular values, matrix and right vectors of the whitened cross-covariance."""
        if alpha not in self._correlations:
            roots = [np.sqrt(v + alpha * unit) for v, _, unit in (self._eigen_x, self._eigen_y)]
            K = _inverse(roots[0])[:, None] * self._cross * _inverse(roots[1])
            squares, W = np.linalg.eigh(K.T @ K)
            s = np.sqrt(np.clip(squares[::-1], 0, 1))
            self._correlations[alpha] = (s, K, np.ascontiguousarray(W[:, ::-1]), *roots)
        return self._correlations[alpha]

    def match_scale(self, affine: AffineMap, reverse: bool = False) -> AffineMap:
        """The map stretched about the mean until its output has the variance of its target."""
        source, wanted = (self.cov_y, self.cov_x) if reverse else (self.cov_x, self.cov_y)
        have = float(np.einsum("ij,ij->", source @ affine.coef, affine.coef))
        if have <= 0:
            return affine
        return self._affine(affine.coef * np.sqrt(np.trace(wanted) / have), reverse)


def _ridge_to_zero(G: NDArray, C: NDArray, alpha: float) -> NDArray:
    unit = float(np.trace(G)) / len(G) or 1.0
    return np.linalg.solve(G + alpha * unit * np.eye(len(G), dtype=G.dtype), C)


def _eigen(cov: NDArray) -> tuple[NDArray, NDArray, float]:
    values, vectors = np.linalg.eigh(cov)
    floor = max(values[-1], 0) * len(values) * np.finfo(values.dtype).eps
    values = np.where(values > floor, values, 0)
    # The mean eigenvalue is the unit of every regularisation strength; constant columns alone
    # would make it zero.
    return values, vectors, float(values.mean()) or 1.0


def _polar(C: NDArray) -> NDArray:
    """The nearest matrix with orthonormal columns, U V' of C = U S V'."""
    squares, V = np.linalg.eigh(C.T @ C)
    floor = 4 * np.finfo(C.dtype).eps * max(squares[-1], 0)
    if squares[0] > floor:
        Q = (C @ (V / np.sqrt(squares))) @ V.T
        # Newton-Schulz steps make it orthogonal where enough digits are left (Higham,
        # "Functions of Matrices", 2008, section 8.3), at half the price of an SVD. The digits
        # that squaring C cost are gone, which a comparison of maps does not see.
        for _ in range(4):
            error = Q.T @ Q - np.eye(len(V), dtype=C.dtype)
            size = np.linalg.norm(error)
            if size > 0.5:
                break
            Q = Q - 0.5 * Q @ error
            if size < 1e-3:
                return Q
    return _exact_polar(C)


def _exact_polar(C: NDArray) -> NDArray:
    U, _, Vt = np.linalg.svd(C, full_matrices=False)
    return U @ Vt


def _inverse(values: NDArray) -> NDArray:
    return np.divide(1, values, out=np.zeros_like(values), where=values > 0)

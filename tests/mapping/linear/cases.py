"""Pairs and formulas of the tests of closed forms."""

import numpy as np

from langalign_sk.mapping import LinearAligner

FIXED = [
    LinearAligner("identity"),
    LinearAligner("centre"),
    LinearAligner("scale"),
    LinearAligner("procrustes"),
    LinearAligner("ridge", alpha=0.5),
    LinearAligner("spectral", alpha=0.1, power=0.5),
    LinearAligner("spectral", alpha=0.1, power=0.5, rank=2, match_scale=True),
]


def random_pairs(n=60, dx=5, dy=5, seed=0):
    """Y is a noisy linear map of X; neither is centred, no column is like another."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dx)) * np.linspace(0.5, 2, dx) + rng.normal(size=dx)
    Y = X @ rng.normal(size=(dx, dy)) + 0.5 * rng.normal(size=(n, dy)) + 3
    return X, Y


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def assert_maps_equal(a, b, **tolerance):
    for name in ("coef_", "intercept_", "inverse_coef_", "inverse_intercept_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), **tolerance)


def weights_of(n, seed=3):
    return np.random.default_rng(seed).integers(0, 4, size=n)


def noisy_copy(n=200, d=16, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X + noise * rng.normal(size=(n, d))


def spoilt(A, value):
    A = A.copy()
    A[3, 3] = value
    return A

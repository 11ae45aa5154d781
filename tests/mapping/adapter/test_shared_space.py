"""Adapters of both sides into a shared space."""

import numpy as np
import pytest

from langalign_sk.mapping import LinearAligner
from tests.mapping.adapter.cases import NO_STEP, adapter, noisy_pairs, recall, unit_rows
from tests.mapping.close import assert_close


def shared_pairs(n=150, seed=0, dx=8, dy=6):
    """Both sides are noisy images of the same six numbers."""
    rng, draw = np.random.default_rng(seed), np.random.default_rng(99)
    meaning = rng.normal(size=(n, 6))
    sides = []
    for d, mean in ((dx, 2), (dy, -1)):
        columns = np.linalg.qr(draw.normal(size=(max(d, 6), min(d, 6))))[0]
        image = columns.T if d > 6 else columns
        sides.append(2 * meaning @ image + 0.2 * rng.normal(size=(n, d)) + mean)
    return sides[0], sides[1]


@pytest.mark.parametrize("params", [{}, {"adapter_dim": 4}, {"rank": 2}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shared_space_brings_translations_together(params, dtype):
    X, Y = (A.astype(dtype) for A in shared_pairs())
    new_X, new_Y = (A.astype(dtype) for A in shared_pairs(seed=1))
    aligner = adapter(shared=True, **params).fit(X, Y)
    A, B = aligner.transform(new_X), aligner.transform_counterparts(new_Y)
    assert A.shape == B.shape == (150, 6)
    assert {A.dtype, B.dtype} == {np.dtype(dtype)}
    cosines = unit_rows(A) @ unit_rows(B).T
    assert np.diag(cosines).mean() > 0.9
    assert abs(cosines[~np.eye(150, dtype=bool)].mean()) < 0.1
    assert recall(A, B) > 0.95
    assert aligner.score(new_X, new_Y) == pytest.approx(recall(A, B))
    assert aligner.start_ == "spectral"


def test_score_of_a_shared_space_is_not_that_of_the_rows_of_y():
    X, Y = shared_pairs(dx=6)
    aligner = adapter(shared=True).fit(X, Y)
    assert aligner.score(X, Y) > 0.9 > recall(aligner.transform(X), Y)


def test_way_back_from_the_shared_space():
    X, Y = shared_pairs()
    aligner = adapter(shared=True, adapter_dim=4).fit(X, Y)
    back = aligner.inverse_transform(aligner.transform(X))
    assert back.shape == X.shape
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(back.T, X.T, strict=True)]
    assert min(correlations) > 0.9
    # It is the least-squares map from the moved rows of y, but for a trace of ridge.
    Z = np.column_stack([aligner.transform_counterparts(Y), np.ones(len(Y))])
    expected = Z @ np.linalg.lstsq(Z, X, rcond=None)[0]
    moved_back = aligner.inverse_transform(aligner.transform_counterparts(Y))
    assert_close(moved_back, expected, 0.05)


@pytest.mark.parametrize(
    ("dx", "dy"),
    [(8, 6), (6, 8)],
)
def test_shared_space_is_as_wide_as_the_narrower_side(dx, dy):
    X, Y = noisy_pairs(80, dx, dy)
    for aligner in (adapter(shared=True), adapter(shared=True, adapter_dim=4)):
        aligner.fit(X, Y)
        assert aligner.transform(X).shape == aligner.transform_counterparts(Y).shape == (80, 6)


def canonical_variates(X, Y):
    """Variates of unit variance, and their correlations, by QR and SVD."""
    Qx, Qy = (np.linalg.qr(A - A.mean(axis=0))[0] for A in (X, Y))
    U, s, Vt = np.linalg.svd(Qx.T @ Qy, full_matrices=False)
    return Qx @ U * np.sqrt(len(X)), Qy @ Vt.T * np.sqrt(len(X)), s


WIDTHS = pytest.mark.parametrize(
    ("dx", "dy"),
    [(5, 5), (7, 4), (4, 7)],
)


@WIDTHS
@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_linear_shared_space_is_canonical_correlation_analysis(dx, dy, power):
    X, Y = shared_pairs(dx=dx, dy=dy)
    aligner = LinearAligner(shared=True, alpha=0, power=power).fit(X, Y)
    A, B = aligner.transform(X), aligner.transform_counterparts(Y)
    assert A.shape == B.shape == (150, min(dx, dy))
    Zx, Zy, s = canonical_variates(X, Y)
    stretch = np.sqrt(Y.var(axis=0).sum() / (s ** (2 * power)).sum())
    # Inner products do not see the signs of the variates.
    assert_close(A @ B.T, (Zx * s ** (2 * power)) @ Zy.T * stretch**2, 1e-6)
    assert aligner.score(X, Y) == pytest.approx(recall(Zx * s**power, Zy * s**power))


@pytest.mark.parametrize(("dx", "dy"), [(5, 5), (7, 4), (4, 7)])
@pytest.mark.parametrize(("alpha", "power"), [(0, 0), (0, 1), (1.0, 0.5)])
@pytest.mark.parametrize("rank", [None, 2])
def test_linear_shared_space_is_centred_with_the_variance_of_y(dx, dy, alpha, power, rank):
    X, Y = shared_pairs(dx=dx, dy=dy)
    aligner = LinearAligner(shared=True, alpha=alpha, power=power, rank=rank).fit(X, Y)
    A, B = aligner.transform(X), aligner.transform_counterparts(Y)
    if rank is not None:
        assert A.shape == B.shape == (150, rank)
    np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(B.mean(axis=0), 0, atol=1e-9)
    assert B.var(axis=0).sum() == pytest.approx(Y.var(axis=0).sum())
    back = aligner.inverse_transform(B)
    assert back.shape == X.shape
    assert_close(back.mean(axis=0), X.mean(axis=0), 1e-9)


@WIDTHS
def test_linear_canonical_variates_are_uncorrelated_and_of_one_variance(dx, dy):
    X, Y = shared_pairs(dx=dx, dy=dy)
    aligner = LinearAligner(shared=True, alpha=0, power=0).fit(X, Y)
    A, B = aligner.transform(X), aligner.transform_counterparts(Y)
    k = min(dx, dy)
    variance = Y.var(axis=0).sum() / k
    for moved in (A, B):
        assert_close(moved.T @ moved / len(X), variance * np.eye(k), 1e-7)
    s = canonical_variates(X, Y)[2]
    assert_close(A.T @ B / len(X), variance * np.diag(s), 1e-7)


def test_linear_shared_space_with_ridge():
    X, Y = shared_pairs()
    x, y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    roots = []
    for rows in (x, y):
        C = rows.T @ rows / len(rows)
        values, vectors = np.linalg.eigh(C + 0.5 * np.trace(C) / len(C) * np.eye(len(C)))
        roots.append((vectors / np.sqrt(values)) @ vectors.T)
    U, s, Vt = np.linalg.svd(roots[0] @ (x.T @ y / len(x)) @ roots[1], full_matrices=False)
    A, B = x @ roots[0] @ U * s**0.7, y @ roots[1] @ Vt.T * s**0.7
    stretch = np.sqrt(y.var(axis=0).sum() / B.var(axis=0).sum())
    aligner = LinearAligner(shared=True, alpha=0.5, power=0.7).fit(X, Y)
    moved = aligner.transform(X) @ aligner.transform_counterparts(Y).T
    assert_close(moved, stretch**2 * A @ B.T, 1e-8)


def test_shared_start_is_the_linear_shared_space():
    X, Y = shared_pairs()
    params = {"shared": True, "early_stopping": False, "learning_rate": NO_STEP}
    aligner = adapter(**params).fit(X, Y)
    linear = LinearAligner(shared=True).fit(X, Y)
    assert_close(aligner.transform(X), linear.transform(X), 1e-4)
    assert_close(aligner.transform_counterparts(Y), linear.transform_counterparts(Y), 1e-4)

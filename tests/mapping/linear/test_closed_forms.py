"""Closed forms against formulas that are computed directly."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from langalign_sk.mapping import LinearAligner
from tests.mapping.close import assert_close
from tests.mapping.linear.cases import FIXED, assert_maps_equal, random_pairs, rotation, weights_of

TWO_WIDTHS = [a for a in FIXED if a.method not in ("identity", "centre", "scale")]


def centred(*arrays):
    return [A - A.mean(axis=0) for A in arrays]


def covariances(X, Y):
    """Cx, Cy and Cxy with 1 / n."""
    Xc, Yc = centred(X, Y)
    return [A.T @ B / len(X) for A, B in ((Xc, Xc), (Yc, Yc), (Xc, Yc))]


def unit(C):
    return np.trace(C) / len(C) * np.eye(len(C))


def matrix_power(C, exponent):
    values, vectors = np.linalg.eigh(C)
    return (vectors * values**exponent) @ vectors.T


def ridge_formula(X, Y, alpha):
    G, _, C = covariances(X, Y)
    prior = alpha * unit(G)
    return np.linalg.inv(G + prior) @ (C + prior if G.shape == C.shape else C)


def spectral_formula(X, Y, alpha, power, rank=None):
    Cx, Cy, Cxy = covariances(X, Y)
    Lx, Ly = Cx + alpha * unit(Cx), Cy + alpha * unit(Cy)
    U, s, Vt = np.linalg.svd(matrix_power(Lx, -0.5) @ Cxy @ matrix_power(Ly, -0.5))
    r = rank or len(s)
    core = U[:, :r] * s[:r] ** power @ Vt[:r]
    return matrix_power(Lx, -0.5) @ core @ matrix_power(Ly, 0.5)


# Formulas


WIDTHS = pytest.mark.parametrize(("dx", "dy"), [(5, 5), (6, 3), (3, 6), (1, 1)])


@WIDTHS
def test_ridge_without_strength_is_least_squares(dx, dy):
    X, Y = random_pairs(dx=dx, dy=dy)
    aligner = LinearAligner("ridge", alpha=0).fit(X, Y)
    Xc, Yc = centred(X, Y)
    coef = np.linalg.lstsq(Xc, Yc, rcond=None)[0]
    assert_close(aligner.coef_, coef, 1e-10)
    assert_close(aligner.transform(X), Xc @ coef + Y.mean(axis=0), 1e-10)


@WIDTHS
@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0])
def test_ridge_equals_its_formula(dx, dy, alpha):
    X, Y = random_pairs(dx=dx, dy=dy)
    aligner = LinearAligner("ridge", alpha=alpha).fit(X, Y)
    assert_close(aligner.coef_, ridge_formula(X, Y, alpha), 1e-10)
    assert_close(aligner.inverse_coef_, ridge_formula(Y, X, alpha), 1e-10)


@pytest.mark.parametrize("n", [2, 4])
def test_ridge_without_strength_of_few_rows_has_least_norm_towards_zero(n):
    X, Y = random_pairs(n, dx=6, dy=4)
    Xc, Yc = centred(X, Y)
    coef = LinearAligner("ridge", alpha=0).fit(X, Y).coef_
    assert_close(coef, np.linalg.pinv(Xc) @ Yc, 1e-8)


def test_strong_ridge_moves_the_means_only():
    X, Y = random_pairs()
    aligner = LinearAligner("ridge", alpha=1e9).fit(X, Y)
    shift = Y.mean(axis=0) - X.mean(axis=0)
    assert_close(aligner.transform(X), X + shift, 1e-6)
    assert_close(aligner.inverse_transform(Y), Y - shift, 1e-6)


def test_strong_ridge_between_two_widths_gives_the_mean():
    X, Y = random_pairs(dy=3)
    moved = LinearAligner("ridge", alpha=1e9).fit(X, Y).transform(X)
    assert_close(moved, np.tile(Y.mean(axis=0), (len(X), 1)), 1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_procrustes_finds_a_rotation(dtype):
    X = random_pairs()[0].astype(dtype)
    R = rotation(5).astype(dtype)
    shift = np.arange(5, dtype=dtype)
    aligner = LinearAligner("procrustes").fit(X, X @ R + shift)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert_close(aligner.coef_, R, tolerance)
    assert_close(aligner.intercept_, shift, 10 * tolerance)


def test_procrustes_equals_scipy():
    X, Y = random_pairs(dx=8, dy=8)
    R, _ = orthogonal_procrustes(*centred(X, Y))
    assert_close(LinearAligner("procrustes").fit(X, Y).coef_, R, 1e-10)


@pytest.mark.parametrize(
    ("n", "dx", "dy", "x_rank"),
    [
        (60, 5, 5, 5),
        (4, 9, 9, 9),  # fewer rows than columns
        (2, 3, 3, 3),
        (60, 6, 6, 2),  # constant columns
        (60, 8, 3, 8),
        (60, 3, 8, 3),
        (4, 9, 6, 9),
        (4, 6, 9, 6),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_procrustes_is_orthogonal(n, dx, dy, x_rank, dtype):
    X, Y = random_pairs(n, dx, dy)
    X[:, x_rank:] = 1
    aligner = LinearAligner("procrustes").fit(X.astype(dtype), Y.astype(dtype))
    M = aligner.coef_ if dx >= dy else aligner.coef_.T
    tolerance = 1e-5 if dtype == np.float32 else 1e-10
    assert_close(M.T @ M, np.eye(min(dx, dy)), tolerance)
    np.testing.assert_array_equal(aligner.inverse_coef_, aligner.coef_.T)


@pytest.mark.parametrize(("dx", "dy"), [(7, 4), (4, 7)])
def test_procrustes_between_two_widths_is_the_polar_factor(dx, dy):
    X, Y = random_pairs(dx=dx, dy=dy)
    U, _, Vt = np.linalg.svd(covariances(X, Y)[2], full_matrices=False)
    assert_close(LinearAligner("procrustes").fit(X, Y).coef_, U @ Vt, 1e-10)


@WIDTHS
@pytest.mark.parametrize("power", [0.25, 1, 2])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_spectral_equals_its_formula(dx, dy, power, alpha):
    X, Y = random_pairs(dx=dx, dy=dy)
    if alpha == 0 and dx < dy:
        Y = np.random.default_rng(1).normal(size=Y.shape) + X[:, :1]  # of full rank
    aligner = LinearAligner("spectral", alpha=alpha, power=power).fit(X, Y)
    there = spectral_formula(X, Y, alpha, power)
    assert_close(aligner.coef_, there, 1e-8)
    assert_close(aligner.inverse_coef_, spectral_formula(Y, X, alpha, power), 1e-8)
    np.testing.assert_allclose(aligner.transform(X).mean(axis=0), Y.mean(axis=0))


@WIDTHS
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_spectral_of_power_one_is_ridge_towards_zero(dx, dy, alpha):
    # M = Lx^-1/2 (Lx^-1/2 Cxy Ly^-1/2) Ly^1/2 = (Cx + l I)^-1 Cxy.
    X, Y = random_pairs(dx=dx, dy=dy)
    Cx, _, Cxy = covariances(X, Y)
    coef = LinearAligner("spectral", alpha=alpha, power=1).fit(X, Y).coef_
    assert_close(coef, np.linalg.solve(Cx + alpha * unit(Cx), Cxy), 1e-10)


def test_spectral_of_power_zero_recolours():
    X, Y = random_pairs()
    aligner = LinearAligner("spectral", alpha=0, power=0).fit(X, Y)
    assert_close(np.cov(aligner.transform(X).T), np.cov(Y.T), 1e-8)
    assert_close(np.cov(aligner.inverse_transform(Y).T), np.cov(X.T), 1e-8)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_spectral_keeps_the_first_directions(rank):
    X, Y = random_pairs(dx=6, dy=4)
    aligner = LinearAligner("spectral", alpha=0.1, power=0.5, rank=rank).fit(X, Y)
    assert np.linalg.matrix_rank(aligner.coef_) == rank
    assert_close(aligner.coef_, spectral_formula(X, Y, 0.1, 0.5, rank), 1e-9)
    assert aligner.rank_ == rank


def test_identity_leaves_rows_as_they_are():
    X, Y = random_pairs()
    aligner = LinearAligner("identity").fit(X, Y)
    np.testing.assert_array_equal(aligner.transform(X), X)
    np.testing.assert_array_equal(aligner.inverse_transform(Y), Y)


@pytest.mark.parametrize("aligner", TWO_WIDTHS)
@pytest.mark.parametrize(("dx", "dy"), [(5, 5), (6, 3), (3, 6)])
def test_map_back_is_the_map_from_y_to_x(aligner, dx, dy):
    X, Y = random_pairs(dx=dx, dy=dy)
    there, back = clone(aligner).fit(X, Y), clone(aligner).fit(Y, X)
    assert_close(there.inverse_transform(Y), back.transform(Y), 1e-8)
    assert_close(there.transform(X), back.inverse_transform(X), 1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_centre_moves_by_the_difference_of_the_means(weighted):
    X, Y = random_pairs()
    weight = weights_of(len(X)) if weighted else None
    aligner = LinearAligner("centre").fit(X, Y, weight)
    shift = np.average(Y, axis=0, weights=weight) - np.average(X, axis=0, weights=weight)
    np.testing.assert_array_equal(aligner.coef_, np.eye(5))
    assert_close(aligner.transform(X), X + shift, 1e-12)
    assert_close(aligner.inverse_transform(Y), Y - shift, 1e-12)
    assert (aligner.method_, aligner.alpha_, aligner.power_, aligner.rank_) == (
        "centre",
        *3 * [None],
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_scale_stretches_every_feature_about_its_mean(weighted):
    X, Y = random_pairs()
    w = weights_of(len(X)) if weighted else np.ones(len(X), dtype=int)
    aligner = LinearAligner("scale").fit(X, Y, w if weighted else None)
    X_seen, Y_seen = np.repeat(X, w, axis=0), np.repeat(Y, w, axis=0)
    of_x, of_y = StandardScaler().fit(X_seen), StandardScaler().fit(Y_seen)
    assert_close(aligner.transform(X), of_y.inverse_transform(of_x.transform(X)), 1e-12)
    assert_close(aligner.inverse_transform(Y), of_x.inverse_transform(of_y.transform(Y)), 1e-12)
    assert np.count_nonzero(aligner.coef_) == 5
    assert (aligner.method_, aligner.alpha_, aligner.power_, aligner.rank_) == (
        "scale",
        *3 * [None],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e4, 1e-9])
@pytest.mark.parametrize("side", [0, 1])
def test_constant_features_keep_their_scale(side, value, dtype):
    sides = random_pairs(3_000)
    sides[side][:, 2] = value
    X, Y = (A.astype(dtype) for A in sides)
    with np.errstate(all="raise"):
        aligner = LinearAligner("scale").fit(X, Y)
    assert (aligner.coef_[2, 2], aligner.inverse_coef_[2, 2]) == (1, 1)
    others = [0, 1, 3, 4]
    expected = Y[:, others].std(axis=0, dtype=float) / X[:, others].std(axis=0, dtype=float)
    assert_close(np.diag(aligner.coef_)[others], expected, 1e-3 if dtype == np.float32 else 1e-9)
    assert_close(aligner.transform(X).mean(axis=0), Y.mean(axis=0), 1e-3)


def test_rows_that_are_all_the_same_move_by_a_shift():
    X, Y = np.full((30, 4), 0.3, np.float32), np.full((30, 4), -0.7, np.float32)
    aligner = LinearAligner("scale").fit(X, Y)
    assert_close(aligner.transform(X), Y, 1e-6)
    assert np.isfinite(aligner.inverse_coef_).all()


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_small_features_beside_large_ones_are_not_constant(unit):
    X, Y = random_pairs(1_000)
    scales = np.array([unit, 1, 1, 1, 1])
    plain, scaled = (LinearAligner("scale").fit(X * s, Y) for s in (np.ones(5), scales))
    assert_close(scaled.coef_ * scales[:, None], plain.coef_, 1e-9)


@pytest.mark.parametrize("method", ["identity", "centre", "scale", "procrustes"])
def test_map_back_is_the_inverse(method):
    X, Y = random_pairs()
    aligner = LinearAligner(method).fit(X, Y)
    assert_close(aligner.inverse_transform(aligner.transform(X)), X, 1e-12)


@pytest.mark.parametrize("aligner", FIXED)
def test_matched_scale_has_the_variance_of_the_target(aligner):
    X, Y = random_pairs()
    matched = clone(aligner).set_params(match_scale=True).fit(X, Y)
    plain = clone(aligner).set_params(match_scale=False).fit(X, Y)
    assert matched.transform(X).var(axis=0).sum() == pytest.approx(Y.var(axis=0).sum())
    assert matched.inverse_transform(Y).var(axis=0).sum() == pytest.approx(X.var(axis=0).sum())
    np.testing.assert_allclose(matched.transform(X).mean(axis=0), Y.mean(axis=0))
    stretch = matched.coef_[0, 0] / plain.coef_[0, 0]
    assert_close(matched.coef_, stretch * plain.coef_, 1e-12)


# Sample weights


@pytest.mark.parametrize("aligner", FIXED)
def test_integer_weights_repeat_rows(aligner):
    X, Y = random_pairs()
    w = weights_of(len(X))
    weighted = clone(aligner).fit(X, Y, sample_weight=w)
    repeated = clone(aligner).fit(np.repeat(X, w, axis=0), np.repeat(Y, w, axis=0))
    assert_maps_equal(weighted, repeated, atol=1e-8)


@pytest.mark.parametrize("aligner", FIXED)
def test_zero_weights_leave_rows_out(aligner):
    X, Y = random_pairs()
    w = np.arange(len(X)) % 3 > 0
    spoilt = np.where(w[:, None], Y, 1e3)
    weighted = clone(aligner).fit(X, spoilt, sample_weight=w)
    assert_maps_equal(weighted, clone(aligner).fit(X[w], Y[w]), atol=1e-8)


@pytest.mark.parametrize("aligner", FIXED)
def test_weights_have_no_scale(aligner):
    X, Y = random_pairs()
    w = weights_of(len(X))
    weighted = clone(aligner).fit(X, Y, sample_weight=w)
    assert_maps_equal(weighted, clone(aligner).fit(X, Y, sample_weight=w / 7), atol=1e-8)
    even = clone(aligner).fit(X, Y, sample_weight=2.0)
    assert_maps_equal(even, clone(aligner).fit(X, Y), atol=1e-8)


# Types


@pytest.mark.parametrize("aligner", [LinearAligner(random_state=0), *FIXED])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(aligner, dtype):
    X, Y = (A.astype(dtype) for A in random_pairs())
    aligner = clone(aligner).fit(X, Y)
    made = [aligner.coef_, aligner.intercept_, aligner.inverse_coef_, aligner.inverse_intercept_]
    made += [aligner.transform(X), aligner.inverse_transform(Y)]
    assert {array.dtype for array in made} == {np.dtype(dtype)}


@pytest.mark.parametrize("aligner", FIXED)
def test_float32_is_near_float64(aligner):
    X, Y = random_pairs()
    exact = clone(aligner).fit(X, Y).transform(X)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    assert_close(clone(aligner).fit(X, Y).transform(X), exact, 1e-3)


def test_integers_and_lists_are_taken_as_float64():
    X, Y = [[0, 1], [2, 1], [3, 5]], [[1, 0], [1, 2], [5, 3]]
    moved = LinearAligner("procrustes").fit(X, Y).transform(X)
    assert_close(moved, Y, 1e-12)
    assert moved.dtype == np.float64


def test_large_means_cost_no_digits():
    X, Y = random_pairs()
    near = LinearAligner("ridge", alpha=0.1).fit(X, Y)
    far = LinearAligner("ridge", alpha=0.1).fit(X + 1e6, Y - 1e6)
    assert_close(far.coef_, near.coef_, 1e-7)

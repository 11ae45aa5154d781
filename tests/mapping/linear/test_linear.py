"""Tests of LinearAligner, against formulas computed directly and the estimator contract."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy.linalg import orthogonal_procrustes
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from langalign_sk.mapping import LinearAligner
from langalign_sk.metrics import retrieval_recall_score

FIXED = [
    LinearAligner("identity"),
    LinearAligner("procrustes"),
    LinearAligner("ridge", alpha=0.5),
    LinearAligner("spectral", alpha=0.1, power=0.5),
    LinearAligner("spectral", alpha=0.1, power=0.5, rank=2, match_scale=True),
]
TWO_WIDTHS = FIXED[1:]


def random_pairs(n=60, dx=5, dy=5, seed=0):
    """Y is a noisy linear map of X; neither is centred, no column is like another."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dx)) * np.linspace(0.5, 2, dx) + rng.normal(size=dx)
    Y = X @ rng.normal(size=(dx, dy)) + 0.5 * rng.normal(size=(n, dy)) + 3
    return X, Y


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


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


def assert_maps_equal(a, b, **tolerance):
    for name in ("coef_", "intercept_", "inverse_coef_", "inverse_intercept_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), **tolerance)


def weights_of(n, seed=3):
    return np.random.default_rng(seed).integers(0, 4, size=n)


# Formulas

WIDTHS = pytest.mark.parametrize(("dx", "dy"), [(5, 5), (6, 3), (3, 6), (1, 1)])


@WIDTHS
def test_ridge_without_strength_is_least_squares(dx, dy):
    X, Y = random_pairs(dx=dx, dy=dy)
    aligner = LinearAligner("ridge", alpha=0).fit(X, Y)
    Xc, Yc = centred(X, Y)
    coef = np.linalg.lstsq(Xc, Yc, rcond=None)[0]
    np.testing.assert_allclose(aligner.coef_, coef, atol=1e-10)
    np.testing.assert_allclose(aligner.transform(X), Xc @ coef + Y.mean(axis=0), atol=1e-10)


@WIDTHS
@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0])
def test_ridge_equals_its_formula(dx, dy, alpha):
    X, Y = random_pairs(dx=dx, dy=dy)
    aligner = LinearAligner("ridge", alpha=alpha).fit(X, Y)
    np.testing.assert_allclose(aligner.coef_, ridge_formula(X, Y, alpha), atol=1e-10)
    np.testing.assert_allclose(aligner.inverse_coef_, ridge_formula(Y, X, alpha), atol=1e-10)


@pytest.mark.parametrize("n", [2, 4])
def test_ridge_without_strength_of_few_rows_has_least_norm_towards_zero(n):
    X, Y = random_pairs(n, dx=6, dy=4)
    Xc, Yc = centred(X, Y)
    coef = LinearAligner("ridge", alpha=0).fit(X, Y).coef_
    np.testing.assert_allclose(coef, np.linalg.pinv(Xc) @ Yc, atol=1e-8)


def test_strong_ridge_moves_the_means_only():
    X, Y = random_pairs()
    aligner = LinearAligner("ridge", alpha=1e9).fit(X, Y)
    shift = Y.mean(axis=0) - X.mean(axis=0)
    np.testing.assert_allclose(aligner.transform(X), X + shift, atol=1e-6)
    np.testing.assert_allclose(aligner.inverse_transform(Y), Y - shift, atol=1e-6)


def test_strong_ridge_between_two_widths_gives_the_mean():
    X, Y = random_pairs(dy=3)
    moved = LinearAligner("ridge", alpha=1e9).fit(X, Y).transform(X)
    np.testing.assert_allclose(moved, np.tile(Y.mean(axis=0), (len(X), 1)), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_procrustes_finds_a_rotation(dtype):
    X = random_pairs()[0].astype(dtype)
    R = rotation(5).astype(dtype)
    shift = np.arange(5, dtype=dtype)
    aligner = LinearAligner("procrustes").fit(X, X @ R + shift)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(aligner.coef_, R, atol=tolerance)
    np.testing.assert_allclose(aligner.intercept_, shift, atol=10 * tolerance)


def test_procrustes_equals_scipy():
    X, Y = random_pairs(dx=8, dy=8)
    R, _ = orthogonal_procrustes(*centred(X, Y))
    np.testing.assert_allclose(LinearAligner("procrustes").fit(X, Y).coef_, R, atol=1e-10)


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
    np.testing.assert_allclose(M.T @ M, np.eye(min(dx, dy)), atol=tolerance)
    np.testing.assert_array_equal(aligner.inverse_coef_, aligner.coef_.T)


@pytest.mark.parametrize(("dx", "dy"), [(7, 4), (4, 7)])
def test_procrustes_between_two_widths_is_the_polar_factor(dx, dy):
    X, Y = random_pairs(dx=dx, dy=dy)
    U, _, Vt = np.linalg.svd(covariances(X, Y)[2], full_matrices=False)
    np.testing.assert_allclose(LinearAligner("procrustes").fit(X, Y).coef_, U @ Vt, atol=1e-10)


@WIDTHS
@pytest.mark.parametrize("power", [0.25, 1, 2])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_spectral_equals_its_formula(dx, dy, power, alpha):
    X, Y = random_pairs(dx=dx, dy=dy)
    if alpha == 0 and dx < dy:
        Y = np.random.default_rng(1).normal(size=Y.shape) + X[:, :1]  # of full rank
    aligner = LinearAligner("spectral", alpha=alpha, power=power).fit(X, Y)
    there = spectral_formula(X, Y, alpha, power)
    np.testing.assert_allclose(aligner.coef_, there, atol=1e-8)
    np.testing.assert_allclose(
        aligner.inverse_coef_, spectral_formula(Y, X, alpha, power), atol=1e-8
    )
    np.testing.assert_allclose(aligner.transform(X).mean(axis=0), Y.mean(axis=0))


@WIDTHS
@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_spectral_of_power_one_is_ridge_towards_zero(dx, dy, alpha):
    # M = Lx^-1/2 (Lx^-1/2 Cxy Ly^-1/2) Ly^1/2 = (Cx + l I)^-1 Cxy.
    X, Y = random_pairs(dx=dx, dy=dy)
    Cx, _, Cxy = covariances(X, Y)
    coef = LinearAligner("spectral", alpha=alpha, power=1).fit(X, Y).coef_
    np.testing.assert_allclose(coef, np.linalg.solve(Cx + alpha * unit(Cx), Cxy), atol=1e-10)


def test_spectral_of_power_zero_recolours():
    X, Y = random_pairs()
    aligner = LinearAligner("spectral", alpha=0, power=0).fit(X, Y)
    np.testing.assert_allclose(np.cov(aligner.transform(X).T), np.cov(Y.T), atol=1e-8)
    np.testing.assert_allclose(np.cov(aligner.inverse_transform(Y).T), np.cov(X.T), atol=1e-8)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_spectral_keeps_the_first_directions(rank):
    X, Y = random_pairs(dx=6, dy=4)
    aligner = LinearAligner("spectral", alpha=0.1, power=0.5, rank=rank).fit(X, Y)
    assert np.linalg.matrix_rank(aligner.coef_) == rank
    np.testing.assert_allclose(aligner.coef_, spectral_formula(X, Y, 0.1, 0.5, rank), atol=1e-9)
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
    np.testing.assert_allclose(there.inverse_transform(Y), back.transform(Y), atol=1e-8)
    np.testing.assert_allclose(there.transform(X), back.inverse_transform(X), atol=1e-8)


@pytest.mark.parametrize("method", ["identity", "procrustes"])
def test_map_back_is_the_inverse(method):
    X, Y = random_pairs()
    aligner = LinearAligner(method).fit(X, Y)
    np.testing.assert_allclose(aligner.inverse_transform(aligner.transform(X)), X, atol=1e-12)


@pytest.mark.parametrize("aligner", FIXED)
def test_matched_scale_has_the_variance_of_the_target(aligner):
    X, Y = random_pairs()
    matched = clone(aligner).set_params(match_scale=True).fit(X, Y)
    plain = clone(aligner).set_params(match_scale=False).fit(X, Y)
    assert matched.transform(X).var(axis=0).sum() == pytest.approx(Y.var(axis=0).sum())
    assert matched.inverse_transform(Y).var(axis=0).sum() == pytest.approx(X.var(axis=0).sum())
    np.testing.assert_allclose(matched.transform(X).mean(axis=0), Y.mean(axis=0))
    stretch = matched.coef_[0, 0] / plain.coef_[0, 0]
    np.testing.assert_allclose(matched.coef_, stretch * plain.coef_, atol=1e-12)


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
    np.testing.assert_allclose(clone(aligner).fit(X, Y).transform(X), exact, atol=1e-3)


def test_integers_and_lists_are_taken_as_float64():
    X, Y = [[0, 1], [2, 1], [3, 5]], [[1, 0], [1, 2], [5, 3]]
    moved = LinearAligner("procrustes").fit(X, Y).transform(X)
    np.testing.assert_allclose(moved, Y, atol=1e-12)
    assert moved.dtype == np.float64


def test_large_means_cost_no_digits():
    X, Y = random_pairs()
    near = LinearAligner("ridge", alpha=0.1).fit(X, Y)
    far = LinearAligner("ridge", alpha=0.1).fit(X + 1e6, Y - 1e6)
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-7)


# Automatic choice


def noisy_copy(n=200, d=16, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X + noise * rng.normal(size=(n, d))


def chosen_row(aligner):
    """Index of the settings in use in cv_results_."""
    results, settings = aligner.cv_results_, ("method", "alpha", "power", "rank")
    used = tuple(getattr(aligner, f"{name}_") for name in settings)
    return list(zip(*(results[name] for name in settings), strict=True)).index(used)


def test_auto_takes_the_identity_where_both_sides_are_equal():
    X, _ = noisy_copy()
    aligner = LinearAligner(random_state=0).fit(X, X)
    assert aligner.method_ == "identity"
    assert (aligner.alpha_, aligner.power_, aligner.rank_) == (None, None, None)
    np.testing.assert_array_equal(aligner.transform(X), X)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_auto_is_not_worse_than_the_identity(seed, noise):
    aligner = LinearAligner(random_state=seed).fit(*noisy_copy(60, 8, noise, seed))
    results = aligner.cv_results_
    assert results["method"][0] == "identity"
    assert results["held_out_recall"][chosen_row(aligner)] >= results["held_out_recall"][0]


def test_auto_finds_a_rotation():
    X, Y = noisy_copy()
    R = rotation(16)
    aligner = LinearAligner(random_state=0).fit(X, Y @ R)
    assert aligner.method_ in ("procrustes", "spectral")
    assert retrieval_recall_score(X, Y @ R) < 0.1
    new_X, new_Y = noisy_copy(seed=1)
    assert aligner.score(new_X, new_Y @ R) > 0.9


def test_auto_between_two_widths():
    X, Y = noisy_copy()
    aligner = LinearAligner(random_state=0).fit(X, Y @ rotation(16)[:, :10])
    assert "identity" not in aligner.cv_results_["method"]
    assert aligner.transform(X).shape == (200, 10)
    assert aligner.inverse_transform(Y[:, :10]).shape == (200, 16)
    assert aligner.score(X, Y @ rotation(16)[:, :10]) > 0.9


@pytest.mark.parametrize("n", [2, 9])
def test_auto_is_cautious_with_few_pairs(n):
    X, Y = random_pairs(n)
    with pytest.warns(
        UserWarning, match=f"fewer than 10 distinct pairs among {n}.*'identity' is used"
    ):
        aligner = LinearAligner().fit(X, Y)
    assert aligner.method_ == "identity"
    assert aligner.cv_results_ is None


def test_few_pairs_between_two_widths_are_strongly_regularised():
    X, Y = random_pairs(9, dy=3)
    with pytest.warns(UserWarning, match="'ridge' is used"):
        aligner = LinearAligner().fit(X, Y)
    assert (aligner.method_, aligner.alpha_) == ("ridge", 1.0)  # the strongest of the grid


def test_ten_pairs_are_enough_to_choose(recwarn):
    aligner = LinearAligner(random_state=0).fit(*random_pairs(10))
    assert aligner.cv_results_ is not None
    assert not recwarn.list


@pytest.mark.parametrize(
    ("params", "n_candidates"),
    [
        ({"method": "ridge"}, 4),
        ({"method": "ridge", "alpha": [0.1, 1, 10]}, 3),
        ({"method": "spectral", "alpha": (0.1, 1), "power": [0.5, 1], "rank": [2, 3, 5]}, 12),
        ({"method": "spectral", "alpha": np.array([0.5, 1.0]), "power": 1}, 2),
    ],
)
def test_cv_results_hold_one_entry_a_candidate(params, n_candidates):
    aligner = LinearAligner(random_state=0, **params).fit(*random_pairs())
    assert {"method", "alpha", "power", "rank", "held_out_recall"} <= set(aligner.cv_results_)
    assert {len(column) for column in aligner.cv_results_.values()} == {n_candidates}
    assert all(0 <= r <= 1 for r in aligner.cv_results_["held_out_recall"])
    assert chosen_row(aligner) in range(n_candidates)


@pytest.mark.parametrize(
    "params", [{"method": "identity"}, {"method": "procrustes"}, {"method": "ridge", "alpha": [2]}]
)
def test_no_cv_results_without_a_choice(params):
    assert LinearAligner(**params).fit(*random_pairs()).cv_results_ is None


def test_a_chosen_map_is_the_fixed_map_of_all_rows():
    X, Y = random_pairs()
    chosen = LinearAligner("ridge", random_state=0).fit(X, Y)
    assert_maps_equal(chosen, LinearAligner("ridge", alpha=chosen.alpha_).fit(X, Y), atol=1e-10)


def test_same_random_state_same_bits():
    X, Y = noisy_copy(noise=2)
    first, second = (LinearAligner(random_state=7).fit(X, Y) for _ in range(2))
    results = [{**a.cv_results_, "seconds": None} for a in (first, second)]
    assert results[0] == results[1]
    assert first.coef_.tobytes() == second.coef_.tobytes()
    assert first.transform(X).tobytes() == second.transform(X).tobytes()


def test_global_random_state_is_left_alone():
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    LinearAligner(random_state=0).fit(*noisy_copy())
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


# Errors


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "cca"}, r"method must be one of \('auto', .*'spectral'\), got 'cca'"),
        ({"alpha": -1}, "alpha must be a non-negative number.* got -1"),
        ({"alpha": [1.0, -0.1]}, "alpha must be a non-negative number"),
        ({"alpha": []}, "alpha must be a non-negative number"),
        ({"alpha": "strong"}, "alpha must be a non-negative number.* got 'strong'"),
        ({"alpha": ["1"]}, "alpha must be a non-negative number"),
        ({"alpha": np.nan}, "alpha must be a non-negative number"),
        ({"alpha": object}, "alpha must be a non-negative number"),
        ({"power": -0.5}, "power must be a non-negative number"),
        ({"rank": 0}, "rank must be"),
        ({"rank": 2.0}, "rank must be"),
        ({"rank": [2, -1]}, "rank must be"),
        ({"rank": "auto"}, "rank must be a positive int, .* or None, got 'auto'"),
        ({"alpha": np.inf}, "alpha must be a non-negative number"),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        LinearAligner(**params).fit(*random_pairs())


def test_identity_needs_one_width():
    with pytest.raises(ValueError, match='method="identity" needs X and y of one width'):
        LinearAligner("identity").fit(*random_pairs(dy=3))


X_OK, Y_OK = random_pairs(12)


def spoilt(A, value):
    A = A.copy()
    A[3, 3] = value
    return A


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X_OK, None, "requires y to be passed, but the target y is None"),
        (X_OK, np.arange(12), "Expected 2D array, got 1D array.*Class labels do not belong here"),
        (X_OK, ["a"] * 12, "Expected 2D array, got 1D array"),
        (X_OK, Y_OK[:11], "inconsistent numbers of samples"),
        (X_OK, spoilt(Y_OK, np.nan), "Input y contains NaN"),
        (spoilt(X_OK, np.nan), Y_OK, "Input X contains NaN"),
        (spoilt(X_OK, np.inf), Y_OK, "Input X contains infinity"),
        (X_OK[:1], Y_OK[:1], "1 sample"),
        (X_OK[0], Y_OK[0], "Expected 2D array, got 1D array"),
    ],
)
def test_fit_refuses(X, y, message):
    with pytest.raises(ValueError, match=message):
        LinearAligner().fit(X, y)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(12), "sample_weight sums to zero|at least one non-zero"),
        (np.arange(12) - 1.0, "[Nn]egative"),
        (np.ones(11), "sample_weight.shape"),
        (np.full(12, np.nan), "NaN"),
    ],
)
def test_fit_refuses_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        LinearAligner("ridge", alpha=1).fit(X_OK, Y_OK, sample_weight=weight)


@pytest.mark.parametrize(
    ("move", "wrong", "right"), [("transform", 3, 5), ("inverse_transform", 5, 3)]
)
def test_wrong_width(move, wrong, right):
    aligner = LinearAligner("procrustes").fit(*random_pairs(dx=5, dy=3))
    with pytest.raises(ValueError, match=f"X has {wrong} features.*expect.* {right} features"):
        getattr(aligner, move)(np.ones((2, wrong)))


@pytest.mark.parametrize("move", ["transform", "inverse_transform"])
def test_not_fitted(move):
    with pytest.raises(NotFittedError, match="LinearAligner"):
        getattr(LinearAligner(), move)(X_OK)


@pytest.mark.parametrize("move", ["transform", "inverse_transform"])
def test_moving_refuses_nan(move):
    aligner = LinearAligner("procrustes").fit(X_OK, Y_OK)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        getattr(aligner, move)(np.full((1, 5), np.nan))


# The rest of scikit-learn


def test_set_output():
    X, Y = random_pairs(dy=3)
    names = ["linearaligner0", "linearaligner1", "linearaligner2"]
    aligner = LinearAligner("procrustes").fit(X, Y)
    plain = aligner.transform(X)
    assert aligner.get_feature_names_out().tolist() == names
    frame = aligner.set_output(transform="pandas").transform(pd.DataFrame(X, index=range(9, 69)))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names
    assert frame.index.tolist() == list(range(9, 69))
    np.testing.assert_array_equal(frame, plain)
    frame = aligner.set_output(transform="polars").transform(X)
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == names
    np.testing.assert_array_equal(frame.to_numpy(), plain)


def test_frames_are_taken():
    X, Y = random_pairs(dy=3)
    columns = list("abcde")
    aligner = LinearAligner("procrustes").fit(pd.DataFrame(X, columns=columns), pd.DataFrame(Y))
    assert aligner.feature_names_in_.tolist() == columns
    plain = LinearAligner("procrustes").fit(X, Y)
    np.testing.assert_allclose(aligner.coef_, plain.coef_, atol=1e-12)
    with pytest.raises(ValueError, match="feature names"):
        aligner.transform(pd.DataFrame(X, columns=columns[::-1]))


def test_clone_keeps_parameters_and_forgets_the_fit():
    params = {"method": "spectral", "alpha": [0.1], "power": 0.5, "rank": 3}
    params |= {"match_scale": True, "shared": False, "random_state": 4}
    copy = clone(LinearAligner(**params).fit(*random_pairs()))
    assert copy.get_params() == params
    assert not hasattr(copy, "coef_")


@pytest.mark.parametrize("aligner", [LinearAligner(random_state=0), *FIXED])
def test_pickle(aligner):
    X, Y = random_pairs()
    aligner = clone(aligner).fit(X, Y)
    copy = pickle.loads(pickle.dumps(aligner))
    np.testing.assert_array_equal(copy.transform(X), aligner.transform(X))
    np.testing.assert_array_equal(copy.inverse_transform(Y), aligner.inverse_transform(Y))


def test_refit_forgets_the_first_fit():
    X, Y = random_pairs()
    aligner = LinearAligner(random_state=0).fit(X, Y)
    wide_X, wide_Y = random_pairs(dx=7, dy=4, seed=1)
    aligner.set_params(method="procrustes").fit(wide_X, wide_Y)
    assert (aligner.method_, aligner.alpha_, aligner.cv_results_) == ("procrustes", None, None)
    assert aligner.transform(wide_X).shape == (60, 4)


def test_fit_leaves_its_input_alone():
    X, Y = random_pairs()
    X_before, Y_before = X.copy(), Y.copy()
    w = np.arange(60.0)
    aligner = LinearAligner(random_state=0).fit(X, Y, sample_weight=w)
    aligner.transform(X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(Y, Y_before)
    np.testing.assert_array_equal(w, np.arange(60.0))


def test_score_is_recall_of_the_moved_rows():
    X, Y = random_pairs()
    aligner = LinearAligner("ridge", alpha=1).fit(X[:30], Y[:30])
    A, B = aligner.transform(X[30:]), Y[30:]
    S = A @ B.T / np.outer(np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1))
    hits = [*(S.argmax(axis=1) == range(30)), *(S.argmax(axis=0) == range(30))]
    assert aligner.score(X[30:], Y[30:]) == pytest.approx(np.mean(hits))


def test_grid_search_by_recall():
    X, Y = noisy_copy()
    Y = Y @ rotation(16)
    search = GridSearchCV(LinearAligner("ridge"), {"alpha": [1e-2, 1e6]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"alpha": 1e-2}  # the other is the identity, which is of no use
    assert search.best_score_ > 0.9 > search.cv_results_["mean_test_score"][1]


def test_cross_val_score():
    X, Y = noisy_copy()
    scores = cross_val_score(LinearAligner("procrustes"), X, Y @ rotation(16), cv=4)
    assert scores.shape == (4,)
    assert scores.min() > 0.9


def test_pipeline_behind_a_scaler():
    X, Y = random_pairs()
    pipe = make_pipeline(StandardScaler(), LinearAligner("ridge", alpha=0)).fit(X, Y)
    plain = LinearAligner("ridge", alpha=0).fit(X, Y)  # least squares does not see the scaling
    np.testing.assert_allclose(pipe.transform(X), plain.transform(X), atol=1e-10)
    assert pipe.score(X, Y) == pytest.approx(plain.score(X, Y))


def test_weights_are_routed_through_a_pipeline():
    X, Y = random_pairs()
    w = weights_of(len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        aligner = LinearAligner("ridge", alpha=0.5).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = Pipeline([("scale", scaler), ("align", aligner)]).fit(X, Y, sample_weight=w)
    scaled = StandardScaler().fit_transform(X)
    expected = LinearAligner("ridge", alpha=0.5).fit(scaled, Y, sample_weight=w)
    assert_maps_equal(pipe["align"], expected, atol=1e-10)


@pytest.mark.parametrize("aligner", FIXED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_moved_one_by_one(aligner, dtype):
    X, Y = (A.astype(dtype) for A in random_pairs(200))
    aligner = clone(aligner).fit(X, Y)
    for move, rows in ((aligner.transform, X), (aligner.inverse_transform, Y)):
        alone = np.vstack([move(row[None]) for row in rows])
        np.testing.assert_allclose(alone, move(rows), rtol=1e-6, atol=1e-5)


def test_threads_transform_alike():
    X, Y = (A.astype(np.float32) for A in random_pairs(400, 32, 24))
    aligner = LinearAligner("spectral", alpha=0.1, power=0.5).fit(X, Y)
    expected = aligner.transform(X)
    with ThreadPoolExecutor(8) as pool:
        for moved in pool.map(aligner.transform, [X] * 32):
            np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-6)


def test_score_of_a_collapsed_map_is_a_guess():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 8)).astype("f4"), rng.normal(size=(60, 4)).astype("f4")
    assert LinearAligner("ridge", alpha=1e30).fit(X, Y).score(X, Y) == pytest.approx(1 / 60)


def test_all_weight_on_one_row():
    X, Y = random_pairs()
    weight = np.zeros(len(X))
    weight[0] = 1
    with pytest.warns(UserWarning, match="fewer than 10 distinct pairs among 1"):
        aligner = LinearAligner(random_state=0).fit(X, Y, sample_weight=weight)
    assert aligner.method_ == "identity"


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_numbers_whose_squares_are_lost(scale):
    X, Y = random_pairs()
    with pytest.raises(ValueError, match="Scale the rows to about 1"):
        LinearAligner("ridge").fit((X * scale).astype("f4"), Y.astype("f4"))


def test_procrustes_is_exact_for_an_ill_conditioned_cross_covariance():
    def rotation(seed):
        return np.linalg.qr(np.random.default_rng(seed).normal(size=(16, 16)))[0]

    # X has the spectrum 1 ... 1e-4, so its cross-covariance with the rotated X has 1 ... 1e-8.
    X = np.random.default_rng(0).normal(size=(400, 16))
    X = np.linalg.qr(X - X.mean(0))[0] * np.geomspace(1, 1e-4, 16) @ rotation(1)
    fitted = LinearAligner("procrustes").fit(X, X @ rotation(2))
    np.testing.assert_allclose(fitted.coef_, rotation(2), atol=1e-6)

"""LinearAligner: its errors, and its place among scikit-learn's tools."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from langalign_sk.mapping import LinearAligner
from tests.mapping.close import assert_close
from tests.mapping.linear.cases import (
    FIXED,
    assert_maps_equal,
    noisy_copy,
    random_pairs,
    rotation,
    spoilt,
    weights_of,
)

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
        ({"objective": "accuracy"}, "objective must be .*'accuracy'"),
        ({"method": "ridge", "objective": None}, "objective must be .*None"),
        ({"alpha": np.inf}, "alpha must be a non-negative number"),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        LinearAligner(**params).fit(*random_pairs())


@pytest.mark.parametrize("method", ["identity", "centre", "scale"])
def test_one_width_is_needed(method):
    with pytest.raises(ValueError, match=f'method="{method}" needs X and y of one width'):
        LinearAligner(method).fit(*random_pairs(dy=3))


@pytest.mark.parametrize("method", ["centre", "scale"])
def test_methods_near_the_identity_have_no_shared_space(method):
    with pytest.raises(ValueError, match='shared=True goes with method="spectral"'):
        LinearAligner(method, shared=True).fit(*random_pairs())


def test_states_of_earlier_releases_have_no_objective():
    aligner = LinearAligner("ridge", random_state=0).fit(*random_pairs())
    state = {name: value for name, value in aligner.__getstate__().items() if name != "objective"}
    again = LinearAligner.__new__(LinearAligner)
    again.__setstate__(state)
    assert again.objective == "retrieval"
    assert clone(again).fit(*random_pairs()).alpha_ == aligner.alpha_


@pytest.mark.parametrize("method", ["identity", "scale"])
def test_pickles_hold_no_more_than_the_diagonal(method):
    X, Y = random_pairs(dx=80, dy=80)
    aligner = LinearAligner(method).fit(X, Y)
    content = pickle.dumps(aligner)
    assert len(content) < 80 * 80 * 8 / 2
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.coef_, aligner.coef_)
    np.testing.assert_array_equal(again.inverse_coef_, aligner.inverse_coef_)
    np.testing.assert_array_equal(again.transform(X), aligner.transform(X))


X_OK, Y_OK = random_pairs(12)


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
    assert_close(aligner.coef_, plain.coef_, 1e-12)
    with pytest.raises(ValueError, match="feature names"):
        aligner.transform(pd.DataFrame(X, columns=columns[::-1]))


def test_clone_keeps_parameters_and_forgets_the_fit():
    params = {"method": "spectral", "alpha": [0.1], "power": 0.5, "rank": 3}
    params |= {"match_scale": True, "shared": False, "objective": "head", "random_state": 4}
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
    assert_close(pipe.transform(X), plain.transform(X), 1e-10)
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
    assert_close(fitted.coef_, rotation(2), 1e-6)

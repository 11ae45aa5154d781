"""KernelRidgeClassifier against refits without a row, and against scikit-learn's regression."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import log_loss

from langalign_sk import KernelRidgeClassifier
from langalign_sk.classifier import _kernel_ridge
from langalign_sk.classifier._kernel import (
    distinct_rows,
    fit_landmarks,
    fit_ridge,
    loo_scores,
    rbf,
    squared_distances,
    unit_rows,
)
from tests.classifier.toy import TEMPERATURE_RTOL

GAMMA, ALPHA = 0.7, 0.3
# Errors of solves in float64 by the condition of the systems here, which is below 1e3.
RTOL = 1e6 * float(np.finfo(np.float64).eps)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data(rng):
    """Rows off the origin, three classes that they tell but for noise, and weights."""
    X = rng.normal(size=(60, 6)) + 2
    y = np.array(["a", "b", "c"])[(X[:, :3] + rng.gumbel(size=(60, 3)) / 2).argmax(axis=1)]
    return X, y, rng.uniform(0.2, 3, size=60)


def one_hot(y):
    return (y[:, None] == np.unique(y)).astype(float)


def unit(X, weight=None):
    """Centred unit rows, by hand."""
    rows = X - np.average(X, axis=0, weights=weight)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def regression(U, Y, weight, Z, gamma=GAMMA, alpha=ALPHA):
    """Predictions of scikit-learn's kernel ridge."""
    model = KernelRidge(kernel="rbf", gamma=gamma, alpha=alpha)
    return model.fit(U, Y, sample_weight=weight).predict(Z)


def left_out(U, Y, weight, **params):
    """Predictions of every row by a fit without it."""
    others = [np.arange(len(U)) != i for i in range(len(U))]
    rows = [regression(U[o], Y[o], weight[o], U[~o], **params) for o in others]
    return np.vstack(rows)


def test_unit_rows(rng):
    X = rng.normal(size=(5, 3))
    mean = X[0].copy()
    rows = unit_rows(X, mean)
    assert_array_equal(rows[0], 0)
    assert_allclose(np.linalg.norm(rows[1:], axis=1), 1, rtol=RTOL)
    assert_allclose(rows[1] @ (X[1] - mean), np.linalg.norm(X[1] - mean), rtol=RTOL)
    assert unit_rows(X.astype(np.float32), mean).dtype == np.float32


def test_distinct_rows():
    X = np.array([[0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]])
    found = distinct_rows(X, np.array([1.0, 2.0, 3.0]), np.array([[1.0], [1.0], [0.0]]))
    assert found.first.tolist() == [0, 1]
    assert found.inverse.tolist() == [0, 1, 0]
    assert found.weight.tolist() == [4, 2]
    assert found.Y.tolist() == [[0.25], [1]]


def test_ridge_is_that_of_scikit_learn_and_leaves_out_as_refits_do(data):
    X, y, weight = data
    U, Y = unit(X), one_hot(y)
    D = squared_distances(U, U)
    fit = fit_ridge(rbf(D, GAMMA), Y, weight, ALPHA)
    assert_allclose(rbf(D, GAMMA) @ fit.dual, regression(U, Y, weight, U), rtol=RTOL, atol=RTOL)
    assert_allclose(fit.loo, left_out(U, Y, weight), rtol=RTOL, atol=RTOL)


def test_path_of_alphas_leaves_out_as_refits_do(data):
    X, y, weight = data
    U, Y = unit(X), one_hot(y)
    for alpha, loo in loo_scores(rbf(squared_distances(U, U), GAMMA), Y, weight, [0.1, 5.0]):
        assert_allclose(loo, left_out(U, Y, weight, alpha=alpha), rtol=RTOL, atol=RTOL)


def test_landmarks_are_exact_where_they_are_all_rows(data):
    X, y, weight = data
    U, Y = unit(X), one_hot(y)
    exact = fit_ridge(rbf(squared_distances(U, U), GAMMA), Y, weight, ALPHA)
    fit = fit_landmarks(U, U, GAMMA, Y, weight, ALPHA, np.arange(60))
    # The normal equations square the condition of the kernel.
    K = rbf(squared_distances(U, U), GAMMA)
    assert_allclose(K @ fit.dual, K @ exact.dual, atol=1e3 * RTOL)
    assert_allclose(fit.loo, exact.loo, atol=1e3 * RTOL)


def test_fixed_settings_are_a_regression_on_centred_unit_rows(data, rng):
    X, y, weight = data
    Z = rng.normal(size=(7, 6))
    model = KernelRidgeClassifier(GAMMA, ALPHA).fit(X, y, weight)
    mean = np.average(X, axis=0, weights=weight)
    moved = (Z - mean) / np.linalg.norm(Z - mean, axis=1, keepdims=True)
    scores = regression(unit(X, weight), one_hot(y), weight, moved)
    assert_allclose(model.decision_function(Z), scores, rtol=RTOL, atol=RTOL)
    assert_array_equal(model.predict(Z), model.classes_[scores.argmax(axis=1)])
    assert_allclose(model.predict_proba(Z), softmax(scores / model.temperature_, axis=1), rtol=RTOL)
    assert (model.gamma_, model.alpha_) == (GAMMA, ALPHA)


def test_choice_is_that_of_the_least_leave_one_out_log_loss(data):
    X, y, weight = data
    gammas, alphas = (0.3, 2.0), (0.05, 0.5, 5.0)
    model = KernelRidgeClassifier(gammas, alphas, store_loo=True).fit(X, y, weight)
    U, Y = unit(X, weight), one_hot(y)
    losses = {}
    for gamma in gammas:
        for alpha in alphas:
            scores = left_out(U, Y, weight, gamma=gamma, alpha=alpha)
            for t in np.geomspace(0.03, 3, 100):
                own = log_softmax(scores / t, axis=1)[Y == 1]
                losses[-np.average(own, weights=weight)] = gamma, alpha
    least = min(losses)
    assert losses[least] == (model.gamma_, model.alpha_)
    # The smoothing of labels moves the temperature a little from that of the least loss.
    assert model.loo_log_loss_ == pytest.approx(least, rel=0.01)
    assert model.loo_log_loss_ == pytest.approx(
        log_loss(y, model.loo_proba_, sample_weight=weight), rel=RTOL
    )


@pytest.mark.parametrize("n_rows", [4, 10, 20])
def test_alpha_that_some_rows_chose_has_no_better_neighbour(data, n_rows, monkeypatch):
    X, y, weight = data
    monkeypatch.setattr(_kernel_ridge, "_CHOICE_ROWS", n_rows)
    alphas = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    model = KernelRidgeClassifier(GAMMA, alphas, random_state=0).fit(X, y, weight)
    losses = [KernelRidgeClassifier(GAMMA, a).fit(X, y, weight).loo_log_loss_ for a in alphas]
    at = alphas.index(model.alpha_)
    assert model.loo_log_loss_ == pytest.approx(losses[at], rel=RTOL)
    assert min(losses[max(at - 1, 0) : at + 2]) >= (1 - 1e-3) * losses[at]


def test_rows_that_choose_have_the_shares_of_the_classes(rng):
    Y = np.eye(3)[np.repeat([0, 1, 2], [60, 30, 10])]
    at = _kernel_ridge._subsample(Y, 20, np.random.RandomState(0))
    assert len(set(at)) == 20
    assert Y[at].sum(axis=0).tolist() == [12, 6, 2]
    assert _kernel_ridge._subsample(Y, 100, np.random.RandomState(0)).tolist() == list(range(100))


def test_weights_are_repeated_rows(data):
    X, y, _ = data
    counts = np.random.default_rng(1).integers(0, 4, size=len(X))
    params = {"gamma": (0.3, 2.0), "alpha": (0.05, 0.5), "store_loo": True}
    weighted = KernelRidgeClassifier(**params).fit(X, y, counts)
    repeated = KernelRidgeClassifier(**params).fit(
        np.repeat(X, counts, axis=0), np.repeat(y, counts)
    )
    assert (weighted.gamma_, weighted.alpha_) == (repeated.gamma_, repeated.alpha_)
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=RTOL)
    kept = counts > 0
    assert_allclose(
        np.repeat(weighted.loo_proba_[kept], counts[kept], axis=0), repeated.loo_proba_, rtol=RTOL
    )
    assert_allclose(weighted.loo_proba_[~kept], weighted.predict_proba(X[~kept]), rtol=RTOL)


def test_equal_rows_with_several_labels(data):
    X, y, _ = data
    X, y = np.vstack([X, X]), np.concatenate([y, np.roll(y, 1)])
    model = KernelRidgeClassifier(store_loo=True).fit(X, y)
    assert len(model.X_fit_) == 60
    assert_array_equal(model.loo_proba_[:60], model.loo_proba_[60:])
    assert np.isfinite(model.loo_log_loss_)


def test_refit_at_the_chosen_settings(data):
    X, y, weight = data
    model = KernelRidgeClassifier().fit(X, y, weight)
    twin = clone(model).set_params(gamma=model.gamma_, alpha=model.alpha_).fit(X, y, weight)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_two_classes(data):
    X, y, _ = data
    model = KernelRidgeClassifier().fit(X, y == "a")
    scores = model.decision_function(X)
    assert scores.shape == (60,)
    assert_array_equal(model.predict(X), scores > 0)
    assert_allclose(model.predict_proba(X)[:, 1], expit(scores / model.temperature_), rtol=RTOL)


def test_several_labels_per_row(data):
    X, y, weight = data
    Y = np.column_stack([y == "a", y != "b", X[:, 4] > 2]).astype(int)
    model = KernelRidgeClassifier(store_loo=True).fit(X, Y, weight)
    P = model.predict_proba(X)
    assert P.shape == model.loo_proba_.shape == Y.shape
    assert_array_equal(model.predict(X), P > 0.5)
    assert_allclose(P, expit(model.decision_function(X) / model.temperature_), rtol=RTOL)
    own = [
        log_loss(y, p, sample_weight=weight) for y, p in zip(Y.T, model.loo_proba_.T, strict=True)
    ]
    assert model.loo_log_loss_ == pytest.approx(np.mean(own), rel=RTOL)
    fixed = KernelRidgeClassifier(GAMMA, ALPHA).fit(X, Y, weight)
    scores = regression(unit(X, weight), Y.astype(float), weight, unit(X, weight))
    assert_allclose(fixed.decision_function(X), 2 * scores - 1, rtol=RTOL, atol=RTOL)


def test_more_rows_than_are_exact(rng):
    X, Z = rng.normal(size=(600, 6)), rng.normal(size=(2000, 6))
    y = X[:, :4].argmax(axis=1)
    few = KernelRidgeClassifier(GAMMA, ALPHA, max_rows=300, random_state=0).fit(X, y)
    exact = KernelRidgeClassifier(GAMMA, ALPHA).fit(X, y)
    assert few.X_fit_.shape == (300, 6)
    assert np.mean(few.predict(Z) == exact.predict(Z)) > 0.95
    again = clone(few).fit(X, y)
    assert_array_equal(again.predict_proba(Z), few.predict_proba(Z))


def test_temperature_beside_centres_is_that_of_new_rows(rng):
    """Leave-one-out predictions of the centres are far worse than those of new rows."""
    X, Z = rng.normal(size=(1000, 32)), rng.normal(size=(4000, 32))
    y, z = X[:, :3].argmax(axis=1), Z[:, :3].argmax(axis=1)
    params = {"max_rows": 500, "random_state": 0}
    model = KernelRidgeClassifier(0.5, 0.01, store_loo=True, **params).fit(X, y)
    # Half of the rows, and classes that are guessed in a third of the cases: three deviations.
    assert model.loo_log_loss_ == pytest.approx(log_loss(z, model.predict_proba(Z)), rel=0.15)
    assert log_loss(y, model.loo_proba_) > 1.5 * model.loo_log_loss_
    # Sums over other rows beside these round otherwise, and the search for a minimum as well.
    other = KernelRidgeClassifier(0.5, 0.01, **params).fit(X, y)
    assert other.temperature_ == pytest.approx(model.temperature_, rel=TEMPERATURE_RTOL)


def test_scale_and_offset_of_rows_do_not_matter(data):
    X, y, _ = data
    model = KernelRidgeClassifier().fit(X, y)
    moved = KernelRidgeClassifier().fit(8 * X + 3, y)
    assert_allclose(moved.predict_proba(8 * X + 3), model.predict_proba(X), rtol=RTOL)


def test_a_row_does_not_depend_on_the_others(data):
    X, y, _ = data
    X = X.astype(np.float32)
    model = KernelRidgeClassifier().fit(X, y)
    single = np.vstack([model.predict_proba(x[None]) for x in X])
    rtol = 100 * float(np.finfo(np.float32).eps) / model.temperature_
    assert_allclose(single, model.predict_proba(X), rtol=rtol * np.abs(model.dual_coef_).sum())
    assert model.X_fit_.dtype == np.float32


def test_class_of_one_row_and_many_classes(rng):
    X = rng.normal(size=(40, 5))
    model = KernelRidgeClassifier().fit(X, np.r_[0, np.arange(39) % 2 + 1])
    assert model.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(model.predict_proba(X)).all()
    many = KernelRidgeClassifier().fit(rng.normal(size=(100, 5)), np.arange(100) // 2)
    assert_allclose(many.predict_proba(X).sum(axis=1), 1, rtol=RTOL)


def test_tiny_penalty_on_rows_that_nearly_coincide(data):
    X, y, _ = data
    twins = X * (1 + 1e-13)
    model = KernelRidgeClassifier(1.0, 1e-300).fit(np.vstack([X, twins]), np.r_[y, np.roll(y, 1)])
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"gamma": 0}, "gamma must be a positive number"),
        ({"gamma": -1.0}, "gamma must be a positive number"),
        ({"gamma": ()}, "gamma must be a positive number"),
        ({"gamma": "scale"}, "gamma must be a positive number"),
        ({"alpha": 0.0}, "alpha must be a positive number"),
        ({"alpha": [1.0, np.nan]}, "alpha must be a positive number"),
        ({"alpha": np.inf}, "alpha must be a positive number"),
        ({"max_rows": 0}, "max_rows must be a positive int"),
    ],
)
def test_bad_parameters(data, params, message):
    with pytest.raises(ValueError, match=message):
        KernelRidgeClassifier(**params).fit(*data)


@pytest.mark.parametrize("several", [False, True])
def test_expansion_gives_the_probabilities(data, several):
    X, y, weight = data
    labels = (X[:, :2] > 2).astype(int) if several else y
    model = KernelRidgeClassifier(GAMMA, ALPHA).fit(X, labels, weight)
    expansion = model.kernel_expansion()
    U = unit(X, weight)
    distances = ((U[:, None] - expansion.centres[None]) ** 2).sum(axis=2)
    odds = np.exp(-GAMMA * distances) @ expansion.coef + expansion.intercept
    assert_allclose(
        expit(odds) if several else softmax(odds, axis=1), model.predict_proba(X), rtol=RTOL
    )
    assert expansion.multilabel == several
    assert_array_equal(expansion.classes, model.classes_)
    with pytest.raises(NotFittedError):
        KernelRidgeClassifier().kernel_expansion()


def test_bad_data(data):
    X, y, weight = data
    model = KernelRidgeClassifier(GAMMA, ALPHA)
    with pytest.raises(ValueError, match="only one class"):
        model.fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="only one class"):
        model.fit(X, y, y == "a")
    with pytest.raises(ValueError, match=r"[Ss]ample weights"):
        model.fit(X, y, np.zeros(60))
    with pytest.raises(ValueError, match="Negative values"):
        model.fit(X, y, -weight)
    with pytest.raises(ValueError, match="continuous"):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="indicator matrix"):
        model.fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="expecting 6 features"):
        model.fit(X, y).predict(X[:, :5])

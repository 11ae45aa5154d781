"""Parameters and rows that AdapterAligner refuses."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from langalign_sk.mapping.rows import PairedRows
from langalign_sk.mapping.training import start
from langalign_sk.mapping.training.start import closed_form
from tests.mapping.adapter.cases import adapter, noisy_pairs, weights


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "cosine"}, r"loss must be one of \('contrastive', 'mse', .*got 'cosine'"),
        ({"architecture": "mlp"}, r"architecture must be one of \(None, 'residual', .*got 'mlp'"),
        ({"loss": "autoencoder", "architecture": "fc"}, "trains architecture=\"ae\", got 'fc'"),
        ({"start": "svd"}, r"start must be one of \('auto', 'identity', .*got 'svd'"),
        ({"shared": True, "loss": "mse"}, "shared=True goes with loss=\"contrastive\".*got 'mse'"),
        ({"shared": True, "architecture": "fc"}, "shared=True goes with .* and 'fc'"),
        ({"shared": True, "start": "ridge"}, "shared=True starts from \"spectral\", got .*'ridge'"),
        ({"adapter_dim": -1}, "adapter_dim must be an int of at least 0 or None, got -1"),
        ({"adapter_dim": 2.0}, "adapter_dim must be an int of at least 0 or None, got 2.0"),
        ({"adapter_dim": True}, "adapter_dim must be an int of at least 0 or None, got True"),
        ({"adapter_dim": "wide"}, "adapter_dim must be .* got 'wide'"),
        ({"loss": "mse", "adapter_dim": 0}, "adapter_dim must be an int of at least 1 or None"),
        ({"loss": "autoencoder", "adapter_dim": 0}, "adapter_dim must be an int of at least 1"),
        ({"rank": 0}, "rank must be a positive int or None, got 0"),
        ({"rank": 1.5}, "rank must be a positive int or None, got 1.5"),
        ({"rank": 2, "adapter_dim": 4}, "rank is that of a linear adapter"),
        ({"rank": 2, "loss": "mse"}, "rank is that of a linear adapter"),
        ({"temperature": 0}, "temperature must be a positive number, got 0"),
        ({"temperature": np.nan}, "temperature must be a positive number, got nan"),
        ({"temperature": "hot"}, "temperature must be a positive number, got 'hot'"),
        ({"learning_rate": -1e-3}, "learning_rate must be a positive number.* got -0.001"),
        ({"learning_rate": np.inf}, "learning_rate must be a positive number.* got inf"),
        ({"max_grad_norm": 0.0}, "max_grad_norm must be a positive number, got 0.0"),
        ({"max_grad_norm": None}, "max_grad_norm must be a positive number, got None"),
        ({"mse_weight": -0.1}, "mse_weight must be a non-negative number, got -0.1"),
        ({"mse_weight": np.inf}, "mse_weight must be a non-negative number, got inf"),
        ({"weight_decay": -1}, "weight_decay must be a non-negative number or None, got -1"),
        ({"weight_decay": True}, "weight_decay must be a non-negative number or None, got True"),
        ({"dropout": 1}, r"dropout must be a number in \[0, 1\) or None, got 1"),
        ({"dropout": -0.1}, r"dropout must be a number in \[0, 1\) or None, got -0.1"),
        ({"validation_fraction": 0}, r"validation_fraction must be a number in \(0, 1\), got 0"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be .* got 1.0"),
        ({"hard_negatives": -1}, "hard_negatives must be a non-negative int, got -1"),
        ({"hard_negatives": 1.0}, "hard_negatives must be a non-negative int, got 1.0"),
        ({"hard_negatives": None}, "hard_negatives must be a non-negative int, got None"),
        ({"init": "zeros"}, "init must be one of.*'closed_form', 'random'.*got 'zeros'"),
        ({"init": "random"}, "init=.random. goes with architecture=.fc. or .ae., and"),
        ({"objective": "recall"}, "objective must be one of.*'retrieval', 'head'.*got 'recall'"),
        (
            {"objective": "head", "shared": True},
            "shared=True goes with objective=.retrieval.: no row stays",
        ),
        ({"shared": "yes"}, "shared must be True or False, got 'yes'"),
        ({"inverse": 1}, "inverse must be True or False, got 1"),
        ({"early_stopping": None}, "early_stopping must be True or False, got None"),
        ({"warm_start": 0}, "warm_start must be True or False, got 0"),
        ({"max_epochs": 0}, "max_epochs must be a positive int or None, got 0"),
        ({"max_epochs": 2.5}, "max_epochs must be a positive int or None, got 2.5"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be a positive int, got 0"),
        ({"batch_size": 1}, "batch_size must be an int of at least 2 or None, got 1"),
        ({"batch_size": 32.0}, "batch_size must be an int of at least 2 or None, got 32.0"),
        ({"checkpoint": 3}, "checkpoint must be the path of a folder or None, got 3"),
        (
            {"checkpoint": "somewhere", "warm_start": True},
            "checkpoint goes on with a run of its own, and warm_start with the last fit: give one",
        ),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        adapter(**params).fit(*noisy_pairs(30))


@pytest.mark.parametrize(
    "params",
    [
        {"adapter_dim": np.int64(3), "temperature": np.float32(0.1), "batch_size": np.int32(16)},
        {"mse_weight": 0, "weight_decay": 0, "max_epochs": np.int64(1)},
        {"loss": "mse", "dropout": 0, "learning_rate": 1, "max_grad_norm": 1},
        {"shared": True, "start": "spectral", "rank": np.int64(1)},
    ],
)
def test_parameters_at_the_edge_of_their_range(params):
    aligner = adapter(**params).fit(*noisy_pairs(40))
    assert np.isfinite(weights(aligner)).all()


def test_identity_needs_one_width():
    with pytest.raises(ValueError, match='start="identity" needs X and y of one width'):
        adapter(start="identity").fit(*noisy_pairs(30, dy=4))


@pytest.mark.parametrize("entry", ["x", object(), int, ("x", "y"), ("x", object())])
@pytest.mark.parametrize("wrap", [lambda entry: [entry], lambda entry: entry])
def test_callbacks_that_are_none_of_skorch(entry, wrap):
    with pytest.raises(TypeError, match=r"skorch callbacks or .*scikit-learn go to set_callbacks"):
        adapter(callbacks=wrap(entry)).fit(*noisy_pairs(30))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("constant", ["X", "y", "both"])
def test_rows_that_are_all_the_same(constant, method):
    X, Y = noisy_pairs(30)
    X = np.ones_like(X) if constant in ("X", "both") else X
    Y = np.ones_like(Y) if constant in ("y", "both") else Y
    with pytest.raises(ValueError, match=r"All 30 pairs have the same row.*nothing to learn from"):
        getattr(adapter(), method)(X, Y)


@pytest.mark.parametrize("n", [2, 9])
@pytest.mark.parametrize("params", [{}, {"loss": "mse"}, {"shared": True}])
def test_few_pairs_are_all_trained_on(n, params):
    X, Y = noisy_pairs(n)
    with pytest.warns(UserWarning, match="fewer than 10 distinct pairs.*early_stopping=False"):
        aligner = adapter(n_iter_no_change=1, max_epochs=3, **params).fit(X, Y)
    assert (aligner.n_iter_, aligner.held_out_recall_) == (3, None)
    assert np.isfinite(aligner.transform(X)).all()


def test_few_distinct_pairs_of_many():
    X, Y = (np.tile(A, (6, 1)) for A in noisy_pairs(9))
    with pytest.warns(UserWarning, match="fewer than 10 distinct pairs"):
        adapter().fit(X, Y)


def test_ten_pairs_are_enough_to_hold_some_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert adapter().fit(*noisy_pairs(10)).held_out_recall_ is not None
        adapter(early_stopping=False).fit(*noisy_pairs(9))
        adapter().partial_fit(*noisy_pairs(9))


def test_batch_of_more_than_all_pairs():
    X, Y = noisy_pairs(50)
    with pytest.warns(UserWarning, match="batch_size=400 is more than the 45 pairs to train on"):
        large = adapter(batch_size=400).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact = adapter(batch_size=45).fit(X, Y)
    np.testing.assert_array_equal(weights(large), weights(exact))


@pytest.mark.parametrize("fraction", [0.5, 0.99])
def test_pairs_are_left_to_train_on(fraction):
    aligner = adapter(validation_fraction=fraction).fit(*noisy_pairs(20))
    assert np.isfinite(aligner.history_[0]["train_loss"])


X_OK, Y_OK = noisy_pairs(12, 5, 5)


def spoilt(A, value):
    A = A.copy()
    A[3, 3] = value
    return A


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X_OK, None, "requires y to be passed, but the target y is None"),
        (X_OK, np.arange(12), "Expected 2D array, got 1D array.*Class labels do not belong here"),
        (X_OK, Y_OK[:11], "inconsistent numbers of samples"),
        (X_OK, spoilt(Y_OK, np.nan), "Input y contains NaN"),
        (spoilt(X_OK, np.nan), Y_OK, "Input X contains NaN"),
        (spoilt(X_OK, np.inf), Y_OK, "Input X contains infinity"),
        (X_OK[:1], Y_OK[:1], "1 sample"),
        (1e-12 * X_OK, Y_OK, "largest value of X is .* Scale the rows"),
        (X_OK, 1e12 * Y_OK, "largest value of y is .* Scale the rows"),
    ],
)
def test_fit_refuses(X, y, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(adapter(), method)(X, y)


@pytest.mark.parametrize(
    ("params", "move", "wrong"),
    [
        ({}, "transform", 3),
        ({}, "inverse_transform", 5),
        ({}, "transform_counterparts", 5),
        ({"shared": True}, "transform_counterparts", 5),
        ({"shared": True}, "inverse_transform", 5),
    ],
)
def test_moving_rows_of_another_width(params, move, wrong):
    aligner = adapter(**params, early_stopping=False).fit(*noisy_pairs(40, 5, 3))
    with pytest.raises(ValueError, match=rf"[Xy] has {wrong} features.*expect.* [35] features"):
        getattr(aligner, move)(np.ones((2, wrong)))
    with pytest.raises(ValueError, match="contains NaN"):
        getattr(aligner, move)(np.full((2, 8 - wrong), np.nan))


@pytest.mark.parametrize("move", ["transform", "inverse_transform", "transform_counterparts"])
def test_moving_before_fit(move):
    with pytest.raises(NotFittedError, match="AdapterAligner"):
        getattr(adapter(), move)(X_OK)


def test_state_of_partial_fit_is_plain_arrays():
    X, Y = noisy_pairs(60)
    state = adapter().partial_fit(X, Y)._partial_state

    def leaves(tree):
        if isinstance(tree, dict):
            return [leaf for value in tree.values() for leaf in leaves(value)]
        return [tree]

    assert not any(isinstance(leaf, torch.Tensor) for leaf in leaves(state))
    assert any(isinstance(leaf, np.ndarray) for leaf in leaves(state))


def test_closed_form_of_many_pairs_is_chosen_on_a_draw_of_all(monkeypatch):
    # Sorted by source: the first half are copies, which the identity fits; the rest is rotated.
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 8))
    Y = X.copy()
    Y[200:] = X[200:] @ np.linalg.qr(draw.normal(size=(8, 8)))[0]
    seen = []
    monkeypatch.setattr(start, "_CHOICE_ROWS", 200)
    monkeypatch.setattr(start, "choose", lambda rows, *rest, **kw: seen.append(rows) or None)
    rows = np.arange(400)
    closed_form(PairedRows(X, Y), rows, np.empty(0, dtype=int), "auto", False, 0)
    drawn, *_ = seen
    assert len(drawn) == 200
    copies = (drawn.X == drawn.Y).all(axis=1).mean()
    assert 0.3 < copies < 0.7

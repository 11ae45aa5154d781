"""AdapterAligner: shapes, starts, what training brings, the shared space, and bad input."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils import check_random_state

from langalign_sk.mapping import AdapterAligner, LinearAligner
from langalign_sk.mapping.rows import PairedRows
from langalign_sk.mapping.training import start
from langalign_sk.mapping.training.start import closed_form, hold_out

NO_STEP = 1e-30  # a learning rate that changes no weight


def noisy_pairs(n=120, dx=8, dy=8, noise=0.3, seed=0):
    """Y is a noisy linear map of X, the same one for every seed."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dx)) * np.linspace(1, 2, dx)
    weights = np.random.default_rng(99).normal(size=(dx, dy))
    return X, X @ weights + noise * rng.normal(size=(n, dy)) + 1


def bent_pairs(n=400, seed=0):
    """Half of Y hangs on the sizes of X without their signs, which no linear map sees."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    weights = np.random.default_rng(99).normal(size=(8, 4))
    return X, np.hstack([np.abs(X), X]) @ weights


def adapter(*args, **params):
    params = {"max_epochs": 2, "random_state": 0, "device": "cpu", **params}
    return AdapterAligner(*args, **params)


def learner(**params):
    """An adapter that learns bent pairs in a few epochs."""
    params = {"adapter_dim": 16, "learning_rate": 0.02, "batch_size": 32, **params}
    return adapter(**{"max_epochs": 6, **params})


def networks(aligner):
    names = ("network_", "inverse_network_", "counterpart_network_")
    return [getattr(aligner, name) for name in names if hasattr(aligner, name)]


def weights(aligner):
    return np.concatenate([a.ravel() for n in networks(aligner) for a in n.arrays()])


def unit_rows(A):
    return A / np.linalg.norm(A, axis=1, keepdims=True)


def recall(A, B):
    """Share of rows whose own counterpart is the nearest by cosine, the mean of both sides."""
    S = unit_rows(A) @ unit_rows(B).T
    right = np.arange(len(S))
    return ((S.argmax(axis=1) == right).mean() + (S.argmax(axis=0) == right).mean()) / 2


def seed_of(random_state):
    """The seed that an estimator draws from its random_state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def split(n, random_state=0, fraction=0.1):
    """Rows trained on and rows held out, of pairs without duplicates."""
    return hold_out(np.arange(n), fraction, seed_of(random_state))


# Shapes and types

KINDS = [
    ("contrastive", "residual", 0),
    ("contrastive", "residual", 3),
    ("contrastive", "fc", None),
    ("contrastive", "ae", None),
    ("mse", "residual", 0),
    ("mse", "residual", 3),
    ("mse", "fc", None),
    ("mse", "ae", None),
    ("autoencoder", "ae", None),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("dx", "dy"), [(8, 8), (8, 5), (5, 8)])
@pytest.mark.parametrize(("loss", "architecture", "width"), KINDS)
def test_every_loss_and_architecture(loss, architecture, width, dx, dy, dtype):
    X, Y = (A.astype(dtype) for A in noisy_pairs(60, dx, dy))
    aligner = adapter(loss, architecture=architecture, adapter_dim=width).fit(X, Y)
    there, back = aligner.transform(X), aligner.inverse_transform(Y)
    assert (there.shape, back.shape) == ((60, dy), (60, dx))
    assert {there.dtype, back.dtype} == {np.dtype(dtype)}
    assert {a.dtype for n in networks(aligner) for a in n.arrays()} == {np.dtype(dtype)}
    assert np.isfinite(there).all()
    assert np.isfinite(back).all()
    np.testing.assert_array_equal(there, aligner.network_(X))
    np.testing.assert_array_equal(back, aligner.inverse_network_(Y))
    assert aligner.transform_counterparts(Y) is not None
    np.testing.assert_array_equal(aligner.transform_counterparts(Y), Y)


def layer_widths(network):
    return [w.shape for w, _ in network.layers]


@pytest.mark.parametrize(
    ("params", "there", "back"),
    [
        ({"loss": "contrastive"}, [], []),
        ({"loss": "contrastive", "adapter_dim": 0}, [], []),
        ({"loss": "contrastive", "adapter_dim": 3}, [(8, 3), (3, 6)], [(6, 3), (3, 8)]),
        ({"loss": "mse"}, [(8, 8)] * 5 + [(8, 6)], [(6, 6)] * 5 + [(6, 8)]),
        (
            {"loss": "mse", "adapter_dim": 7},
            [(8, 7), *[(7, 7)] * 4, (7, 6)],
            [(6, 7), *[(7, 7)] * 4, (7, 8)],
        ),
        (
            {"loss": "autoencoder", "adapter_dim": 2},
            [(8, 6), (6, 4), (4, 2), (2, 3), (3, 5), (5, 6)],
            [(6, 5), (5, 3), (3, 2), (2, 4), (4, 6), (6, 8)],
        ),
    ],
)
def test_layers_of_the_architectures(params, there, back):
    aligner = adapter(**params, max_epochs=1).fit(*noisy_pairs(60, 8, 6))
    assert layer_widths(aligner.network_) == there
    assert layer_widths(aligner.inverse_network_) == back
    has_affine_part = params["loss"] == "contrastive"
    assert (aligner.network_.coef is not None) == has_affine_part
    assert (aligner.start_ is not None) == has_affine_part


def test_code_is_half_as_wide_as_its_side():
    aligner = adapter("autoencoder", max_epochs=1).fit(*noisy_pairs(60, 12, 6))
    assert aligner.network_.layers[2][0].shape[1] == 6
    assert aligner.inverse_network_.layers[2][0].shape[1] == 3


def test_architecture_goes_with_the_loss():
    X, Y = noisy_pairs(60)
    for loss, architecture in (("contrastive", "residual"), ("mse", "fc"), ("autoencoder", "ae")):
        chosen = adapter(loss).fit(X, Y)
        named = adapter(loss, architecture=architecture).fit(X, Y)
        np.testing.assert_array_equal(weights(chosen), weights(named))


def test_fit_leaves_its_input_alone():
    X, Y = noisy_pairs(60)
    before = X.copy(), Y.copy()
    adapter(adapter_dim=4, hard_negatives=2).fit(X, Y).partial_fit(X, Y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


# The start


def test_start_is_the_closed_form_of_the_pairs_that_are_not_held_out():
    X, Y = noisy_pairs()
    aligner = adapter(start="procrustes", max_epochs=1, learning_rate=NO_STEP).fit(X, Y)
    rows, held_out = split(len(X))
    assert len(held_out) == 12
    x, y = X[rows], Y[rows]
    R, _ = orthogonal_procrustes(x - x.mean(0), y - y.mean(0))
    np.testing.assert_allclose(aligner.network_.coef, R, atol=1e-5)
    np.testing.assert_allclose(aligner.inverse_network_.coef, R.T, atol=1e-5)
    np.testing.assert_allclose(aligner.network_.intercept, y.mean(0) - x.mean(0) @ R, atol=1e-5)
    assert aligner.start_ == "procrustes"


def test_identity_start_moves_nothing():
    X, Y = noisy_pairs()
    aligner = adapter(start="identity", max_epochs=1, learning_rate=NO_STEP).fit(X, Y)
    np.testing.assert_allclose(aligner.transform(X), X, atol=1e-5)
    np.testing.assert_allclose(aligner.inverse_transform(Y), Y, atol=1e-5)
    assert aligner.start_recall_ == pytest.approx(recall(X[split(120)[1]], Y[split(120)[1]]))


def test_residual_start_is_the_linear_start():
    X, Y = noisy_pairs(dy=6)
    linear, residual = (
        adapter(adapter_dim=width, max_epochs=1, learning_rate=NO_STEP).fit(X, Y)
        for width in (0, 4)
    )
    np.testing.assert_allclose(residual.transform(X), linear.transform(X), atol=1e-5)


def test_auto_start_is_a_method_of_the_linear_aligner():
    X, Y = noisy_pairs()
    assert adapter().fit(X, Y).start_ in ("ridge", "procrustes", "spectral")
    assert adapter().fit(X, X + 0.1).start_ == "identity"


# Training


@pytest.mark.parametrize("shared", [False, True])
def test_training_finds_more_than_the_closed_form(shared):
    X, Y = bent_pairs()
    new_X, new_Y = bent_pairs(seed=5)
    trained = learner(shared=shared).fit(X, Y)
    start = learner(shared=shared, learning_rate=NO_STEP).fit(X, Y)
    assert trained.held_out_recall_ > trained.start_recall_ + 0.2
    assert start.held_out_recall_ == trained.start_recall_
    assert trained.score(new_X, new_Y) > 2 * start.score(new_X, new_Y)


def test_map_back_is_trained_too():
    X, Y = bent_pairs()
    aligner = learner(start="procrustes").fit(Y, X)
    held = split(len(X))[1]
    start = learner(start="procrustes", learning_rate=NO_STEP).fit(Y, X)
    before = recall(start.inverse_transform(X[held]), Y[held])
    after = recall(aligner.inverse_transform(X[held]), Y[held])
    assert after > before + 0.2
    best = max(aligner.history_, key=lambda epoch: epoch["held_out_inverse_log_likelihood"])
    assert after == pytest.approx(best["held_out_inverse_recall"])


def test_map_back_is_a_map_from_y_to_x():
    X, Y = noisy_pairs(60, 8, 6)
    # Without common clipping the two maps have nothing to do with each other.
    params = {"early_stopping": False, "max_grad_norm": 1e6, "learning_rate": 1e-2}
    params |= {"start": "spectral", "max_epochs": 4}
    there, back = adapter(**params).fit(X, Y), adapter(**params).fit(Y, X)
    still = adapter(**params).set_params(learning_rate=NO_STEP).fit(X, Y)
    np.testing.assert_allclose(there.inverse_transform(Y), back.transform(Y), atol=1e-3)
    assert np.abs(there.inverse_transform(Y) - still.inverse_transform(Y)).max() > 1e-2


@pytest.mark.parametrize("params", [{"adapter_dim": 0}, {"adapter_dim": 8}, {"rank": 1}])
def test_map_back_that_is_not_trained_is_the_closed_form(params):
    X, Y = noisy_pairs()
    params = {"start": "procrustes", "inverse": False, **params}
    aligner = learner(**{"adapter_dim": None, **params}).fit(X, Y)
    rows, _ = split(len(X))
    x, y = X[rows], Y[rows]
    R, _ = orthogonal_procrustes(y - y.mean(0), x - x.mean(0))
    np.testing.assert_allclose(aligner.inverse_network_.coef, R, atol=1e-5)
    np.testing.assert_allclose(
        aligner.inverse_transform(Y), (Y - y.mean(0)) @ R + x.mean(0), atol=1e-4
    )
    assert np.abs(aligner.network_.coef - R.T).max() > 1e-2 or aligner.network_.layers
    assert not any("inverse" in name for h in aligner.history_ for name in h)


@pytest.mark.parametrize("loss", ["mse", "autoencoder"])
def test_map_back_that_has_no_closed_form_is_least_squares(loss):
    X, Y = noisy_pairs(dy=6)
    aligner = adapter(loss, inverse=False).fit(X, Y)
    Z = np.column_stack([Y, np.ones(len(Y))])
    expected = Z @ np.linalg.lstsq(Z, X, rcond=None)[0]
    np.testing.assert_allclose(aligner.inverse_transform(Y), expected, atol=0.05)


@pytest.mark.parametrize("params", [{"adapter_dim": 4}, {"loss": "mse", "adapter_dim": 16}])
def test_map_there_does_not_need_the_map_back(params):
    X, Y = bent_pairs(200)
    # Without common clipping the two maps have nothing to do with each other.
    params = {"max_grad_norm": 1e6, "early_stopping": False, "dropout": 0, **params}
    alone, both = (learner(inverse=inverse, **params).fit(X, Y) for inverse in (False, True))
    np.testing.assert_allclose(alone.transform(X), both.transform(X), atol=1e-4)


@pytest.mark.parametrize("params", [{"adapter_dim": 4}, {"loss": "mse"}])
@pytest.mark.parametrize("going_on", ["partial_fit", "fit"])
def test_going_on_with_a_map_back_that_was_not_trained(params, going_on):
    X, Y = noisy_pairs(60)
    aligner = adapter(inverse=False, warm_start=True, **params).partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"sklearn\.base\.clone"):
        getattr(aligner.set_params(inverse=True), going_on)(X, Y)


@pytest.mark.parametrize("learning_rate", [1e-3, 0.1, 3.0])
@pytest.mark.parametrize("shared", [False, True])
def test_training_is_never_worse_than_the_start(learning_rate, shared):
    X, Y = bent_pairs(200)
    for seed in range(2):
        aligner = learner(learning_rate=learning_rate, shared=shared, random_state=seed).fit(X, Y)
        assert aligner.held_out_recall_ >= aligner.start_recall_


@pytest.mark.parametrize("params", [{}, {"shared": True}, {"loss": "mse", "adapter_dim": 16}])
def test_held_out_recall_is_that_of_the_fitted_map(params):
    X, Y = bent_pairs(300)
    aligner = learner(**params).fit(X, Y)
    held = split(300)[1]
    assert len(held) == 30
    np.testing.assert_array_equal(aligner.held_out_indices_, held)
    moved, counterparts = aligner.transform(X[held]), aligner.transform_counterparts(Y[held])
    assert aligner.held_out_recall_ == pytest.approx(recall(moved, counterparts))


def test_history_has_one_record_an_epoch():
    aligner = learner(n_iter_no_change=9).fit(*bent_pairs())
    names = {"epoch", "train_loss", "learning_rate", "seconds"}
    names |= {"held_out_recall", "held_out_inverse_recall"}
    names |= {"held_out_log_likelihood", "held_out_inverse_log_likelihood"}
    assert all(set(h) == names for h in aligner.history_)
    assert [h["epoch"] for h in aligner.history_] == [1, 2, 3, 4, 5, 6]
    assert aligner.n_iter_ == 6
    assert all(h["seconds"] > 0 for h in aligner.history_)
    losses = [h["train_loss"] for h in aligner.history_]
    assert losses[-1] < losses[0] - 1
    assert all(type(v) in (int, float) for h in aligner.history_ for v in h.values())


def test_history_of_a_shared_space_has_one_recall():
    history = adapter(shared=True).fit(*noisy_pairs()).history_
    assert all("held_out_recall" in h and "held_out_inverse_recall" not in h for h in history)


@pytest.mark.parametrize("learning_rate", [0.02, 0.3, 3.0])
@pytest.mark.parametrize("shared", [False, True])
def test_likeliest_epoch_that_finds_as_much_as_the_start_is_kept(learning_rate, shared):
    X, Y = bent_pairs(200)
    aligner = learner(learning_rate=learning_rate, shared=shared, n_iter_no_change=9).fit(X, Y)
    start = learner(learning_rate=NO_STEP, shared=shared, max_epochs=1).fit(X, Y).history_
    epochs = [(h["held_out_log_likelihood"], h["held_out_recall"]) for h in start]
    epochs += [(h["held_out_log_likelihood"], h["held_out_recall"]) for h in aligner.history_]
    best = 0
    for i, (likelihood, found) in enumerate(epochs):
        if likelihood > epochs[best][0] and found >= aligner.start_recall_:
            best = i
    assert aligner.best_epoch_ == best
    assert aligner.held_out_recall_ == epochs[best][1]


def test_training_stops_when_nothing_becomes_better():
    X, Y = noisy_pairs()
    aligner = adapter(n_iter_no_change=3, max_epochs=6, learning_rate=NO_STEP).fit(X, Y)
    assert aligner.n_iter_ == len(aligner.history_) == 3
    assert aligner.best_epoch_ == 0
    assert aligner.held_out_recall_ == aligner.start_recall_


def test_all_epochs_without_early_stopping():
    X, Y = noisy_pairs(noise=0)
    aligner = adapter(early_stopping=False, n_iter_no_change=1, max_epochs=4).fit(X, Y)
    assert aligner.n_iter_ == aligner.best_epoch_ == len(aligner.history_) == 4
    assert aligner.held_out_recall_ is None
    assert aligner.start_recall_ is None
    assert not any("held_out" in name for h in aligner.history_ for name in h)


def test_all_pairs_are_trained_on_without_early_stopping():
    X, Y = noisy_pairs()
    params = {"start": "procrustes", "learning_rate": NO_STEP, "early_stopping": False}
    R, _ = orthogonal_procrustes(X - X.mean(0), Y - Y.mean(0))
    np.testing.assert_allclose(adapter(**params).fit(X, Y).network_.coef, R, atol=1e-5)


def test_pulled_adapter_stays_near_the_closed_form():
    X, Y = bent_pairs(200)
    params = {"adapter_dim": 0, "early_stopping": False, "learning_rate": 0.02}
    start = learner(**params).set_params(learning_rate=NO_STEP).fit(X, Y).network_.coef
    far, near = (
        np.abs(learner(**params, weight_decay=w).fit(X, Y).network_.coef - start).max()
        for w in (0, 1e6)
    )
    assert far > 0.05
    assert near < far / 10


def test_pulled_residual_stays_near_the_closed_form():
    X, Y = bent_pairs(200)
    params = {"early_stopping": False, "adapter_dim": 8}
    start = learner(**params, learning_rate=NO_STEP).fit(X, Y).transform(X)
    intercepts = []
    for weight_decay in (0, 1e6):
        aligner = learner(**params, weight_decay=weight_decay).fit(X, Y)
        moved = aligner.transform(X) - start
        intercepts.append(np.abs(moved - moved.mean(axis=0)).max())  # the offset is not pulled
    far, near = intercepts
    assert far > 0.5
    assert near < far / 4


@pytest.mark.parametrize("rank", [1, 2])
def test_rank_of_the_correction(rank):
    X, Y = noisy_pairs(dx=8, dy=6)
    params = {"rank": rank, "early_stopping": False, "max_epochs": 4, "learning_rate": 0.01}
    aligner = adapter(**params).fit(X, Y)
    start, back, _ = closed_form(
        X, Y, np.arange(len(X)), np.empty(0, dtype=int), "auto", False, seed_of(0)
    )
    for fitted, first in ((aligner.network_, start), (aligner.inverse_network_, back)):
        s = np.linalg.svd(fitted.coef - first.coef, compute_uv=False)
        assert s[rank - 1] > 1e-3
        assert s[rank] < 1e-6


def test_correction_is_of_full_rank_without_one():
    X, Y = noisy_pairs(dx=8, dy=6)
    params = {"early_stopping": False, "learning_rate": 0.01}
    start = adapter(**params).set_params(learning_rate=NO_STEP).fit(X, Y).network_.coef
    change = adapter(**params).fit(X, Y).network_.coef - start
    assert np.linalg.svd(change, compute_uv=False)[-1] > 1e-4


@pytest.mark.parametrize("params", [{}, {"shared": True}, {"loss": "mse", "adapter_dim": 16}])
def test_scale_of_the_rows_does_not_matter(params):
    X, Y = bent_pairs(200)
    X, Y = 3 * X, 3 * Y
    params = {"early_stopping": False, **params}
    small = learner(**params).fit(X, Y)
    large = learner(**params).fit(1000 * X, 1000 * Y)
    a, b = small.transform(X), large.transform(1000 * X)
    assert (unit_rows(a) * unit_rows(b)).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(b / 1000, a, atol=0.05 * np.abs(a).max())
    a, b = small.inverse_transform(a), large.inverse_transform(b)
    assert (unit_rows(a) * unit_rows(b)).sum(axis=1).min() > 0.999


def first_loss(X, Y, **params):
    """Loss of the untrained maps over all pairs in one batch."""
    params = {"early_stopping": False, "max_epochs": 1, "learning_rate": NO_STEP, **params}
    aligner = adapter(**params).fit(X, Y)
    return aligner, aligner.history_[0]["train_loss"]


def info_nce(Z, T, n_hard=0):
    """Both directions at the temperature 0.05, with hard negatives among all of T."""
    C = unit_rows(Z) @ unit_rows(T).T
    own = np.diag(C)
    likely = 0.95 * own.clip(0)[:, None] < C
    hard = np.where(likely, -np.inf, C)
    hard = np.sort(hard, axis=1)[:, len(C) - n_hard :]
    forward = np.exp(C / 0.05).sum(axis=1) + np.exp(hard / 0.05).sum(axis=1)
    backward = np.exp(C / 0.05).sum(axis=0)
    return (np.log(forward) + np.log(backward) - 2 * own / 0.05).mean() / 2


@pytest.mark.parametrize("n_hard", [0, 3])
def test_first_training_loss(n_hard):
    X, Y = noisy_pairs(60, 8, 6, noise=2)
    aligner, loss = first_loss(X, Y, mse_weight=0, hard_negatives=n_hard)
    expected = info_nce(aligner.transform(X), Y, n_hard)
    expected += info_nce(aligner.inverse_transform(Y), X, n_hard)
    assert loss == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("unit", [1.0, 30.0])
def test_squared_error_in_the_first_training_loss_is_relative_to_the_variance(unit):
    X, Y = noisy_pairs(60, 8, 6, noise=2)
    X, Y = X + 3, unit * (Y - 5)  # most of a row is what all rows have in common
    aligner, loss = first_loss(X, Y, mse_weight=0.7)
    expected = 0
    for moved, rows in ((aligner.transform(X), Y), (aligner.inverse_transform(Y), X)):
        expected += info_nce(moved, rows)
        expected += 0.7 * ((moved - rows) ** 2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()
    assert loss == pytest.approx(expected, rel=1e-3)


def test_first_training_loss_in_a_shared_space():
    X, Y = noisy_pairs(60, 8, 6, noise=2)
    aligner, loss = first_loss(X, Y, mse_weight=0, shared=True)
    expected = info_nce(aligner.transform(X), aligner.transform_counterparts(Y))
    assert loss == pytest.approx(expected, rel=1e-3)


@pytest.mark.filterwarnings("error")
def test_more_hard_negatives_than_pairs_are_all_pairs():
    X, Y = noisy_pairs(30)
    few, many = (adapter(hard_negatives=n).fit(X, Y) for n in (27, 1000))
    assert np.isfinite([h["train_loss"] for h in many.history_]).all()
    np.testing.assert_array_equal(weights(few), weights(many))


# Randomness


REPEATED = pytest.mark.parametrize(
    "params",
    [
        {},
        {"adapter_dim": 4, "hard_negatives": 2},
        {"rank": 2},
        {"shared": True, "adapter_dim": 4},
        {"loss": "mse", "dropout": 0.5},
        {"loss": "autoencoder", "dropout": 0.5},
    ],
)


@REPEATED
def test_same_random_state_same_bits(params):
    X, Y = noisy_pairs()
    params = {"early_stopping": False, "batch_size": 32, **params}
    first, second = (adapter(**params).fit(X, Y) for _ in range(2))
    assert weights(first).tobytes() == weights(second).tobytes()
    other = adapter(**params, max_epochs=2).set_params(random_state=1).fit(X, Y)
    assert not np.array_equal(weights(first), weights(other))


@REPEATED
def test_global_generators_are_left_alone(params):
    X, Y = noisy_pairs(60)
    before = torch.get_rng_state(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    aligner = adapter(**params).fit(X, Y).partial_fit(X, Y)
    aligner.transform(X)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert pickle.dumps(np.random.get_state()) == before[1]  # noqa: NPY002


@REPEATED
def test_global_generators_play_no_part(params):
    X, Y = noisy_pairs(60)
    fitted = []
    state = torch.get_rng_state()
    for seed in (1, 2):
        torch.manual_seed(seed)
        fitted.append(weights(adapter(**params).fit(X, Y)))
    torch.set_rng_state(state)
    np.testing.assert_array_equal(*fitted)


def test_generator_in_place_of_a_seed():
    X, Y = noisy_pairs(60)
    first, second = (
        weights(adapter("mse", random_state=np.random.RandomState(3)).fit(X, Y)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    generator = np.random.RandomState(3)
    first, second = (weights(adapter("mse", random_state=generator).fit(X, Y)) for _ in range(2))
    assert not np.array_equal(first, second)


def test_dropout_changes_the_weights():
    X, Y = noisy_pairs(60)
    params = {"early_stopping": False, "learning_rate": 0.01}
    plain, dropped = (weights(adapter("mse", dropout=p, **params).fit(X, Y)) for p in (0, 0.5))
    assert not np.array_equal(plain, dropped)


# Going on


def test_partial_fit_learns_a_pass_at_a_time():
    X, Y = bent_pairs()
    aligner = learner(learning_rate=5e-3)
    scores, losses = [], []
    for _ in range(5):
        assert aligner.partial_fit(X, Y) is aligner
        scores.append(aligner.score(X, Y))
        losses += [h["train_loss"] for h in aligner.history_]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.5
    assert scores[-1] > 2 * scores[0]


@pytest.mark.parametrize("params", [{"shared": True}, {"loss": "mse", "adapter_dim": 16}])
def test_partial_fit_of_other_kinds(params):
    X, Y = bent_pairs()
    aligner = learner(learning_rate=5e-3, **params)
    losses = [aligner.partial_fit(X, Y).history_[0]["train_loss"] for _ in range(6)]
    assert losses[-1] < 0.9 * losses[0]


def test_first_partial_fit_starts_from_the_closed_form_of_all_its_pairs():
    X, Y = noisy_pairs()
    aligner = adapter(start="procrustes", learning_rate=NO_STEP).partial_fit(X, Y)
    R, _ = orthogonal_procrustes(X - X.mean(0), Y - Y.mean(0))
    np.testing.assert_allclose(aligner.network_.coef, R, atol=1e-5)
    assert (aligner.n_iter_, aligner.held_out_recall_, aligner.start_recall_) == (1, None, None)


@pytest.mark.parametrize("first", ["fit", "partial_fit"])
@pytest.mark.parametrize("params", [{}, {"adapter_dim": 4}, {"shared": True}])
def test_partial_fit_goes_on_from_the_weights_that_are_there(first, params):
    X, Y = noisy_pairs()
    other_X, other_Y = noisy_pairs(seed=1, noise=3)
    moved = [
        getattr(adapter(learning_rate=rate, **params), first)(X, Y)
        .set_params(random_state=5)
        .partial_fit(other_X, other_Y)
        .transform(X)
        for rate in (NO_STEP, 0.01)
    ]
    before = getattr(adapter(learning_rate=NO_STEP, **params), first)(X, Y).transform(X)
    afresh = adapter(learning_rate=NO_STEP, **params).partial_fit(other_X, other_Y).transform(X)
    np.testing.assert_allclose(moved[0], before, atol=1e-4)
    assert np.abs(moved[1] - before).max() > 1e-2
    assert np.abs(afresh - before).max() > 1e-2


def test_partial_fit_takes_up_a_changed_learning_rate():
    X, Y = noisy_pairs()
    aligner = adapter(learning_rate=0.01).partial_fit(X, Y)
    before = weights(aligner)
    aligner.set_params(learning_rate=NO_STEP).partial_fit(X, Y)
    np.testing.assert_allclose(weights(aligner), before, atol=1e-6)


def test_learning_rate_of_partial_fit_is_constant():
    X, Y = noisy_pairs()
    aligner = adapter(learning_rate=0.01)
    rates = [aligner.partial_fit(X, Y).history_[0]["learning_rate"] for _ in range(3)]
    assert rates == [0.01] * 3


def test_partial_fit_goes_on_with_the_state_of_adam():
    X, Y = noisy_pairs(60)
    kept, lost = (adapter().partial_fit(X, Y) for _ in range(2))
    lost._partial_state = None
    kept.partial_fit(X, Y)
    lost.partial_fit(X, Y)
    assert not np.array_equal(weights(kept), weights(lost))


@pytest.mark.parametrize("going_on", ["partial_fit", "fit"])
@pytest.mark.parametrize(
    ("dx", "dy", "message"),
    [(7, 8, "X has 7 features, but .* expecting 8"), (8, 7, "y has 7 features.* on 8.*clone")],
)
def test_going_on_with_another_width(going_on, dx, dy, message):
    X, Y = noisy_pairs(60)
    aligner = adapter(warm_start=True).fit(X, Y)
    before = aligner.transform(X)
    with pytest.raises(ValueError, match=message):
        getattr(aligner, going_on)(*noisy_pairs(60, dx, dy))
    np.testing.assert_array_equal(aligner.transform(X), before)


@pytest.mark.parametrize("going_on", ["partial_fit", "fit"])
@pytest.mark.parametrize(
    "changed",
    [
        {"adapter_dim": 3},
        {"rank": 1},
        {"shared": True},
        {"loss": "mse"},
        {"architecture": "fc"},
    ],
)
def test_going_on_with_other_layers(going_on, changed):
    X, Y = noisy_pairs(60)
    aligner = adapter(warm_start=True).partial_fit(X, Y).set_params(**changed)
    with pytest.raises(ValueError, match=r"parameters are others now.*sklearn\.base\.clone"):
        getattr(aligner, going_on)(X, Y)
    getattr(clone(aligner), going_on)(X, Y)


@pytest.mark.parametrize("params", [{}, {"adapter_dim": 4}, {"rank": 2}, {"shared": True}])
def test_warm_start_goes_on_where_the_last_fit_ended(params):
    X, Y = noisy_pairs()
    aligner = learner(**{"adapter_dim": None, **params}, early_stopping=False).fit(X, Y)
    before = aligner.transform(X), aligner.transform_counterparts(Y)
    aligner.set_params(warm_start=True, learning_rate=NO_STEP).fit(X, Y)
    for a, b in zip(before, (aligner.transform(X), aligner.transform_counterparts(Y)), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-4)
    # Without it the closed form is back.
    cold = clone(aligner).set_params(warm_start=False).fit(X, Y)
    aligner.set_params(warm_start=False).fit(X, Y)
    np.testing.assert_array_equal(weights(aligner), weights(cold))
    assert np.abs(aligner.transform(X) - before[0]).max() > 1e-2


def test_warm_start_keeps_recall():
    X, Y = bent_pairs()
    aligner = learner(warm_start=True).fit(X, Y)
    reached = aligner.held_out_recall_
    aligner.fit(X, Y)
    assert aligner.start_recall_ == reached  # the same seed holds out the same pairs
    assert aligner.held_out_recall_ >= reached


def test_first_warm_start_is_a_plain_fit():
    X, Y = noisy_pairs(60)
    plain, warm = adapter().fit(X, Y), adapter(warm_start=True).fit(X, Y)
    np.testing.assert_array_equal(weights(plain), weights(warm))


def test_refit_forgets_the_first_fit():
    aligner = adapter(shared=True).fit(*noisy_pairs(60))
    aligner.set_params(shared=False, early_stopping=False).fit(*noisy_pairs(60, 6, 4))
    assert not hasattr(aligner, "counterpart_network_")
    assert aligner.held_out_recall_ is None
    assert aligner.transform(noisy_pairs(60, 6, 4)[0]).shape == (60, 4)


# The shared space


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
    np.testing.assert_allclose(moved_back, expected, atol=0.05)


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
    np.testing.assert_allclose(A @ B.T, (Zx * s ** (2 * power)) @ Zy.T * stretch**2, atol=1e-6)
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
    np.testing.assert_allclose(back.mean(axis=0), X.mean(axis=0), atol=1e-9)


@WIDTHS
def test_linear_canonical_variates_are_uncorrelated_and_of_one_variance(dx, dy):
    X, Y = shared_pairs(dx=dx, dy=dy)
    aligner = LinearAligner(shared=True, alpha=0, power=0).fit(X, Y)
    A, B = aligner.transform(X), aligner.transform_counterparts(Y)
    k = min(dx, dy)
    variance = Y.var(axis=0).sum() / k
    for moved in (A, B):
        np.testing.assert_allclose(moved.T @ moved / len(X), variance * np.eye(k), atol=1e-7)
    s = canonical_variates(X, Y)[2]
    np.testing.assert_allclose(A.T @ B / len(X), variance * np.diag(s), atol=1e-7)


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
    np.testing.assert_allclose(moved, stretch**2 * A @ B.T, atol=1e-8)


def test_shared_start_is_the_linear_shared_space():
    X, Y = shared_pairs()
    params = {"shared": True, "early_stopping": False, "learning_rate": NO_STEP}
    aligner = adapter(**params).fit(X, Y)
    linear = LinearAligner(shared=True).fit(X, Y)
    np.testing.assert_allclose(aligner.transform(X), linear.transform(X), atol=1e-4)
    np.testing.assert_allclose(
        aligner.transform_counterparts(Y), linear.transform_counterparts(Y), atol=1e-4
    )


# Among scikit-learn's tools


SAVED = pytest.mark.parametrize(
    "params", [{}, {"adapter_dim": 4}, {"loss": "mse"}, {"shared": True}, {"warm_start": True}]
)


@SAVED
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_pickle(params, method):
    X, Y = noisy_pairs(60)
    aligner = getattr(adapter(**params), method)(X, Y)
    copy = pickle.loads(pickle.dumps(aligner))
    np.testing.assert_array_equal(copy.transform(X), aligner.transform(X))
    np.testing.assert_array_equal(copy.inverse_transform(Y), aligner.inverse_transform(Y))
    assert copy.history_ == aligner.history_
    assert copy.get_params() == aligner.get_params()
    copy.partial_fit(X, Y)
    aligner.partial_fit(X, Y)
    np.testing.assert_array_equal(weights(copy), weights(aligner))


_WITHOUT_TORCH = """
import pickle, sys
import numpy as np
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        aligner, X, Y, moved, back, score = pickle.load(file)
    assert np.allclose(aligner.transform(X), moved, atol=1e-6)
    assert np.allclose(aligner.inverse_transform(moved), back, atol=1e-6)
    assert aligner.score(X, Y) == score
assert "torch" not in sys.modules, "torch was loaded"
assert "skorch" not in sys.modules, "skorch was loaded"
print("moved without torch")
"""


def test_serving_a_pickle_does_not_load_torch(tmp_path):
    X, Y = (A.astype(np.float32) for A in noisy_pairs(60))
    paths = []
    for i, params in enumerate(({"adapter_dim": 4}, {"loss": "mse"}, {"shared": True})):
        aligner = adapter(**params).fit(X, Y)
        moved = aligner.transform(X)
        saved = aligner, X, Y, moved, aligner.inverse_transform(moved), aligner.score(X, Y)
        paths.append(tmp_path / f"{i}.pickle")
        paths[-1].write_bytes(pickle.dumps(saved))
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, *map(str, paths)], capture_output=True, text=True
    )
    assert done.stdout == "moved without torch\n", done.stderr


def test_clone_keeps_parameters_and_forgets_the_fit():
    aligner = adapter(adapter_dim=3, temperature=0.1, early_stopping=False)
    copy = clone(aligner.fit(*noisy_pairs(60)))
    assert copy.get_params() == aligner.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    with pytest.raises(NotFittedError, match="AdapterAligner"):
        copy.transform(noisy_pairs(60)[0])


@pytest.mark.parametrize("params", [{}, {"loss": "mse"}, {"shared": True}])
def test_names_and_frames(params):
    X, Y = noisy_pairs(60, 6, 4)
    names = [f"adapteraligner{i}" for i in range(4)]
    columns = list("abcdef")
    aligner = adapter(**params).fit(pd.DataFrame(X, columns=columns), Y)
    assert aligner.feature_names_in_.tolist() == columns
    assert aligner.get_feature_names_out().tolist() == names
    plain = adapter(**params).fit(X, Y).transform(X)
    aligner.set_output(transform="pandas")
    frame = aligner.transform(pd.DataFrame(X, columns=columns, index=range(9, 69)))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == names
    assert frame.index.tolist() == list(range(9, 69))
    np.testing.assert_array_equal(frame, plain)


def test_grid_search_over_the_width():
    X, Y = bent_pairs()
    search = GridSearchCV(learner(), {"adapter_dim": [0, 16]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"adapter_dim": 16}  # a linear adapter does not see sizes
    assert search.best_estimator_.network_.layers


@pytest.mark.gpu
def test_training_on_a_gpu_gives_about_the_same_map():
    if torch.cuda.is_available():
        device = "cuda"
    elif torch.backends.mps.is_available():
        device = "mps"
    else:
        pytest.skip("there is neither a CUDA nor an MPS device")
    X, Y = (A.astype(np.float32) for A in bent_pairs())
    on_cpu = learner(early_stopping=False).fit(X, Y)
    on_gpu = learner(early_stopping=False, device=device).fit(X, Y)
    assert isinstance(on_gpu.network_.coef, np.ndarray)
    cosines = (unit_rows(on_gpu.transform(X)) * unit_rows(on_cpu.transform(X))).sum(axis=1)
    assert np.median(cosines) > 0.98
    assert on_gpu.score(X, Y) > 0.7 * on_cpu.score(X, Y)


# Bad input


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
        ({"weight_decay": -1}, "weight_decay must be a non-negative number, got -1"),
        ({"weight_decay": True}, "weight_decay must be a non-negative number, got True"),
        ({"dropout": 1}, r"dropout must be a number in \[0, 1\), got 1"),
        ({"dropout": -0.1}, r"dropout must be a number in \[0, 1\), got -0.1"),
        ({"validation_fraction": 0}, r"validation_fraction must be a number in \(0, 1\), got 0"),
        ({"validation_fraction": 1.0}, r"validation_fraction must be .* got 1.0"),
        ({"hard_negatives": -1}, "hard_negatives must be a non-negative int, got -1"),
        ({"hard_negatives": 1.0}, "hard_negatives must be a non-negative int, got 1.0"),
        ({"hard_negatives": None}, "hard_negatives must be a non-negative int, got None"),
        ({"shared": "yes"}, "shared must be True or False, got 'yes'"),
        ({"inverse": 1}, "inverse must be True or False, got 1"),
        ({"early_stopping": None}, "early_stopping must be True or False, got None"),
        ({"warm_start": 0}, "warm_start must be True or False, got 0"),
        ({"max_epochs": 0}, "max_epochs must be a positive int, got 0"),
        ({"max_epochs": 2.5}, "max_epochs must be a positive int, got 2.5"),
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

"""What training of an adapter does to its maps."""

import pickle

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from langalign_sk.mapping.rows import PairedRows
from langalign_sk.mapping.training.start import closed_form
from tests.mapping.adapter.cases import (
    NO_STEP,
    adapter,
    bent_pairs,
    learner,
    noisy_pairs,
    recall,
    seed_of,
    split,
    unit_rows,
    weights,
)
from tests.mapping.close import assert_close

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
    assert_close(there.inverse_transform(Y), back.transform(Y), 1e-3)
    assert np.abs(there.inverse_transform(Y) - still.inverse_transform(Y)).max() > 1e-2


@pytest.mark.parametrize(
    "params",
    [{"adapter_dim": 0}, {"adapter_dim": 8}, {"rank": 1}, {"loss": "mse"}, {"loss": "autoencoder"}],
)
def test_map_back_that_is_not_trained_is_the_closed_form(params):
    X, Y = noisy_pairs()
    params = {"start": "procrustes", "inverse": False, **params}
    aligner = learner(**{"adapter_dim": None, **params}).fit(X, Y)
    rows, _ = split(len(X))
    x, y = X[rows], Y[rows]
    R, _ = orthogonal_procrustes(y - y.mean(0), x - x.mean(0))
    assert_close(aligner.inverse_network_.coef, R, 1e-5)
    assert_close(aligner.inverse_transform(Y), (Y - y.mean(0)) @ R + x.mean(0), 1e-4)
    assert aligner.network_.layers or np.abs(aligner.network_.coef - R.T).max() > 1e-2
    assert not any("inverse" in name for h in aligner.history_ for name in h)


@pytest.mark.parametrize("loss", ["mse", "autoencoder"])
def test_map_back_that_has_no_closed_form_is_least_squares(loss):
    X, Y = noisy_pairs(dy=6)
    aligner = adapter(loss, init="random", inverse=False).fit(X, Y)
    Z = np.column_stack([Y, np.ones(len(Y))])
    expected = Z @ np.linalg.lstsq(Z, X, rcond=None)[0]
    assert_close(aligner.inverse_transform(Y), expected, 0.05)


@pytest.mark.parametrize("params", [{"adapter_dim": 4}, {"loss": "mse", "adapter_dim": 16}])
def test_map_there_does_not_need_the_map_back(params):
    X, Y = bent_pairs(200)
    # Without common clipping the two maps have nothing to do with each other.
    params = {"max_grad_norm": 1e6, "early_stopping": False, "dropout": 0, **params}
    alone, both = (learner(inverse=inverse, **params).fit(X, Y) for inverse in (False, True))
    assert_close(alone.transform(X), both.transform(X), 1e-4)


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
    names |= {"held_out_r2", "held_out_inverse_r2"}
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
    assert_close(adapter(**params).fit(X, Y).network_.coef, R, 1e-5)


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
        PairedRows(X, Y), np.arange(len(X)), np.empty(0, dtype=int), "auto", False, seed_of(0)
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

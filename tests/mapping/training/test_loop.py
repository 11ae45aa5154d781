"""The training loop: its steps, and how it ends early."""

import itertools
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from skorch.history import History

from langalign_sk.mapping import Network
from langalign_sk.mapping.training.batches import PairDataset
from langalign_sk.mapping.training.callbacks import Kept
from langalign_sk.mapping.training.modules import BothWays, Trainable
from tests.mapping.close import assert_close
from tests.mapping.training.cases import (
    KINDS,
    NO_STEP,
    On,
    X,
    Y,
    adapter,
    interrupt,
    weights,
)

UNTRAINED = {"early_stopping": False, "max_epochs": 1, "learning_rate": NO_STEP}


def spoil(net):
    with torch.no_grad():
        next(net.module_.there.parameters()).view(-1)[0] = float("nan")


# A loss that is not finite


@KINDS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_before_the_loss_was_not_finite_are_kept(params, early_stopping):
    params = {**params, "early_stopping": early_stopping}
    with pytest.warns(ConvergenceWarning, match="not finite in epoch 3: training stopped"):
        aligner = adapter(callbacks=[On("on_epoch_begin", spoil, 3)], **params).fit(X, Y)
    assert aligner.n_iter_ == len(aligner.history_) == 2
    assert aligner.best_epoch_ <= 2
    assert np.isfinite(weights(aligner)).all()
    assert np.isfinite(aligner.transform(X)).all()
    assert np.isfinite(aligner.inverse_transform(aligner.transform(X))).all()
    # The same as of a run that somebody ended there.
    with pytest.warns(UserWarning, match="interrupted"):
        stopped = adapter(callbacks=[On("on_epoch_begin", interrupt, 3)], **params).fit(X, Y)
    np.testing.assert_array_equal(weights(aligner), weights(stopped))


def test_weights_of_the_epoch_before_are_kept_without_early_stopping():
    seen = []
    see = On("on_epoch_end", lambda net: seen.append(net.module_.there.network().coef))
    callbacks = [On("on_epoch_begin", spoil, 3), see]
    with pytest.warns(ConvergenceWarning, match="the weights of epoch 2 are kept.* learning_rate"):
        aligner = adapter(callbacks=callbacks, early_stopping=False).fit(X, Y)
    assert aligner.best_epoch_ == 2
    assert not np.array_equal(*seen)
    np.testing.assert_array_equal(aligner.network_.coef, seen[1])  # unit rows: nothing is rescaled


@pytest.mark.parametrize("early_stopping", [False, True])
def test_learning_rate_that_is_far_too_high(early_stopping):
    params = {"adapter_dim": 4, "early_stopping": early_stopping}
    with pytest.warns(ConvergenceWarning, match="not finite in epoch 1.*epoch 0 are kept"):
        aligner = adapter(learning_rate=1e30, **params).fit(X, Y)
    assert (aligner.n_iter_, aligner.best_epoch_, aligner.history_) == (0, 0, [])
    assert aligner.held_out_recall_ == aligner.start_recall_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = adapter(learning_rate=NO_STEP, **params, max_epochs=1).fit(X, Y)
    assert_close(aligner.transform(X), start.transform(X), 1e-6)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_that_are_spoilt_by_the_last_step_are_not_kept(early_stopping):
    params = {"early_stopping": early_stopping, "batch_size": 120 - 12 * early_stopping}  # one step
    aligner = adapter(callbacks=[On("on_batch_end", spoil, 4)], **params).fit(X, Y)
    with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
        stopped = adapter(callbacks=[On("on_epoch_begin", interrupt, 4)], **params).fit(X, Y)
    np.testing.assert_array_equal(aligner.network_(X), stopped.network_(X))
    assert np.isfinite(weights(aligner)).all()
    assert aligner.best_epoch_ <= 3


def test_partial_fit_survives_a_loss_that_is_not_finite():
    aligner = adapter().partial_fit(X, Y)
    before = weights(aligner)
    aligner.set_params(callbacks=[On("on_epoch_begin", spoil)])
    with pytest.warns(ConvergenceWarning, match="not finite in epoch 1"):
        aligner.partial_fit(X, Y)
    np.testing.assert_array_equal(weights(aligner), before)


# Ctrl-C


@KINDS
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupted_fit_is_usable(params, early_stopping):
    params = {**params, "early_stopping": early_stopping}
    stop = On("on_batch_end", interrupt, 2)
    with pytest.warns(UserWarning, match="Training was interrupted after 1 epochs"):
        aligner = adapter(callbacks=[stop], **params).fit(X, Y)
    assert aligner.n_iter_ == len(aligner.history_) == 1
    assert np.isfinite(aligner.transform(X)).all()
    assert 0 <= aligner.score(X, Y) <= 1
    assert aligner.set_params(callbacks=None).fit(X, Y).n_iter_ == 4


@pytest.mark.parametrize("event", ["on_epoch_begin", "on_batch_begin", "on_batch_end"])
def test_fit_interrupted_in_its_first_epoch_is_the_closed_form(event):
    stop = On(event, interrupt, 1)
    with pytest.warns(UserWarning, match="interrupted after 0 epochs.*epoch 0 are kept"):
        aligner = adapter(callbacks=[stop], early_stopping=False).fit(X, Y)
    start = adapter(**UNTRAINED).fit(X, Y)
    assert_close(aligner.transform(X), start.transform(X), 1e-6)
    assert aligner.n_iter_ == 0


# Steps


class Batches(Callback):
    """Keeps the first column of X of every batch, epoch by epoch."""

    def __init__(self):
        self.epochs = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append([])

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.epochs[-1] += batch[0]["x"][:, 0].tolist()


def test_every_epoch_has_the_training_pairs_in_another_order():
    seen = Batches()
    aligner = adapter(callbacks=[seen]).fit(X, Y)
    trained = np.delete(X[:, 0], aligner.held_out_indices_)
    assert len(seen.epochs) == 4
    for epoch in seen.epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.sort(trained))
    assert all(a != b for a, b in itertools.combinations(seen.epochs, 2))


@pytest.mark.parametrize("limit", [1e-3, 1e6])
def test_gradients_are_clipped(limit):
    norms = []

    def see(net):
        of_maps, of_loss = net.module_.parameters(), net.criterion_.parameters()
        gradients = [p.grad for p in itertools.chain(of_maps, of_loss)]
        norms.append(np.sqrt(sum(float((g**2).sum()) for g in gradients)))

    adapter(callbacks=[On("on_grad_computed", see)], max_grad_norm=limit).fit(X, Y)
    if limit == 1e-3:
        np.testing.assert_allclose(norms, 1e-3, rtol=1e-3)
    else:
        assert min(norms) > 0.05


def test_partial_fit_goes_on_with_the_learned_temperature():
    scales = []

    def see(net):
        scales.append(net.criterion_.log_scale.detach().clone())

    callbacks = [("first", On("on_epoch_begin", see)), ("last", On("on_epoch_end", see))]
    aligner = adapter(callbacks=callbacks, temperature=0.2, learning_rate=0.1)
    aligner.partial_fit(X, Y).partial_fit(X, Y)
    np.testing.assert_allclose(scales[0], np.log(5), rtol=1e-6)
    assert not torch.equal(scales[0], scales[1])
    assert torch.equal(scales[1], scales[2])


def test_epoch_that_finds_less_than_the_start_is_not_kept():
    # All rows of the start are right, by very little; of the next, all but one by far.
    n = 12
    start, later = np.ones((n, n)) + 0.01 * np.eye(n), np.eye(n)
    later[0, 1] = 1.1
    rows = np.eye(n, dtype=np.float32)
    made = [Network(coef, np.zeros(n)) for coef in (start, later, 2 * np.eye(n))]
    history = History()
    net = SimpleNamespace(optimizer_=SimpleNamespace(param_groups=[{"lr": 0.1}]), history=history)
    kept = Kept(PairDataset(rows, rows, np.arange(n), np.arange(n)), np.arange(n), 9)
    epochs = []
    for i, network in enumerate(made):
        there = Trainable(network, dropout=0, rank=None, linear=True, seed=0)
        net.module_ = BothWays(there, None)
        if i == 0:
            kept.on_train_begin(net)
            continue
        history.new_epoch()
        history.new_batch()
        history.record_batch("train_loss", 1.0)
        kept.on_epoch_begin(net)
        kept.on_epoch_end(net)
        epochs.append(kept.best_epoch)
    assert epochs == [0, 2]
    assert kept.start_recall == [1.0]
    first, second = kept.history
    assert (first["held_out_recall"], second["held_out_recall"]) == (1 - 1 / 24, 1.0)
    assert second["held_out_log_likelihood"] > first["held_out_log_likelihood"]
    assert kept.recall == [1.0]
    np.testing.assert_array_equal(kept.best[0].coef, made[2].coef)

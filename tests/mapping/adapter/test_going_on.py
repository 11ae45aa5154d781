"""Training that goes on: partial_fit and warm_start."""

import pickle

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from sklearn.base import clone

from tests.mapping.adapter.cases import (
    NO_STEP,
    adapter,
    bent_pairs,
    learner,
    noisy_pairs,
    weights,
)
from tests.mapping.close import assert_close


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


@pytest.mark.parametrize(
    "params", [{"shared": True}, {"loss": "mse", "adapter_dim": 16, "weight_decay": 0}]
)
def test_partial_fit_of_other_kinds(params):
    X, Y = bent_pairs()
    aligner = learner(learning_rate=5e-3, **params)
    losses = [aligner.partial_fit(X, Y).history_[0]["train_loss"] for _ in range(6)]
    assert losses[-1] < 0.9 * losses[0]


def test_first_partial_fit_starts_from_the_closed_form_of_all_its_pairs():
    X, Y = noisy_pairs()
    aligner = adapter(start="procrustes", learning_rate=NO_STEP).partial_fit(X, Y)
    R, _ = orthogonal_procrustes(X - X.mean(0), Y - Y.mean(0))
    assert_close(aligner.network_.coef, R, 1e-5)
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
    assert_close(moved[0], before, 1e-4)
    assert np.abs(moved[1] - before).max() > 1e-2
    assert np.abs(afresh - before).max() > 1e-2


def test_partial_fit_takes_up_a_changed_learning_rate():
    X, Y = noisy_pairs()
    aligner = adapter(learning_rate=0.01).partial_fit(X, Y)
    before = weights(aligner)
    aligner.set_params(learning_rate=NO_STEP).partial_fit(X, Y)
    assert_close(weights(aligner), before, 1e-6)


def test_learning_rate_of_partial_fit_is_constant():
    X, Y = noisy_pairs()
    aligner = adapter(learning_rate=0.01)
    rates = [aligner.partial_fit(X, Y).history_[0]["learning_rate"] for _ in range(3)]
    assert rates == [0.01] * 3


def test_partial_fit_leaves_the_state_that_it_goes_on_from():
    X, Y = noisy_pairs(60)
    aligner = adapter().partial_fit(X, Y)
    former = aligner._partial_state
    before = pickle.dumps(former)
    aligner.partial_fit(X[::-1], Y[::-1])
    assert pickle.dumps(former) == before


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
        assert_close(b, a, 1e-4)
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

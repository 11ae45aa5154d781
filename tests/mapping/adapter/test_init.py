"""First weights of the networks of the paper: a closed form, or random ones."""

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk.mapping import AdapterAligner, LinearAligner
from tests.mapping.adapter.cases import NO_STEP, adapter, bent_pairs, noisy_pairs, recall, split
from tests.mapping.close import assert_close

PAPER = pytest.mark.parametrize("loss", ["mse", "autoencoder"])
UNTRAINED = {"max_epochs": 1, "learning_rate": NO_STEP, "early_stopping": False}


def unit_pairs(n=400):
    X, Y = noisy_pairs(n, 8, 8, noise=0.5)
    return tuple(A / np.linalg.norm(A, axis=1, keepdims=True) for A in (X, Y))


@pytest.mark.parametrize("start", ["ridge", "procrustes", "spectral", "identity"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_untrained_network_is_its_closed_form(start, dtype):
    X, Y = (A.astype(dtype) for A in noisy_pairs())
    fitted = adapter("mse", start=start, **UNTRAINED).fit(X, Y)
    there = adapter(start=start, **UNTRAINED).fit(X, Y)
    assert fitted.network_.coef is None
    assert len(fitted.network_.layers) == 6
    assert_close(fitted.transform(X), there.transform(X), 1e-4)
    assert_close(fitted.inverse_transform(Y), there.inverse_transform(Y), 1e-4)
    assert fitted.start_ == start


def test_untrained_network_is_its_closed_form_on_any_row():
    X, Y = noisy_pairs()
    fitted = adapter("mse", start="procrustes", **UNTRAINED).fit(X, Y)
    closed = LinearAligner("procrustes").fit(X, Y)
    others = 100 * np.random.default_rng(5).normal(size=(20, 8))
    assert_close(fitted.transform(others), closed.transform(others), 1e-4)


def test_untrained_code_holds_the_best_part_of_its_rank():
    X, Y = noisy_pairs()
    fitted = adapter("autoencoder", adapter_dim=3, start="procrustes", **UNTRAINED).fit(X, Y)
    moved = LinearAligner("procrustes").fit(X, Y).transform(X)
    center = moved.mean(axis=0)
    U, s, Vt = np.linalg.svd(moved - center, full_matrices=False)
    best = (U[:, :3] * s[:3]) @ Vt[:3] + center
    assert_close(fitted.transform(X), best, 1e-3)


@PAPER
def test_code_and_layers_hold_nearly_all_variance_by_default(loss):
    X, Y = noisy_pairs()
    moved = adapter(loss, start="procrustes", **UNTRAINED).fit(X, Y).transform(X)
    expected = LinearAligner("procrustes").fit(X, Y).transform(X)
    left = np.square(moved - expected).sum()
    assert left <= 0.011 * np.square(expected - expected.mean(axis=0)).sum()


@PAPER
@pytest.mark.parametrize("pairs", [unit_pairs, noisy_pairs, bent_pairs])
@pytest.mark.parametrize("learning_rate", [None, 1e-2])
def test_neither_map_finds_less_than_the_closed_form(loss, pairs, learning_rate):
    X, Y = pairs()
    fitted = adapter(loss, start="ridge", learning_rate=learning_rate, max_epochs=3).fit(X, Y)
    held = split(len(X))[1]
    closed = adapter(start="ridge", **UNTRAINED | {"early_stopping": True}).fit(X, Y)
    np.testing.assert_array_equal(closed.held_out_indices_, held)
    x, y = X[held], Y[held]
    for name, a, b in (("transform", x, y), ("inverse_transform", y, x)):
        moved, before = getattr(fitted, name)(a), getattr(closed, name)(a)
        assert recall(moved, b) >= recall(before, b) - 1e-9
        assert np.square(moved - b).sum() <= np.square(before - b).sum() * (1 + 1e-5)
    assert fitted.held_out_recall_ >= fitted.start_recall_


@PAPER
def test_training_that_gains_nothing_leaves_the_closed_form_itself(loss):
    X, Y = noisy_pairs()
    fitted = adapter(loss, adapter_dim=40, start="procrustes", learning_rate=NO_STEP).fit(X, Y)
    rows, _ = split(len(X))
    closed = LinearAligner("procrustes").fit(X[rows], Y[rows])
    assert fitted.best_epoch_ == 0
    assert fitted.network_.layers == ()
    assert_close(fitted.network_.coef, closed.coef_, 1e-5)
    assert_close(fitted.inverse_transform(Y), closed.inverse_transform(Y), 1e-5)


def test_training_lowers_the_squared_error():
    X, Y = bent_pairs()
    fitted = adapter("mse", learning_rate=1e-2, batch_size=32, max_epochs=6).fit(X, Y)
    held = split(len(X))[1]
    start = LinearAligner("ridge", random_state=0).fit(X, Y)
    error, before = (np.square(a.transform(X[held]) - Y[held]).sum() for a in (fitted, start))
    assert fitted.best_epoch_ > 0
    assert error < 0.9 * before


@PAPER
def test_pull_keeps_weights_near_the_closed_form(loss):
    X, Y = bent_pairs()
    params = {"learning_rate": 1e-3, "max_epochs": 5, "early_stopping": False, "start": "ridge"}
    start = adapter(loss, **UNTRAINED, start="ridge").fit(X, Y).transform(X)
    far, near = (
        np.abs(adapter(loss, weight_decay=w, **params).fit(X, Y).transform(X) - start).max()
        for w in (0.0, 1e4)
    )
    assert near < 0.7 * far


@PAPER
@pytest.mark.parametrize("going_on", ["partial_fit", "fit"])
def test_going_on_from_a_closed_form_that_was_kept(loss, going_on):
    X, Y = noisy_pairs()
    fitted = adapter(loss, adapter_dim=40, warm_start=True, learning_rate=NO_STEP).fit(X, Y)
    assert fitted.network_.layers == ()
    before = fitted.transform(X)
    getattr(fitted.set_params(early_stopping=False), going_on)(X, Y)
    assert len(fitted.network_.layers) == 6
    left = np.square(fitted.transform(X) - before).sum()
    assert left <= 0.011 * np.square(before - before.mean(axis=0)).sum()


@PAPER
def test_same_seed_gives_the_same_network(loss):
    X, Y = unit_pairs(100)
    first, second = (adapter(loss).fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


@PAPER
def test_fewer_pairs_than_a_batch(loss):
    X, Y = unit_pairs(30)
    with pytest.warns(UserWarning, match="batch_size=64 is more than the 27 pairs to train on"):
        fitted = adapter(loss, batch_size=64).fit(X, Y)
    assert np.isfinite(fitted.transform(X)).all()
    assert np.isfinite(adapter(loss).fit(X[:12], Y[:12]).transform(X)).all()


@PAPER
def test_constant_rows_are_refused(loss):
    X, Y = unit_pairs(30)
    for pairs in ((np.ones_like(X), Y), (X, np.ones_like(Y))):
        with pytest.raises(ValueError, match="have the same row on one side"):
            adapter(loss).fit(*pairs)


@PAPER
@pytest.mark.parametrize("width", [1, 2, 40])
def test_any_width(loss, width):
    X, Y = unit_pairs(60)
    fitted = adapter(loss, adapter_dim=width, early_stopping=False).fit(X, Y)
    assert np.isfinite(fitted.transform(X)).all()


@PAPER
def test_constant_features_beside_others(loss):
    X, Y = unit_pairs(60)
    X[:, 0], Y[:, 1] = 0.5, 0
    fitted = adapter(loss).fit(X, Y)
    assert np.isfinite(fitted.transform(X)).all()
    assert np.isfinite(fitted.inverse_transform(Y)).all()


def test_random_weights_know_no_closed_form():
    X, Y = noisy_pairs()
    fitted = adapter("mse", init="random").fit(X, Y)
    assert fitted.start_ is None
    assert len(fitted.network_.layers) == 6
    twin = clone(fitted)
    assert twin.init == "random"


@pytest.mark.parametrize("objective", ["retrieval", "head"])
def test_objective_says_which_figure_chooses_the_epoch(objective):
    X, Y = bent_pairs()
    params = {"learning_rate": 0.02, "batch_size": 32, "max_epochs": 6, "n_iter_no_change": 9}
    fitted = adapter("contrastive", adapter_dim=16, objective=objective, **params).fit(X, Y)
    key = {"retrieval": "held_out_log_likelihood", "head": "held_out_r2"}[objective]
    found = [h[key] for h in fitted.history_]
    assert fitted.best_epoch_ in (0, 1 + int(np.argmax(found)))
    assert fitted.held_out_recall_ >= fitted.start_recall_


def test_start_for_heads_is_a_ridge_within_one_space():
    # A rotation finds most translations here; a ridge stays near the identity.
    draw = np.random.default_rng(0)
    X = draw.normal(size=(600, 8)) / 8
    turn = np.linalg.qr(np.eye(8) + 0.05 * draw.normal(size=(8, 8)))[0]
    Y = X @ (turn * np.sign(np.diag(turn))) + 0.03 * draw.normal(size=X.shape)
    params = {"max_epochs": 1, "learning_rate": NO_STEP}
    assert adapter("mse", objective="retrieval", **params).fit(X, Y).start_ == "procrustes"
    assert adapter("mse", **params).fit(X, Y).start_ == "ridge"
    assert adapter("mse", start="procrustes", **params).fit(X, Y).start_ == "procrustes"


def test_start_for_heads_between_two_spaces_is_the_best_there_is():
    X, Y = noisy_pairs(300, noise=0.05)
    params = {"max_epochs": 1, "learning_rate": NO_STEP}
    assert adapter("mse", **params).fit(X, Y[:, ::-1]).start_ in ("spectral", "procrustes")


def test_state_of_an_earlier_release_works():
    X, Y = noisy_pairs()
    fitted = adapter("mse", init="random").fit(X, Y)
    state = fitted.__getstate__()
    del state["init"], state["objective"]
    twin = AdapterAligner.__new__(AdapterAligner)
    twin.__setstate__(state)
    np.testing.assert_array_equal(twin.transform(X), fitted.transform(X))
    assert clone(twin).init == "closed_form"

"""The closed form that an adapter starts from."""

import pytest
from scipy.linalg import orthogonal_procrustes

from tests.mapping.adapter.cases import NO_STEP, adapter, noisy_pairs, recall, split
from tests.mapping.close import assert_close


def test_start_is_the_closed_form_of_the_pairs_that_are_not_held_out():
    X, Y = noisy_pairs()
    aligner = adapter(start="procrustes", max_epochs=1, learning_rate=NO_STEP).fit(X, Y)
    rows, held_out = split(len(X))
    assert len(held_out) == 12
    x, y = X[rows], Y[rows]
    R, _ = orthogonal_procrustes(x - x.mean(0), y - y.mean(0))
    assert_close(aligner.network_.coef, R, 1e-5)
    assert_close(aligner.inverse_network_.coef, R.T, 1e-5)
    assert_close(aligner.network_.intercept, y.mean(0) - x.mean(0) @ R, 1e-5)
    assert aligner.start_ == "procrustes"


def test_identity_start_moves_nothing():
    X, Y = noisy_pairs()
    aligner = adapter(start="identity", max_epochs=1, learning_rate=NO_STEP).fit(X, Y)
    assert_close(aligner.transform(X), X, 1e-5)
    assert_close(aligner.inverse_transform(Y), Y, 1e-5)
    assert aligner.start_recall_ == pytest.approx(recall(X[split(120)[1]], Y[split(120)[1]]))


def test_residual_start_is_the_linear_start():
    X, Y = noisy_pairs(dy=6)
    linear, residual = (
        adapter(adapter_dim=width, max_epochs=1, learning_rate=NO_STEP).fit(X, Y)
        for width in (0, 4)
    )
    assert_close(residual.transform(X), linear.transform(X), 1e-5)


def test_auto_start_is_a_method_of_the_linear_aligner():
    X, Y = noisy_pairs()
    assert adapter().fit(X, Y).start_ in ("ridge", "procrustes", "spectral")
    assert adapter().fit(X, X + 0.1).start_ == "identity"

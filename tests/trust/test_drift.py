"""Test of drift between batches of embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk.trust import DriftResult, drift_test


def test_no_drift_has_even_p_values():
    rng = np.random.default_rng(0)
    values = [
        drift_test(rng.normal(size=(80, 6)), rng.normal(size=(50, 6)), random_state=i).p_value
        for i in range(40)
    ]
    assert 0.3 < np.mean(values) < 0.7
    assert np.mean(np.array(values) < 0.1) <= 0.25


@pytest.mark.parametrize("change", [lambda X: X + 0.5, lambda X: 1.6 * X], ids=["mean", "spread"])
def test_drift_has_a_small_p_value(change):
    rng = np.random.default_rng(1)
    reference, batch = rng.normal(size=(200, 6)), rng.normal(size=(100, 6))
    result = drift_test(reference, change(batch), random_state=0)
    assert result.p_value <= 0.01
    assert result == DriftResult(result.statistic, result.p_value, 200, 100)
    assert result.statistic > drift_test(reference, batch, random_state=0).statistic


def test_large_batches_are_drawn_from():
    X = np.random.default_rng(0).normal(size=(3_000, 2)).astype(np.float32)
    result = drift_test(X, X[:1_200] + 1, random_state=0)
    assert (result.n_reference, result.n_batch, result.p_value) == (1_000, 1_000, 0.001)


def test_equal_rows_do_not_drift():
    assert drift_test(np.ones((5, 2)), np.ones((4, 2)), random_state=0).p_value == 1.0
    X = np.random.default_rng(0).normal(size=(50, 3))
    same = drift_test(X, X, random_state=0)
    assert same.p_value > 0.9
    assert same.statistic == pytest.approx(0, abs=1e-9)


def test_bad_input_of_drift():
    with pytest.raises(ValueError, match="3 features and X_batch has 2"):
        drift_test(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="minimum of 2"):
        drift_test(np.ones((4, 3)), np.ones((1, 3)))
    with pytest.raises(ValueError, match="NaN"):
        drift_test(np.ones((4, 3)), np.full((4, 3), np.nan))

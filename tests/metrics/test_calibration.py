"""expected_calibration_error, against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk.metrics.calibration import expected_calibration_error


def slow_ece(y, P, classes, n_bins):
    total = 0.0
    for m in range(n_bins):
        inside = []
        for i, p in enumerate(P):
            confidence = max(p)
            if m / n_bins < confidence <= (m + 1) / n_bins:
                inside.append((classes[int(np.argmax(p))] == y[i], confidence))
        if inside:
            right, confidence = np.mean(inside, axis=0)
            total += len(inside) / len(y) * abs(right - confidence)
    return total


@pytest.mark.parametrize("n_bins", [1, 2, 15, 100])
@pytest.mark.parametrize("k", [2, 3, 7])
def test_calibration_error_is_that_of_a_slow_loop(n_bins, k):
    rng = np.random.default_rng(n_bins + k)
    P = rng.dirichlet(np.ones(k), size=300)
    y = rng.integers(k, size=300)
    found = expected_calibration_error(y, P, n_bins=n_bins, labels=np.arange(k))
    assert found == pytest.approx(slow_ece(y, P, np.arange(k), n_bins), rel=1e-12)


def test_calibration_error_puts_edges_into_the_lower_bin():
    # Guo et al. bins are ((m - 1) / M, m / M]: 0.6 belongs to (0.4, 0.6].
    P = [[0.6, 0.4], [0.5, 0.5]]
    assert expected_calibration_error([0, 1], P, n_bins=5) == pytest.approx(0.05)


def test_calibration_error_of_single_precision():
    P = np.random.default_rng(0).dirichlet(np.ones(4), size=50)
    y = np.tile(np.arange(4), 13)[:50]
    single = expected_calibration_error(y, P.astype(np.float32))
    eps = float(np.finfo(np.float32).eps)
    assert single == pytest.approx(expected_calibration_error(y, P), abs=8 * eps)


def test_calibration_error_of_certain_rows():
    assert expected_calibration_error(["a", "b"], np.eye(2)) == 0
    assert expected_calibration_error(["b", "a"], np.eye(2)) == 1


@pytest.mark.parametrize(
    ("y", "P", "params", "message"),
    [
        ([0, 1], [[2.0, -1.0], [0.5, 0.5]], {}, "predict_proba"),
        ([0, 1], [[0.5, 0.4], [0.5, 0.5]], {}, "rows sum to 1"),
        ([0, 0], [[0.5, 0.5], [0.5, 0.5]], {}, "pass labels="),
        ([0, 3], [[0.5, 0.5], [0.5, 0.5]], {"labels": [0, 1]}, "labels lacks"),
        ([0, 1, 1], [[0.5, 0.5], [0.5, 0.5]], {}, "inconsistent"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], {"n_bins": 0}, "n_bins"),
    ],
)
def test_calibration_error_of_bad_input(y, P, params, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(y, P, **params)

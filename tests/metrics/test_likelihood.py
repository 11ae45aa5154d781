"""Log-likelihood of retrieval at the temperature that suits the rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from langalign_sk.metrics._core import (
    likelihood_and_recall,
)


def slow_log_likelihood(A, B, temperature):
    S = A @ B.T / np.outer(np.linalg.norm(A, axis=1), np.linalg.norm(B, axis=1)) / temperature
    E = np.exp(S)
    return np.log(np.diag(E) ** 2 / E.sum(axis=0) / E.sum(axis=1)) / 2


@pytest.mark.parametrize("duplicates", [False, True])
def test_calibrated_log_likelihood_is_that_of_the_best_temperature(duplicates):
    rng = np.random.default_rng(1)
    groups = np.arange(40) // 2 if duplicates else np.arange(40)
    best = set()
    for noise in (0.05, 0.3, 0.6, 1.0, 3.0):
        X = rng.normal(size=(40, 5))
        Y = X + noise * rng.normal(size=X.shape)
        tried = [
            likelihood_and_recall(X, Y, groups, t)[0] for t in (0.02, 0.03, 0.04, 0.06, 0.09, 0.13)
        ]
        if not duplicates:
            assert_allclose(tried[3], slow_log_likelihood(X, Y, 0.06))
        means = [values.mean() for values in tried]
        best.add(int(np.argmax(means)))
        assert_allclose(likelihood_and_recall(X, Y, groups)[0], tried[int(np.argmax(means))])
    assert len(best) > 2


def test_calibrated_log_likelihood_ignores_how_far_apart_a_map_puts_rows():
    # Cosines squeezed towards 1 by one large constant column: a fixed temperature counts that.
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 20))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = X + 0.1 * rng.normal(size=X.shape)
    Y /= np.linalg.norm(Y, axis=1, keepdims=True)
    groups, far = np.arange(60), np.full((60, 1), 1.0)
    A, B = np.hstack([X, far]), np.hstack([Y, far])  # every cosine c is (c + 1) / 2
    assert_allclose(
        likelihood_and_recall(A, B, groups, 0.03)[0], likelihood_and_recall(X, Y, groups, 0.06)[0]
    )
    fixed = [likelihood_and_recall(*Z, groups, 0.13)[0].mean() for Z in ((A, B), (X, Y))]
    calibrated = [likelihood_and_recall(*Z, groups)[0].mean() for Z in ((A, B), (X, Y))]
    assert abs(calibrated[0] - calibrated[1]) < 0.2 * abs(fixed[0] - fixed[1])

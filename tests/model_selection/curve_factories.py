"""Aligners and data for learning curves."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from langalign_sk import CrossLingualAligner, LinearAligner
from tests.toy import ToyEncoder, rotated


def task(n=80, noise=0.5, width=8):
    """Head, English rows and target rows of the space of `rotated`, labelled by one sentence."""
    X, Y = rotated(n=300 + n, noise=noise, width=width)
    labels = np.where(Y[:, 0] + Y[:, 1] > 0, "up", "down")
    return {
        "classifier": LogisticRegression(),
        "english": (Y[:100], labels[:100]),
        "target_dev": (X[300:], labels[300:]),
    }


def recording_linear():
    """A LinearAligner class, and the rows that its instances were fitted on and moved."""
    fits, tests = [], []

    class Recording(LinearAligner):
        def fit(self, X, y):
            fits.append((X.copy(), y.copy()))
            return super().fit(X, y)

        def transform(self, X):
            tests.append(X.copy())
            return super().transform(X)

    return Recording, fits, tests


def stub_class(stop_at=None):
    """An identity that writes down the rows it sees; Ctrl-C at the fit of number `stop_at`."""
    log = {"fit": [], "moved": [], "counterparts": [], "seeds": []}

    class Stub(BaseEstimator):
        def __init__(self, random_state=None):
            self.random_state = random_state

        def fit(self, X, y):
            if stop_at is not None and len(log["fit"]) == stop_at:
                raise KeyboardInterrupt
            log["fit"].append((X.copy(), y.copy()))
            log["seeds"].append(self.random_state)
            self.fitted_ = True
            return self

        def transform(self, X):
            log["moved"].append(X.copy())
            return X

        def transform_counterparts(self, y):
            log["counterparts"].append(y.copy())
            return y

    return Stub, log


def numbered(n=120, repeats=1):
    """Pairs whose first column is the number of the row; with `repeats` rows that are equal."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(n // repeats, 4)), repeats, axis=0)
    X[:, 0] = np.arange(len(X)) // repeats
    return X, X + 1.0


def numbers(rows):
    return set(rows[:, 0].astype(int))


def half_right(n, seed=0):
    """Pairs of which every second one finds its translation without alignment."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 64))
    Y = X.copy()
    Y[::2] = rng.normal(size=(len(Y[::2]), 64))
    return X, Y


def toy(**parameters):
    defaults = {"encoder": ToyEncoder(), "random_state": 0, "method": "procrustes"}
    return CrossLingualAligner(**defaults | parameters)


def same(a, b):
    for name in vars(a):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert_array_equal(left, right, err_msg=name)

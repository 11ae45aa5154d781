"""Pairs and adapters of the tests of AdapterAligner."""

import numpy as np
from sklearn.utils import check_random_state

from langalign_sk.mapping import AdapterAligner
from langalign_sk.mapping.training.start import hold_out

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

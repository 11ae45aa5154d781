"""Pairs that bend, quick adapters and slow references, for tests of choices among adapters."""

from __future__ import annotations

import numpy as np

from langalign_sk.mapping import AdapterAligner

# What learns bent pairs in a few epochs.
QUICK = {"learning_rate": 0.02, "batch_size": 32, "max_epochs": 6}


def adapter(adapter_dim=16, **params):
    params = {**QUICK, "random_state": 0, "device": "cpu", **params}
    return AdapterAligner("contrastive", adapter_dim=adapter_dim, **params)


def bent_pairs(n=400, seed=0):
    """Half of Y depends on the sizes of X without their signs, which no linear map sees."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    weights = np.random.default_rng(99).normal(size=(8, 4))
    return X, np.hstack([np.abs(X), X]) @ weights


def cosines(A, B):
    A, B = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (A, B))
    return A @ B.T


def slow_recall(A, B):
    S = cosines(A, B)
    return np.mean([S.argmax(axis=0) == range(len(S)), S.argmax(axis=1) == range(len(S))], axis=0)


def without_seconds(results):
    return {name: values for name, values in results.items() if name != "seconds"}


def interrupt(self, held_out, deadline):
    raise KeyboardInterrupt

"""Fixtures of the tests of saving: small models that are fitted once."""

from __future__ import annotations

import warnings

import pytest
from sklearn.frozen import FrozenEstimator

from langalign_sk import AdapterAligner, CrossLingualAligner, CrossLingualRetriever, LinearAligner
from tests.persistence.common import MODELS, ONE_EPOCH, X, Y


@pytest.fixture(scope="session")
def models():
    """One small model of each kind that is saved without skops, by name."""
    system = {"encoder": "x/y", "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one epoch, and of so few rows
        ridge = CrossLingualAligner(method="ridge", alpha=1.0, **system).fit(X, Y)
        contrastive = CrossLingualAligner(
            method="contrastive", adapter_dim=6, adapter_params=ONE_EPOCH, **system
        ).fit(X, Y)
        adapter = AdapterAligner(adapter_dim=6, max_epochs=1, random_state=0).fit(X, Y)
        linear = LinearAligner("spectral", alpha=1.0, shared=True).fit(X, Y)
        retriever = CrossLingualRetriever(ridge.freeze(), scoring="csls", n_neighbors=3)
        retriever.fit(Y[:30], query_bank=X)
        views = CrossLingualRetriever([FrozenEstimator(linear), None], scoring="csls", centre=True)
        views.fit([Y[:30], X[:30]], query_bank=[X, Y])
    made = (ridge, contrastive, adapter, linear, retriever, views)
    return dict(zip(MODELS, made, strict=True))

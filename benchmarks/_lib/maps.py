"""Trained maps that several benchmarks measure."""

from typing import Any

from langalign_sk.mapping import AdapterAligner

PUBLISHED: dict[str, Any] = {"init": "random", "batch_size": 128}  # start of the paper's networks


def trained(loss="contrastive", *, seed, **settings) -> AdapterAligner:
    """Adapter without a map back, which no benchmark of scores needs."""
    return AdapterAligner(loss, inverse=False, random_state=seed, **settings)


def published_fc(seed) -> AdapterAligner:
    """Fully connected network of the paper, from random weights as published."""
    return trained("mse", seed=seed, **PUBLISHED)


def published_ae(seed) -> AdapterAligner:
    """Autoencoder of the paper, from random weights as published."""
    return trained("autoencoder", seed=seed, **PUBLISHED)

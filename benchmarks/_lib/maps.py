"""Trained maps that several benchmarks measure."""

from langalign_sk.mapping import AdapterAligner


def trained(loss="contrastive", *, seed, **settings) -> AdapterAligner:
    """Adapter without a map back, which no benchmark of scores needs."""
    return AdapterAligner(loss, inverse=False, random_state=seed, **settings)


def paper_fc(seed) -> AdapterAligner:
    """Fully connected network of the paper."""
    return trained("mse", seed=seed, batch_size=128)


def paper_ae(seed) -> AdapterAligner:
    """Autoencoder of the paper."""
    return trained("autoencoder", seed=seed, batch_size=128)

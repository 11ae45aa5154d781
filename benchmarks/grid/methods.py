"""Rows of the grid: methods, baselines and bounds."""

from langalign_sk import CrossLingualAligner, LinearAligner

from .._lib.maps import published_ae, published_fc, trained

FORWARD_SIZES = (300, 3_000, 20_000)
CENTRED, AUTO = "centring", "auto"
BRIDGE, BRIDGE_PAIRS = "bridge", "bridge and pairs"
TARGET_LABELS = "trained on target-language labels"


# "ridge" is shrunk to the identity where both sides have one width, and to zero otherwise.
CLOSED = {
    "ridge": lambda seed: LinearAligner("ridge", random_state=seed),
    "Procrustes": lambda seed: LinearAligner("procrustes"),
    "spectral": lambda seed: LinearAligner("spectral", random_state=seed),
}
TRAINED = {
    "contrastive": lambda seed: trained(adapter_dim=256, seed=seed),
    "FC, published start": published_fc,
    "AE, published start": published_ae,
}
FREE = {**CLOSED, **TRAINED}  # learned from pairs alone


class Centring:
    """Map that moves the mean of the target rows to that of their translations."""

    def fit(self, X, Y):
        self.offset = Y.mean(axis=0) - X.mean(axis=0)
        return self

    def transform(self, X):
        return X + self.offset


def one_space(lang):
    """Methods inside one encoder."""
    return {
        CENTRED: lambda seed: Centring(),
        **FREE,
        AUTO: lambda seed: CrossLingualAligner(lang, random_state=seed),
    }


def same(X):
    return X

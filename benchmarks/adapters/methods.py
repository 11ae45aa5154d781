"""Maps of the table by number of pairs: each moves target rows, and English rows back."""

from langalign_sk import CrossLingualAligner, LinearAligner
from langalign_sk.mapping import AdapterAligner

from .._lib.maps import PUBLISHED

RIDGE, CLOSED_FORM = "ridge", "closed form, chosen"
FC, AE = "FC", "AE"


def adapter(loss, seed, **settings) -> AdapterAligner:
    """Adapter with a trained map back, which is the forward map."""
    return AdapterAligner(loss, random_state=seed, **settings)


def auto(lang, seed, objective) -> CrossLingualAligner:
    """Closed forms alone: trained maps have rows of their own."""
    return CrossLingualAligner(lang, objective=objective, time_budget=0, random_state=seed)


CHEAP = {
    "centre": lambda lang, seed: LinearAligner("centre"),
    "scale": lambda lang, seed: LinearAligner("scale"),
    RIDGE: lambda lang, seed: LinearAligner("ridge", random_state=seed),
    CLOSED_FORM: lambda lang, seed: LinearAligner(random_state=seed),
    "auto, objective retrieval": lambda lang, seed: auto(lang, seed, "retrieval"),
    "auto, objective head": lambda lang, seed: auto(lang, seed, "head"),
}
NETWORKS = {
    FC: lambda lang, seed: adapter("mse", seed),
    AE: lambda lang, seed: adapter("autoencoder", seed),
}
BESIDE = {  # measured for one seed
    "contrastive": lambda lang, seed: adapter("contrastive", seed, adapter_dim=256),
    "FC, published start": lambda lang, seed: adapter("mse", seed, **PUBLISHED),
    "AE, published start": lambda lang, seed: adapter("autoencoder", seed, **PUBLISHED),
}
METHODS = (*CHEAP, *NETWORKS, *BESIDE)

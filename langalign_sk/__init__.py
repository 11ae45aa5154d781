"""Serve other languages with English-trained scikit-learn models.

Importing the package loads neither torch nor transformers; every public name is resolved when
first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .aligner import CrossLingualAligner
    from .classifier import AlignedClassifier, CrossLingualClassifier, KernelRidgeClassifier
    from .corpus import ParallelCorpus
    from .encoders import SentenceEncoder, list_encoders
    from .inspection import AlignmentReport
    from .mapping import AdapterAligner, LinearAligner
    from .persistence import load, save
    from .retrieval import CrossLingualRetriever, mine_pairs

__all__ = [
    "AdapterAligner",
    "AlignedClassifier",
    "AlignmentReport",
    "CrossLingualAligner",
    "CrossLingualClassifier",
    "CrossLingualRetriever",
    "KernelRidgeClassifier",
    "LinearAligner",
    "ParallelCorpus",
    "SentenceEncoder",
    "__version__",
    "list_encoders",
    "load",
    "mine_pairs",
    "save",
]

_HOMES = {
    "AdapterAligner": "mapping",
    "AlignedClassifier": "classifier",
    "AlignmentReport": "inspection",
    "CrossLingualAligner": "aligner",
    "CrossLingualClassifier": "classifier",
    "CrossLingualRetriever": "retrieval",
    "KernelRidgeClassifier": "classifier",
    "LinearAligner": "mapping",
    "ParallelCorpus": "corpus",
    "SentenceEncoder": "encoders",
    "list_encoders": "encoders",
    "load": "persistence",
    "mine_pairs": "retrieval",
    "save": "persistence",
}
_SUBMODULES = {
    "classifier",
    "corpus",
    "datasets",
    "encoders",
    "export",
    "hub",
    "inspection",
    "languages",
    "mapping",
    "metrics",
    "model_selection",
    "persistence",
    "retrieval",
    "service",
    "trust",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})

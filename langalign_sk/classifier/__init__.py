"""English classifiers that serve other languages, with calibrated probabilities."""

from ._classifier import AlignedClassifier

__all__ = ["AlignedClassifier"]

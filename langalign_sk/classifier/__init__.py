"""English classifiers that serve other languages, with calibrated probabilities."""

from ._classifier import AlignedClassifier
from ._kernel_ridge import KernelRidgeClassifier

__all__ = ["AlignedClassifier", "KernelRidgeClassifier"]

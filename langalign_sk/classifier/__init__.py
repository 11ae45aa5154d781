"""English classifiers that serve other languages, with calibrated probabilities."""

from ._classifier import AlignedClassifier
from ._cross_lingual import CrossLingualClassifier
from ._kernel_ridge import KernelRidgeClassifier
from ._report import AdaptationReport, ClassifierReport, ViewReport

__all__ = [
    "AdaptationReport",
    "AlignedClassifier",
    "ClassifierReport",
    "CrossLingualClassifier",
    "KernelRidgeClassifier",
    "ViewReport",
]

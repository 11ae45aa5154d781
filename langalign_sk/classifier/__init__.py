"""Classifiers of target rows with probabilities."""

from ._classifier import AlignedClassifier

__all__ = ["AlignedClassifier"]

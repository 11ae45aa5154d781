"""Choosing without a target-language label, and how many pairs are enough."""

from .curve import PairLearningCurve, learning_curve

__all__ = ["PairLearningCurve", "learning_curve"]

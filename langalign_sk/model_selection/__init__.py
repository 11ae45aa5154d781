"""Choosing without a target-language label, and how many pairs are enough."""

from ..aligner._fit_cache import FitCache, FitCacheInfo, fit_cache
from .curve import PairLearningCurve, learning_curve
from .scorer import make_retrieval_scorer
from .splits import CrossLingualSplit, pair_groups

__all__ = [
    "CrossLingualSplit",
    "FitCache",
    "FitCacheInfo",
    "PairLearningCurve",
    "fit_cache",
    "learning_curve",
    "make_retrieval_scorer",
    "pair_groups",
]

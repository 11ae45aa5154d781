"""Plots and reports of fitted aligners."""

from ..aligner._report import AlignmentReport, Evaluation
from .hubness import HubnessDisplay
from .learning_curve import PairLearningCurveDisplay
from .retrieval import RetrievalDisplay

__all__ = [
    "AlignmentReport",
    "Evaluation",
    "HubnessDisplay",
    "PairLearningCurveDisplay",
    "RetrievalDisplay",
]

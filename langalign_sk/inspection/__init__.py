"""What a fitted aligner tells about itself."""

from .learning_curve import PairLearningCurveDisplay
from .report import AlignmentReport, Evaluation
from .retrieval import HubnessDisplay, RetrievalDisplay

__all__ = [
    "AlignmentReport",
    "Evaluation",
    "HubnessDisplay",
    "PairLearningCurveDisplay",
    "RetrievalDisplay",
]

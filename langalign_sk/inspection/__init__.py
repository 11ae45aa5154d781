"""What a fitted aligner tells about itself."""

from .hubness import HubnessDisplay
from .learning_curve import PairLearningCurveDisplay
from .report import AlignmentReport, Evaluation
from .retrieval import RetrievalDisplay

__all__ = [
    "AlignmentReport",
    "Evaluation",
    "HubnessDisplay",
    "PairLearningCurveDisplay",
    "RetrievalDisplay",
]

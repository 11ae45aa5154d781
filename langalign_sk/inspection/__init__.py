"""What a fitted aligner tells about itself."""

from .learning_curve import PairLearningCurveDisplay
from .report import AlignmentReport, Evaluation

__all__ = ["AlignmentReport", "Evaluation", "PairLearningCurveDisplay"]

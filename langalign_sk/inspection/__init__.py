"""What a fitted aligner tells about itself."""

from .report import AlignmentReport, Evaluation

__all__ = ["AlignmentReport", "Evaluation"]

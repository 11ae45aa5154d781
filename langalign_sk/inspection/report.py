"""An address that stands in saved models; the classes are in aligner._report."""

from ..aligner._report import AlignmentReport, Evaluation

__all__ = ["AlignmentReport", "Evaluation"]

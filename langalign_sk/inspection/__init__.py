"""What a fitted aligner tells about itself."""

from .report import AlignmentReport

__all__ = ["AlignmentReport"]

"""The aligner of text."""

from ._aligner import CrossLingualAligner

__all__ = ["CrossLingualAligner"]

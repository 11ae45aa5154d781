"""CrossLingualAligner, and what it is made of."""

from ._aligner import CrossLingualAligner

__all__ = ["CrossLingualAligner"]

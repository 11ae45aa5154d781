"""Array-level aligners: estimators that learn a map from paired rows (``fit(X, Y)``)."""

from .linear import LinearAligner

__all__ = ["LinearAligner"]

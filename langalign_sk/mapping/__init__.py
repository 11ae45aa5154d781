"""Array-level aligners: estimators that learn a map from paired rows (``fit(X, Y)``)."""

from .adapter import AdapterAligner
from .linear import LinearAligner
from .network import Network

__all__ = ["AdapterAligner", "LinearAligner", "Network"]

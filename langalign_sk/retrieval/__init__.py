"""Search across languages, and translation pairs out of unaligned collections."""

from .mining import MinedPairs, mine_pairs
from .retriever import CrossLingualRetriever

__all__ = ["CrossLingualRetriever", "MinedPairs", "mine_pairs"]

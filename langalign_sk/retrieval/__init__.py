"""Search across languages, and translation pairs out of unaligned collections."""

from .mining import MinedPairs, mine_pairs
from .report import SearchReport, SearchViewReport
from .retriever import CrossLingualRetriever

__all__ = [
    "CrossLingualRetriever",
    "MinedPairs",
    "SearchReport",
    "SearchViewReport",
    "mine_pairs",
]

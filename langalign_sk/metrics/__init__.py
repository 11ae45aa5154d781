"""Retrieval metrics for aligned embeddings."""

from .pairs import RetrievalScores, retrieval_recall_score, retrieval_scores

__all__ = ["RetrievalScores", "retrieval_recall_score", "retrieval_scores"]

"""Retrieval metrics for aligned embeddings."""

from .calibration import expected_calibration_error
from .hubness import hubness_score, k_occurrence, reciprocity_score
from .pairs import RetrievalScores, retrieval_recall_score, retrieval_scores
from .ranking import mean_reciprocal_rank_score, ndcg_retrieval_score, xsim_error

__all__ = [
    "RetrievalScores",
    "expected_calibration_error",
    "hubness_score",
    "k_occurrence",
    "mean_reciprocal_rank_score",
    "ndcg_retrieval_score",
    "reciprocity_score",
    "retrieval_recall_score",
    "retrieval_scores",
    "xsim_error",
]

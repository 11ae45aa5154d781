"""Recall and nDCG of queries that ask for one document each."""

import numpy as np
from numpy.typing import NDArray

FOUND = 10  # documents that are ranked


def ranks(found: NDArray[np.intp], gold: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rank of the right document of each query, from 1; 0 where it is not found."""
    hits = found == gold[:, None]
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


def recall_at_1(of_queries: NDArray[np.intp]) -> NDArray[np.float64]:
    """1 for the queries that find their document first."""
    return (of_queries == 1).astype(float)


def recall_at_10(of_queries: NDArray[np.intp]) -> NDArray[np.float64]:
    """1 for the queries that find their document among the first ten."""
    return (of_queries > 0).astype(float)


def ndcg_at_10(of_queries: NDArray[np.intp]) -> NDArray[np.float64]:
    """Normalized discounted cumulative gain of ten places; of one right document, whose is 1."""
    return np.where(of_queries > 0, 1 / np.log2(1 + np.maximum(of_queries, 1)), 0.0)


MEASURES = {"recall@1": recall_at_1, "recall@10": recall_at_10, "nDCG@10": ndcg_at_10}

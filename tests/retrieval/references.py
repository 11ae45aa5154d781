"""Scores of full matrices in float64, and how far float32 scores may be from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.testing import assert_array_equal

SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")
EPS = float(np.finfo(np.float32).eps)


class Ranking(NamedTuple):
    """All documents of each query, best first: ndarrays of shape (n_queries, n_documents)."""

    order: np.ndarray
    scores: np.ndarray
    error: np.ndarray  # that a float32 score may have


def unit(X):
    X = np.asarray(X, dtype=np.float64)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def top_mean(S, k):
    """Mean of the k highest of every row."""
    return np.sort(S, axis=1)[:, -min(k, S.shape[1]) :].mean(axis=1)


def cosine_error(width):
    """Error of a cosine of float32 rows: both are rounded, and products sum in any order."""
    return (4 + np.sqrt(width)) * EPS


def reference(scoring, Q, D, bank, hub_neighbors=10, temperature=0.05):
    """Ranking of all documents by float64 scores."""
    S, B = unit(Q) @ unit(D).T, unit(bank) @ unit(D).T
    of_query, of_document = top_mean(S, hub_neighbors)[:, None], top_mean(B.T, hub_neighbors)
    softmax = np.exp(S / temperature) / np.exp(B / temperature).sum(axis=0)
    means = np.maximum((of_query + of_document) / 2, 5e-7)
    error = np.full_like(S, cosine_error(np.shape(D)[1]))
    # Errors of cosines are divided by the mean or the temperature as the cosines are.
    softmax_error = 2 * error / temperature * softmax
    if scoring == "csls":
        scores, error = 2 * S - of_query - of_document, 4 * error
    elif scoring == "margin":
        scores = S / means
        error = (1 + np.abs(scores)) * error / means
    elif scoring == "inverted_softmax":
        scores, error = softmax, softmax_error
    elif scoring == "query_bank":
        found_by_bank = np.isin(S.argmax(axis=1), B.argmax(axis=1))[:, None]
        scores = np.where(found_by_bank, softmax, S)
        error = np.where(found_by_bank, softmax_error, error)
    else:
        scores = S
    # float32, as copies of a document tie there
    order = np.argsort(-scores.astype(np.float32), axis=1, kind="stable")
    return Ranking(order, *(np.take_along_axis(each, order, axis=1) for each in (scores, error)))


def assert_distances(distances, scores, error):
    """Distances are 1 minus the scores, but for an error per score and the rounding of both."""
    error = error + 2 * EPS * (1 + np.abs(scores))
    too_far = np.abs((1 - distances.astype(np.float64)) - scores) > error
    assert not too_far.any(), (distances[too_far][:5], 1 - scores[too_far][:5])


def found(retriever, Q, k=5):
    """Distances and identifiers of the documents that are found."""
    distances, indices = retriever.kneighbors(Q, k)
    assert indices.min() >= 0
    assert indices.max() < retriever.n_documents_ == len(retriever.ids_)
    return distances, np.array(retriever.ids_, dtype=object)[indices]


def score_error(scores, scoring, temperature=0.05, width=8):
    """Error of float32 scores where their full matrices are not at hand."""
    amplified = {
        "cosine": 1,
        "csls": 4,
        "margin": 8 * (1 + np.abs(scores)),  # mean cosines of the toys are above 1 / 8
        "inverted_softmax": 2 / temperature * np.abs(scores),
        "query_bank": np.maximum(1, 2 / temperature * np.abs(scores)),
    }
    return amplified[scoring] * cosine_error(width)


def assert_same(retriever, other, Q, k=5):
    """Two retrievers hold the same documents and answer the same."""
    (distances, ids), (right_distances, right_ids) = found(retriever, Q, k), found(other, Q, k)
    assert_array_equal(ids, right_ids)
    scores = 1 - right_distances.astype(np.float64)
    error = score_error(scores, other.scoring, other.temperature)
    assert_distances(distances, scores, 2 * error)  # both err
    assert retriever.ids_ == other.ids_
    assert retriever.documents_ == other.documents_

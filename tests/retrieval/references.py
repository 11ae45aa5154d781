"""Scores of full matrices in float64, which retrievers are compared with."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")


def unit(X):
    X = np.asarray(X, dtype=np.float64)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def top_mean(S, k):
    """Mean of the k highest of every row."""
    return np.sort(S, axis=1)[:, -min(k, S.shape[1]) :].mean(axis=1)


def reference(scoring, Q, D, bank, hub_neighbors=10, temperature=0.05):
    """All documents of every query, best first, and their scores, from full matrices."""
    S, B = unit(Q) @ unit(D).T, unit(bank) @ unit(D).T
    of_query, of_document = top_mean(S, hub_neighbors)[:, None], top_mean(B.T, hub_neighbors)
    softmax = np.exp(S / temperature) / np.exp(B / temperature).sum(axis=0)
    if scoring == "csls":
        scores = 2 * S - of_query - of_document
    elif scoring == "margin":
        scores = S / np.maximum((of_query + of_document) / 2, 5e-7)
    elif scoring == "inverted_softmax":
        scores = softmax
    elif scoring == "query_bank":
        found_by_bank = np.isin(S.argmax(axis=1), B.argmax(axis=1))
        scores = np.where(found_by_bank[:, None], softmax, S)
    else:
        scores = S
    # float32, as copies of a document tie there
    order = np.argsort(-scores.astype(np.float32), axis=1, kind="stable")
    return order, np.take_along_axis(scores, order, axis=1)


def found(retriever, Q, k=5):
    """Scores and identifiers of the documents that are found."""
    distances, indices = retriever.kneighbors(Q, k)
    assert indices.min() >= 0
    assert indices.max() < retriever.n_documents_ == len(retriever.ids_)
    return distances, np.array(retriever.ids_, dtype=object)[indices]


def assert_same(retriever, other, Q, k=5):
    (distances, ids), (right_distances, right_ids) = found(retriever, Q, k), found(other, Q, k)
    assert_array_equal(ids, right_ids)
    assert_allclose(distances, right_distances, atol=1e-5)

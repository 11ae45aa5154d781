"""FAISS and hnswlib beside the exact backend."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from langalign_sk import CrossLingualRetriever
from tests.retrieval.references import (
    SCORINGS,
    assert_distances,
    cosine_error,
    reference,
    score_error,
    unit,
)
from tests.retrieval.toy import every_kind, few, of_kind


@every_kind
@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_eight_threads_find_what_one_does(kind, scoring):
    D, Q = few(900, 64)
    retriever = of_kind(kind, scoring=scoring).fit(D, query_bank=Q[::2])
    parts = [Q[i : i + 8] for i in range(0, 64, 8)]
    expected = [retriever.kneighbors(part) for part in parts]
    scores = [1 - distances.astype(np.float64) for distances, _ in expected]
    results, start = [None] * 8, threading.Barrier(8)

    def run(i):
        start.wait()
        results[i] = [retriever.kneighbors(parts[i]) for _ in range(5)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for several, right, right_scores in zip(results, expected, scores, strict=True):
        for distances, indices in several:
            assert_array_equal(indices, right[1])
            assert_distances(distances, right_scores, 2 * score_error(right_scores, scoring))


@pytest.mark.parametrize("kind", ["graph", "hnswlib", "cells"])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_reranking_all_candidates_is_the_exact_correction(kind, scoring):
    D, Q = few(90)  # all of up to 100 documents are candidates
    bank = Q[::2] + 0.1
    parameters = {"scoring": scoring, "temperature": 0.2, "hub_neighbors": 4}
    right = reference(scoring, Q, D, bank, 4, 0.2)
    retriever = of_kind(kind, **parameters).fit(D, query_bank=bank)
    distances, indices = retriever.kneighbors(Q, 9)
    assert_array_equal(indices, right.order[:, :9])
    assert_distances(distances, right.scores[:, :9], right.error[:, :9])


@every_kind
def test_order_at_a_temperature_whose_scores_fall_to_zero(kind):
    D, Q = few(90)
    bank = few(90, seed=9)[1]  # other queries: by their own, several scores are 1 to the last digit
    S, B = unit(Q) @ unit(D).T, unit(bank) @ unit(D).T
    order = np.argsort(-(S / 0.004 - logsumexp(B / 0.004, axis=0)), axis=1)[:, :9]
    retriever = of_kind(kind, scoring="inverted_softmax", temperature=0.004)
    distances, indices = retriever.fit(D, query_bank=bank).kneighbors(Q, 9)
    assert np.count_nonzero(distances == 1) > 20
    assert_array_equal(indices, order)


def of_faiss(factory, search="", **parameters):
    pytest.importorskip("faiss", reason="needs pip install faiss-cpu")
    backend_params = {"factory": factory, "search": search}
    return CrossLingualRetriever(backend="faiss", backend_params=backend_params, **parameters)


def test_a_graph_of_faiss_looks_at_more_rows_by_a_search_parameter():
    D, Q = few(240)
    right = CrossLingualRetriever().fit(D).kneighbors(Q, 120)[1]
    assert recall_of(of_faiss("HNSW16").fit(D), Q, right) > 0.8
    assert recall_of(of_faiss("HNSW16", "efSearch=200").fit(D), Q, right) > 0.99
    D, Q = few(4000)
    right = CrossLingualRetriever().fit(D).kneighbors(Q, 20)[1]
    narrow, wide = (of_faiss("HNSW4", search).fit(D) for search in ("", "efSearch=200"))
    assert recall_of(narrow, Q, right) < 0.95 < 0.99 < recall_of(wide, Q, right)


def recall_of(retriever, Q, right):
    indices = retriever.kneighbors(Q, right.shape[1])[1]
    shares = [np.isin(row, other).mean() for row, other in zip(indices, right, strict=True)]
    return np.mean(shares)


def test_all_cells_of_faiss_find_what_all_rows_do():
    D, Q = few(240)
    retriever = of_faiss("IVF4,Flat", "nprobe=4").fit(D)
    distances, indices = retriever.kneighbors(Q, 240)
    right = CrossLingualRetriever().fit(D).kneighbors(Q, 240)
    assert_array_equal(indices, right[1])
    assert_allclose(distances, right[0], rtol=0, atol=2 * cosine_error(8))
    assert recall_of(of_faiss("IVF4,Flat").fit(D), Q, right[1][:, :10]) < 0.9


@pytest.mark.parametrize(
    ("factory", "search"),
    [("Flat", "nprobe=4"), ("HNSW16", "nprobe=3"), ("IVF4,Flat", "a lot"), ("IVF4,Flat", 7)],
)
def test_search_parameters_that_faiss_does_not_know(factory, search):
    with pytest.raises(ValueError, match=f"how to search '{factory}' with '{search}'"):
        of_faiss(factory, search).fit(few(300)[0])


@pytest.mark.parametrize("scoring", SCORINGS)
def test_hubness_is_corrected_among_as_many_candidates_as_the_index_finds(scoring):
    D, Q = few(90)
    retriever = of_faiss("IVF4,Flat", "nprobe=1", scoring=scoring).fit(D, query_bank=Q)
    indices = retriever.kneighbors(Q, 1, return_distance=False)  # in one cell of four
    assert indices.shape == (20, 1)
    assert indices.min() >= 0
    assert np.mean(np.isin(indices[:, 0], retriever.kneighbors(Q, 3)[1])) == 1
    wide = retriever.kneighbors(Q, 80, return_distance=False)  # more than a cell holds
    assert [len({*row}) for row in wide.tolist()] == [80] * 20
    assert wide.min() >= 0


@pytest.mark.parametrize(
    ("factory", "n"),
    [
        ("Fl4t", 40),
        ("IVF4,Flat", 3),  # fewer rows than cells
        ("PQ3", 300),  # 8 features are not three equal parts
        ("OPQ3_5,Flat", 300),
    ],
)
def test_a_factory_that_faiss_cannot_make(factory, n):
    match = rf"FAISS cannot make an index '{factory}' of {n} rows of width 8 \(.+\): give backend_p"
    with pytest.raises(ValueError, match=match):
        of_faiss(factory).fit(few(n)[0])

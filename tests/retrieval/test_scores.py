"""Scores and orders of the exact backend, against full matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import NearestNeighbors

from langalign_sk import CrossLingualRetriever
from tests.retrieval.references import SCORINGS, assert_distances, cosine_error, reference, unit


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize(
    ("n", "n_queries"), [(1, 1), (2, 4), (6, 3), (7, 3), (8, 5), (14, 8), (15, 9), (40, 13)]
)
@pytest.mark.usefixtures("small_blocks")
def test_scores_of_a_full_matrix(scoring, n, n_queries):
    rng = np.random.default_rng(n)
    D, Q = rng.normal(size=(n, 6)), rng.normal(size=(n_queries, 6))
    bank = rng.normal(size=(9, 6))
    right = reference(scoring, Q, D, bank, hub_neighbors=3, temperature=0.1)
    retriever = CrossLingualRetriever(scoring=scoring, hub_neighbors=3, temperature=0.1)
    retriever.fit(D, query_bank=bank)
    for k in range(1, n + 1):
        distances, indices = retriever.kneighbors(Q, k)
        assert_array_equal(indices, right.order[:, :k])
        assert_distances(distances, right.scores[:, :k], right.error[:, :k])
    if scoring == "query_bank" and n == 40:
        plain = reference("cosine", Q, D, bank).order[:, 0]
        corrected = np.isin(plain, (unit(bank) @ unit(D).T).argmax(axis=1))
        assert 0 < corrected.sum() < n_queries  # both kinds of query are there


@pytest.mark.parametrize("scoring", SCORINGS)
def test_defaults_of_hub_neighbors_and_temperature(scoring):
    rng = np.random.default_rng(1)
    D, Q, bank = (rng.normal(size=(n, 8)) for n in (60, 20, 30))
    right = reference(scoring, Q, D, bank)
    distances, indices = (
        CrossLingualRetriever(scoring=scoring).fit(D, query_bank=bank).kneighbors(Q)
    )
    assert_array_equal(indices, right.order[:, :10])
    assert_distances(distances, right.scores[:, :10], right.error[:, :10])


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.usefixtures("small_blocks")
def test_copies_of_a_document_come_in_the_order_of_rows(scoring):
    rng = np.random.default_rng(2)
    # Cosines to such documents are single numbers of the query: copies tie to the last bit.
    D = np.eye(5)[rng.integers(0, 5, 33)] * rng.choice([0.5, 1.0, 4.0], (33, 1))
    Q, bank = rng.normal(size=(8, 5)), rng.normal(size=(12, 5))
    right = reference(scoring, Q, D, bank)
    retriever = CrossLingualRetriever(scoring=scoring).fit(D, query_bank=bank)
    for k in (1, 2, 7, 20, 33):
        distances, indices = retriever.kneighbors(Q, k)
        assert_array_equal(indices, right.order[:, :k])
        assert_distances(distances, right.scores[:, :k], right.error[:, :k])


@pytest.mark.parametrize("backend", ["exact", "faiss"])
def test_equal_documents_get_equal_scores(backend):
    if backend == "faiss":
        pytest.importorskip("faiss", reason="needs pip install faiss-cpu")
    base = np.random.default_rng(0).normal(size=(5, 384))
    for n in (6, 37, 4097, 4100):
        retriever = CrossLingualRetriever(backend=backend).fit(np.tile(base, (n // 5 + 1, 1))[:n])
        for queries in (base[:1], base[:3], base):
            distances, indices = retriever.kneighbors(queries, n)
            for row, found in zip(distances, indices % 5, strict=True):
                assert all(np.ptp(row[found == i]) < 2 * cosine_error(384) for i in range(5))


def test_distances_of_scikit_learn():
    rng = np.random.default_rng(3)
    D, Q = rng.normal(size=(300, 20)), rng.normal(size=(40, 20))
    theirs = NearestNeighbors(n_neighbors=12, metric="cosine").fit(D).kneighbors(Q)
    ours = CrossLingualRetriever(n_neighbors=12).fit(D).kneighbors(Q)
    assert_allclose(ours[0], theirs[0], rtol=0, atol=cosine_error(20))
    assert_array_equal(ours[1], theirs[1])
    assert ours[0].dtype == np.float32
    assert ours[1].dtype == np.intp
    alone = CrossLingualRetriever(n_neighbors=12).fit(D).kneighbors(Q, return_distance=False)
    assert_array_equal(alone, theirs[1])


def test_rows_of_zeros_are_as_far_as_unrelated_ones():
    D = np.array([[0.0, 0, 0], [1, 0, 0], [0, -1, 0]])
    distances, indices = CrossLingualRetriever().fit(D).kneighbors([[0.0, 1, 0], [0, 0, 0]], 3)
    assert_array_equal(indices, [[0, 1, 2], [0, 1, 2]])
    assert_array_equal(distances, [[1, 1, 2], [1, 1, 1]])


@pytest.mark.parametrize("width", [8, 300, 1024])
def test_unit_rows_are_not_copied(width):
    rows = unit(np.random.default_rng(4).normal(size=(500, width))).astype(np.float32)
    before = rows.copy()
    retriever = CrossLingualRetriever(n_neighbors=3).fit(rows)
    assert np.shares_memory(retriever._state.index.rows.blocks[0], rows)
    retriever.kneighbors(rows)
    retriever.add(rows[:2] * 3).remove([0])
    assert_array_equal(rows, before)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_that_nobody_may_write_to(scoring, dtype):
    rng = np.random.default_rng(5)
    arrays = [unit(rng.normal(size=(n, 8))).astype(dtype) for n in (30, 12, 9)]
    copies = [a.copy() for a in arrays]
    for array in arrays:
        array.flags.writeable = False
    D, Q, bank = arrays
    retriever = CrossLingualRetriever(scoring=scoring, n_neighbors=4).fit(D, query_bank=bank)
    indices = retriever.kneighbors(Q, return_distance=False)
    assert_array_equal(indices, reference(scoring, Q, D, bank).order[:, :4])
    for array, copy in zip(arrays, copies, strict=True):
        assert_array_equal(array, copy)


def test_lists_frames_and_float64_are_one():
    rng = np.random.default_rng(6)
    D, Q = rng.normal(size=(20, 4)), rng.normal(size=(5, 4))
    expected = CrossLingualRetriever(n_neighbors=3).fit(D).kneighbors(Q)
    for kind in (np.ndarray.tolist, pd.DataFrame, lambda X: X.astype(np.float32)):
        found = CrossLingualRetriever(n_neighbors=3).fit(kind(D)).kneighbors(kind(Q))
        assert_array_equal(found[1], expected[1])
        assert_allclose(found[0], expected[0], rtol=0, atol=2 * cosine_error(4))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_bank_of_queries_raises_recall_on_real_text(embedded, language):
    recall = {"cosine": [], "csls": []}
    for corpus, n in (("tatoeba", 300), ("ntrex", 500)):
        english, target = embedded(corpus, language, n)
        for Q, D in ((target, english), (english, target)):
            for scoring, values in recall.items():
                retriever = CrossLingualRetriever(scoring=scoring).fit(D, query_bank=Q)
                indices = retriever.kneighbors(Q, return_distance=False)
                assert_array_equal(indices, reference(scoring, Q, D, Q).order[:, :10])
                values.append(np.mean(indices[:, 0] == np.arange(len(Q))))
    # `python -m benchmarks retrieval` prints recalls of whole corpora.
    assert np.mean(recall["csls"]) > np.mean(recall["cosine"]) > 0.8

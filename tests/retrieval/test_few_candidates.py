"""Approximate indexes that find few candidates for a query: no query stops a batch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualRetriever, mine_pairs
from langalign_sk.retrieval.backends import CompleteSearch, make_index
from langalign_sk.retrieval.exact import Rows, nearest
from tests.retrieval.references import SCORINGS, cosine_error, unit
from tests.retrieval.toy import few

NARROW = {
    "one cell of 32": ("faiss", {"factory": "IVF32,Flat"}),
    "one cell of 32, scalar quantizer": ("faiss", {"factory": "IVF32,SQ8"}),
    "one cell of 32, found by a graph": ("faiss", {"factory": "IVF32_HNSW8,Flat"}),
    "reduced, one cell of 32": ("faiss", {"factory": "PCA4,IVF32,Flat"}),
    "thin graph": ("faiss", {"factory": "HNSW2"}),
    "hnswlib": ("hnswlib", {"M": 2, "ef_construction": 2, "ef": 1}),
}
every_narrow = pytest.mark.parametrize("kind", NARROW)


def clusters(n=240, width=8, n_centres=24):
    """Documents in small groups, so that cells and parts of graphs hold few of them; and queries."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(n_centres, width))
    noise = 0.02 * rng.normal(size=(n + 60, width))
    rows = centres[rng.integers(0, n_centres, n + 60)] + noise
    return rows[:n], rows[n:]


def of_narrow(kind, **parameters):
    backend, backend_params = NARROW[kind]
    pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    try:
        make_index(backend, backend_params).build(Rows([unit(few(300)[0]).astype(np.float32)]))
    except ValueError as error:
        if "cannot make an index" not in str(error):
            raise
        pytest.skip(f"this FAISS does not know {backend_params}")
    return CrossLingualRetriever(backend=backend, backend_params=backend_params, **parameters)


def assert_full(indices, n, k):
    """Every query has k distinct documents."""
    assert indices.shape == (len(indices), k)
    assert indices.min() >= 0
    assert indices.max() < n
    assert all(len(set(row)) == k for row in indices.tolist())


@every_narrow
@pytest.mark.parametrize("scoring", SCORINGS)
def test_every_query_finds_as_many_as_it_asks_for(kind, scoring):
    D, Q = clusters()
    retriever = of_narrow(kind, scoring=scoring).fit(D, query_bank=Q[::2])
    for k in (1, 10, 100, 240):
        distances, indices = retriever.kneighbors(Q, k)
        assert_full(indices, 240, k)
        assert np.isfinite(distances).all()
    found = retriever.search(Q)
    assert len(found) == len(Q) * 10
    assert found["rank"].tolist() == [*range(1, 11)] * len(Q)
    single = [retriever.kneighbors(q[None], 10)[1][0] for q in Q]
    batch = retriever.kneighbors(Q, 10)[1]
    assert np.mean([np.isin(a, b).mean() for a, b in zip(single, batch, strict=True)]) > 0.99


@every_narrow
@pytest.mark.parametrize("fusion", ["sum", "rank"])
def test_several_views(kind, fusion):
    D, Q = clusters()
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    views = of_narrow(kind, aligner=[None, None], fusion=fusion, n_candidates=40)
    views.fit([D, D @ turned])
    for k in (1, 10, 100, 240):
        assert_full(views.kneighbors([Q, Q @ turned], k)[1], 240, k)


@every_narrow
def test_after_changes_and_in_a_folder(kind, tmp_path):
    D, Q = clusters()
    retriever = of_narrow(kind).fit(D[:200])
    retriever.remove(range(0, 200, 2)).add(D[200:])
    assert_full(retriever.kneighbors(Q, 140)[1], 140, 140)
    retriever.save_index(tmp_path)
    opened = of_narrow(kind).open_index(tmp_path)
    assert_full(opened.kneighbors(Q, 140)[1], 140, 140)
    retriever.remove(list(retriever.ids_[40:]))
    assert_full(retriever.kneighbors(Q, 40)[1], 40, 40)


def test_a_removal_that_leaves_too_few_rows_changes_nothing():
    D, Q = clusters()
    retriever = of_narrow("reduced, one cell of 32").fit(D)
    before = retriever.kneighbors(Q)
    with pytest.raises(ValueError, match="cannot make an index"):
        retriever.remove(range(239))
    assert retriever.n_documents_ == 240
    assert_array_equal(retriever.kneighbors(Q)[1], before[1])


class Seldom:
    """Index (stand-in) that finds nothing for the queries that it is told."""

    exact = False

    def __init__(self, rows, hard):
        self.rows, self.hard, self.asked = rows, hard, []

    def search(self, Q, k):
        positions, cosines = nearest(Q, self.rows, [(k, None)])[0]
        positions[self.hard, k // 2 :], cosines[self.hard, k // 2 :] = -1, -np.inf
        return positions, cosines


def test_only_queries_with_few_candidates_are_compared_with_every_row(monkeypatch):
    D, Q = (unit(rows).astype(np.float32) for rows in few(90))
    rows = Rows([D])
    rows.alive[::3] = False
    compared = []

    def counted(queries, *others):
        compared.append(len(queries))
        return nearest(queries, *others)

    monkeypatch.setattr("langalign_sk.retrieval.backends.nearest", counted)
    positions, cosines = CompleteSearch(Seldom(rows, [2, 7]), rows).search(Q, 60)
    right = nearest(Q, rows, [(60, None)])[0]
    assert_array_equal(positions, right[0])
    assert_allclose(cosines, right[1], rtol=0, atol=2 * cosine_error(8))
    assert compared == [2]


def test_one_query_of_hnswlib_does_not_narrow_the_others(monkeypatch):
    pytest.importorskip("hnswlib", reason="needs pip install langalign-sk[hnswlib]")
    D, Q = (unit(rows).astype(np.float32) for rows in few(90))
    rows, backend = Rows([D]), make_index("hnswlib", None)
    backend.build(rows)

    class Refusing:
        """Index of hnswlib (stand-in) that cannot answer query 7, nor a batch with it."""

        def __init__(self, inner):
            self.inner = inner

        def set_ef(self, ef):
            self.inner.set_ef(ef)

        def knn_query(self, queries, k):
            if (queries == Q[7]).all(axis=1).any():
                raise RuntimeError("Cannot return the results in a contiguous 2D array")
            return self.inner.knn_query(queries, k=k)

    monkeypatch.setattr(backend, "_index", Refusing(backend._index))
    positions, cosines = backend.search(Q, 20)
    assert (positions[7] == -1).all()
    assert np.isneginf(cosines[7]).all()
    right = nearest(Q, rows, [(20, None)])[0][0]
    others = np.arange(len(Q)) != 7
    assert_array_equal(positions[others], right[others])
    assert_array_equal(CompleteSearch(backend, rows).search(Q, 20)[0], right)


@every_narrow
def test_mining_by_a_narrow_index_pairs_only_rows_that_are_near(kind):
    of_narrow(kind)
    backend, backend_params = NARROW[kind]
    S = np.random.default_rng(1).normal(size=(120, 8))
    T = S + 0.05 * np.random.default_rng(2).normal(size=S.shape)
    mined = mine_pairs(S, T, backend=backend, backend_params=backend_params, threshold=1.0)
    right = mined.source_index == mined.target_index
    assert right.sum() > 20
    assert right.mean() > 0.7
    assert len(set(mined.target_index.tolist())) == len(right)

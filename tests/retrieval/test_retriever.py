"""CrossLingualRetriever: scores against plain numpy, and text and embeddings on their way in."""

from __future__ import annotations

import pickle
import threading
from functools import lru_cache

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from langalign_sk import CrossLingualAligner, CrossLingualRetriever, ParallelCorpus, SentenceEncoder
from langalign_sk.retrieval import exact, hubness
from tests.toy import ENGLISH, KOREAN, EnglishOnly, NeverEncode, ToyEncoder

PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
JAPANESE = [f"文のばんごう {i}" for i in range(200)]
SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")


# Scores


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


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(exact, "_ROW_BLOCK", 7)
    monkeypatch.setattr(exact, "QUERY_BLOCK", 3)
    monkeypatch.setattr(hubness, "_DOCUMENT_BLOCK", 5)
    monkeypatch.setattr(hubness, "QUERY_BLOCK", 3)  # "margin" needs no more than those of `exact`


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize(
    ("n", "n_queries"), [(1, 1), (2, 4), (6, 3), (7, 3), (8, 5), (14, 8), (15, 9), (40, 13)]
)
@pytest.mark.usefixtures("small_blocks")
def test_scores_of_a_full_matrix(scoring, n, n_queries):
    rng = np.random.default_rng(n)
    D, Q = rng.normal(size=(n, 6)), rng.normal(size=(n_queries, 6))
    bank = rng.normal(size=(9, 6))
    order, scores = reference(scoring, Q, D, bank, hub_neighbors=3, temperature=0.1)
    retriever = CrossLingualRetriever(scoring=scoring, hub_neighbors=3, temperature=0.1)
    retriever.fit(D, query_bank=bank)
    for k in range(1, n + 1):
        distances, indices = retriever.kneighbors(Q, k)
        assert_array_equal(indices, order[:, :k])
        assert_allclose(1 - distances, scores[:, :k], rtol=1e-4, atol=1e-5)
    if scoring == "query_bank" and n == 40:
        plain = reference("cosine", Q, D, bank)[0][:, 0]
        corrected = np.isin(plain, (unit(bank) @ unit(D).T).argmax(axis=1))
        assert 0 < corrected.sum() < n_queries  # both kinds of query are there


@pytest.mark.parametrize("scoring", SCORINGS)
def test_defaults_of_hub_neighbors_and_temperature(scoring):
    rng = np.random.default_rng(1)
    D, Q, bank = (rng.normal(size=(n, 8)) for n in (60, 20, 30))
    order, scores = reference(scoring, Q, D, bank)
    distances, indices = (
        CrossLingualRetriever(scoring=scoring).fit(D, query_bank=bank).kneighbors(Q)
    )
    assert_array_equal(indices, order[:, :10])
    assert_allclose(1 - distances, scores[:, :10], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.usefixtures("small_blocks")
def test_copies_of_a_document_come_in_the_order_of_rows(scoring):
    rng = np.random.default_rng(2)
    # Cosines to such documents are single numbers of the query: copies tie to the last bit.
    D = np.eye(5)[rng.integers(0, 5, 33)] * rng.choice([0.5, 1.0, 4.0], (33, 1))
    Q, bank = rng.normal(size=(8, 5)), rng.normal(size=(12, 5))
    order, scores = reference(scoring, Q, D, bank)
    retriever = CrossLingualRetriever(scoring=scoring).fit(D, query_bank=bank)
    for k in (1, 2, 7, 20, 33):
        distances, indices = retriever.kneighbors(Q, k)
        assert_array_equal(indices, order[:, :k])
        assert_allclose(1 - distances, scores[:, :k], rtol=1e-4, atol=1e-5)


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
                assert all(np.ptp(row[found == i]) < 1e-6 for i in range(5))


def test_distances_of_scikit_learn():
    rng = np.random.default_rng(3)
    D, Q = rng.normal(size=(300, 20)), rng.normal(size=(40, 20))
    theirs = NearestNeighbors(n_neighbors=12, metric="cosine").fit(D).kneighbors(Q)
    ours = CrossLingualRetriever(n_neighbors=12).fit(D).kneighbors(Q)
    assert_allclose(ours[0], theirs[0], atol=1e-6)
    assert_array_equal(ours[1], theirs[1])
    assert ours[0].dtype == np.float32
    assert ours[1].dtype == np.intp
    alone = CrossLingualRetriever(n_neighbors=12).fit(D).kneighbors(Q, return_distance=False)
    assert_array_equal(alone, theirs[1])


def test_rows_of_zeros_are_as_far_as_unrelated_ones():
    D = np.array([[0.0, 0, 0], [1, 0, 0], [0, -1, 0]])
    distances, indices = CrossLingualRetriever().fit(D).kneighbors([[0.0, 1, 0], [0, 0, 0]], 3)
    assert_array_equal(indices, [[0, 1, 2], [0, 1, 2]])
    assert_allclose(distances, [[1, 1, 2], [1, 1, 1]])


# Arrays


@pytest.mark.parametrize("width", [8, 300, 1024])
def test_unit_rows_are_not_copied(width):
    rows = unit(np.random.default_rng(4).normal(size=(500, width))).astype(np.float32)
    before = rows.copy()
    retriever = CrossLingualRetriever(n_neighbors=3).fit(rows)
    assert np.shares_memory(retriever._document_index.rows.blocks[0], rows)
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
    assert_array_equal(indices, reference(scoring, Q, D, bank)[0][:, :4])
    for array, copy in zip(arrays, copies, strict=True):
        assert_array_equal(array, copy)


def test_lists_frames_and_float64_are_one():
    rng = np.random.default_rng(6)
    D, Q = rng.normal(size=(20, 4)), rng.normal(size=(5, 4))
    expected = CrossLingualRetriever(n_neighbors=3).fit(D).kneighbors(Q)
    for kind in (np.ndarray.tolist, pd.DataFrame, lambda X: X.astype(np.float32)):
        found = CrossLingualRetriever(n_neighbors=3).fit(kind(D)).kneighbors(kind(Q))
        assert_array_equal(found[1], expected[1])
        assert_allclose(found[0], expected[0], atol=1e-6)


# Text


def aligner(**parameters):
    defaults = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner(**defaults | parameters)


@pytest.mark.parametrize("scoring", SCORINGS)
def test_korean_queries_find_english_documents(scoring):
    fitted = aligner().fit(PAIRS)
    retriever = CrossLingualRetriever(fitted.freeze(), scoring=scoring, n_neighbors=5)
    retriever.fit(ENGLISH, query_bank=KOREAN[:80])
    indices = retriever.kneighbors(KOREAN, return_distance=False)
    moved, bank = fitted.transform(KOREAN), fitted.transform(KOREAN[:80])
    expected = reference(scoring, moved, ToyEncoder().encode(ENGLISH), bank)[0]
    assert_array_equal(indices, expected[:, :5])
    assert np.mean(indices[:, 0] == np.arange(200)) > 0.95
    assert retriever.documents_ == ENGLISH
    assert retriever.n_documents_ == 200


def test_languages_mix_among_documents_and_queries():
    frame = pd.DataFrame({"ko": KOREAN, "ja": JAPANESE, "en": ENGLISH})
    fitted = aligner(target_lang=["ko", "ja"]).fit(frame)
    documents = [(KOREAN, JAPANESE, ENGLISH)[i % 3][i] for i in range(60)]
    retriever = CrossLingualRetriever(fitted.freeze(), n_neighbors=1).fit(documents)
    for queries in (ENGLISH, KOREAN, JAPANESE):
        found = retriever.kneighbors(queries[:60], return_distance=False)[:, 0]
        assert np.mean(found == np.arange(60)) > 0.95
    mixed = [KOREAN[7], ENGLISH[8], JAPANESE[9]]
    assert retriever.search(mixed)["id"].tolist() == [7, 8, 9]


def test_english_encoder_is_reached_by_a_bridge():
    bridged = aligner(english_encoder=EnglishOnly(), method="procrustes", alpha="auto")
    retriever = CrossLingualRetriever(bridged).fit(ENGLISH, parallel=PAIRS)
    assert retriever._document_index.width == 7
    assert retriever.aligner_.bridge_map_ is not None
    found = retriever.kneighbors(KOREAN[:50], 1, return_distance=False)[:, 0]
    assert np.mean(found == np.arange(50)) > 0.9


def test_output_space_of_the_target_language():
    retriever = CrossLingualRetriever(aligner(output_space="target", method="procrustes"))
    found = retriever.fit(ENGLISH, parallel=PAIRS).kneighbors(KOREAN[:50], 1)[1][:, 0]
    assert np.mean(found == np.arange(50)) > 0.9


def test_a_frozen_aligner_stays_and_another_is_fitted_anew():
    frozen = aligner().fit(PAIRS).freeze()
    retriever = CrossLingualRetriever(frozen).fit(ENGLISH)
    assert retriever.aligner_ is frozen
    unfitted = aligner()
    fresh = CrossLingualRetriever(unfitted).fit(ENGLISH, parallel=PAIRS)
    assert not hasattr(unfitted, "language_map_")
    assert fresh.aligner_ is not unfitted
    assert_array_equal(fresh.kneighbors(KOREAN)[1], retriever.kneighbors(KOREAN)[1])
    fitted = aligner().fit(PAIRS[:50])
    before = fitted.language_map_
    with pytest.warns(UserWarning, match=r"fitted already.*aligner\.freeze\(\)"):
        again = CrossLingualRetriever(fitted).fit(ENGLISH, parallel=PAIRS)
    assert fitted.language_map_ is before
    assert_array_equal(again.kneighbors(KOREAN)[1], retriever.kneighbors(KOREAN)[1])
    with pytest.raises(ValueError, match="parallel= is for an aligner that is fitted here"):
        CrossLingualRetriever(frozen).fit(ENGLISH, parallel=PAIRS)


def test_the_bank_is_the_target_side_of_the_pairs_or_of_an_own_corpus(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(f"{en}\t{ko}" for ko, en in PAIRS[:90]), encoding="utf-8")
    by_parallel = CrossLingualRetriever(aligner(), scoring="csls").fit(ENGLISH, parallel=PAIRS[:90])
    by_corpus = CrossLingualRetriever(aligner(corpus=path), scoring="csls").fit(ENGLISH)
    by_bank = CrossLingualRetriever(aligner(), scoring="csls")
    by_bank.fit(ENGLISH, parallel=PAIRS[:90], query_bank=KOREAN[:90])
    for retriever in (by_parallel, by_corpus):
        for found, right in zip(
            retriever.kneighbors(KOREAN), by_bank.kneighbors(KOREAN), strict=True
        ):
            assert_allclose(found, right, atol=1e-5)


def test_embeddings_of_queries_move_and_those_of_documents_do_not():
    encoder = ToyEncoder()
    fitted = aligner(encoder=encoder).fit(PAIRS)
    texts = CrossLingualRetriever(fitted.freeze()).fit(ENGLISH).kneighbors(KOREAN)
    retriever = CrossLingualRetriever(fitted.freeze()).fit(encoder.encode(ENGLISH))
    assert retriever.documents_ is None
    for queries in (KOREAN, encoder.encode(KOREAN)):
        distances, indices = retriever.kneighbors(queries)
        assert_array_equal(indices, texts[1])
        assert_allclose(distances, texts[0], atol=1e-5)


def test_search_is_a_table():
    retriever = CrossLingualRetriever(aligner(), n_neighbors=3)
    retriever.fit(ENGLISH, ids=[f"doc-{i}" for i in range(200)], parallel=PAIRS)
    distances, indices = retriever.kneighbors(KOREAN[5:7])
    table = retriever.search(KOREAN[5:7])
    assert table.columns.tolist() == ["query", "rank", "id", "score", "text"]
    assert table["query"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["rank"].tolist() == [1, 2, 3, 1, 2, 3]
    assert table["id"].tolist() == [f"doc-{i}" for i in indices.ravel()]
    assert table["text"].tolist() == [ENGLISH[i] for i in indices.ravel()]
    assert_allclose(table["score"], 1 - distances.ravel())
    one = retriever.search(KOREAN[5], 1)
    assert one[["query", "rank", "id", "text"]].to_numpy().tolist() == [
        [0, 1, "doc-5", "sentence number 5"]
    ]
    plain = CrossLingualRetriever().fit(np.eye(3)).search(np.eye(3)[[2]], 1)
    assert plain.to_dict("list") == {"query": [0], "rank": [1], "id": [2], "score": [1.0]}


# What is refused


def strict(**parameters):
    return aligner(encoder=NeverEncode(), **parameters)


@pytest.mark.parametrize(
    ("retriever", "X", "fit", "match"),
    [
        (CrossLingualRetriever(strict()), [], {}, "no documents"),
        (CrossLingualRetriever(strict()), ["a", " "], {}, "row 1 is an empty string"),
        (CrossLingualRetriever(strict()), "a text", {}, "X is one str"),
        (CrossLingualRetriever(strict()), np.eye(3), {}, r"fitted\.freeze\(\)"),
        (CrossLingualRetriever(), ["text"], {}, "without an aligner.*embeddings only"),
        (CrossLingualRetriever(), np.empty((0, 3)), {}, "0 sample"),
        (CrossLingualRetriever(), [[1.0, np.nan]], {}, "NaN"),
        (CrossLingualRetriever(), np.eye(3), {"ids": [1, 2]}, "2 ids for 3 documents"),
        (CrossLingualRetriever(), np.eye(3), {"ids": [1, 2, 1]}, "id 1 stands for two"),
        (CrossLingualRetriever(), np.eye(3), {"ids": "abc"}, "ids is one str"),
        (CrossLingualRetriever(), np.eye(3), {"parallel": PAIRS}, "parallel= is for"),
        (CrossLingualRetriever(scoring="dot"), np.eye(3), {}, "scoring must be one of"),
        (CrossLingualRetriever(scoring="csls"), np.eye(3), {}, "pass fit.*query_bank="),
        (
            CrossLingualRetriever(scoring="csls"),
            np.eye(3),
            {"query_bank": np.eye(2)},
            "2 features, but the index has 3",
        ),
        (
            CrossLingualRetriever(scoring="csls"),
            np.eye(3),
            {"query_bank": ["text"]},
            "queries of the bank are text",
        ),
        (CrossLingualRetriever(n_neighbors=0), np.eye(3), {}, "n_neighbors == 0"),
        (CrossLingualRetriever(hub_neighbors=0), np.eye(3), {}, "hub_neighbors == 0"),
        (CrossLingualRetriever(temperature=0.0), np.eye(3), {}, "temperature == 0"),
        (CrossLingualRetriever(backend="annoy"), np.eye(3), {}, "backend must be one of"),
        (
            CrossLingualRetriever(backend_params={"M": 3}),
            np.eye(3),
            {},
            r"\['M'\], which backend='exact' does not know",
        ),
    ],
)
def test_refused_documents(retriever, X, fit, match):
    with pytest.raises(ValueError, match=match):
        retriever.fit(X, **fit)
    assert not hasattr(retriever, "ids_")


@pytest.mark.parametrize(
    "X",
    [
        PAIRS,
        np.array(PAIRS),
        pd.DataFrame({"ko": KOREAN, "en": ENGLISH}),
        ParallelCorpus(KOREAN, ENGLISH, target_lang="ko"),
    ],
    ids=["tuples", "array", "frame", "corpus"],
)
def test_pairs_are_no_documents(X):
    retriever = CrossLingualRetriever(strict(), scoring="csls")
    for call, what in (
        (lambda: retriever.fit(X), "documents"),
        (lambda: retriever.fit(ENGLISH, query_bank=X), "queries of the bank"),
    ):
        with pytest.raises(ValueError, match=f"The {what} must be one column of text"):
            call()
    fitted = CrossLingualRetriever(aligner().fit(PAIRS).freeze()).fit(ENGLISH)
    for call, what in ((fitted.add, "documents"), (fitted.kneighbors, "queries")):
        with pytest.raises(ValueError, match=f"The {what} must be one column of text"):
            call(X)
    assert fitted.n_documents_ == 200


@pytest.mark.parametrize(
    ("corpus", "bank", "match"),
    [("starter", None, "query_bank="), (None, None, "query_bank="), (None, [], "no queries of")],
)
def test_a_missing_bank_is_refused_before_any_text_is_encoded(corpus, bank, match):
    retriever = CrossLingualRetriever(strict(corpus=corpus), scoring="margin")
    with pytest.raises(ValueError, match=match):
        retriever.fit(["a"], query_bank=bank)


def test_refused_queries():
    japanese = aligner(target_lang="ja").fit(list(zip(JAPANESE, ENGLISH, strict=True)))
    retriever = CrossLingualRetriever(japanese.freeze(), n_neighbors=4).fit(ENGLISH[:6])
    for query, script in (("доброе утро", "Cyrillic"), (KOREAN[0], "Hangul")):
        with pytest.raises(ValueError, match=rf"Row 1 is written in the {script} script"):
            retriever.kneighbors([JAPANESE[0], query])
    for k, match in ((7, "n_neighbors = 7, n_documents_ = 6"), (0, "n_neighbors == 0")):
        with pytest.raises(ValueError, match=match):
            retriever.kneighbors(JAPANESE, k)
    with pytest.raises(ValueError, match="no queries"):
        retriever.kneighbors([])
    with pytest.raises(ValueError, match="5 features"):
        retriever.kneighbors(np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"Documents have 5 features, but the index has 12"):
        CrossLingualRetriever(japanese.freeze()).fit(np.ones((2, 12))).add(np.ones((2, 5)))
    plain = CrossLingualRetriever(n_neighbors=1).fit(np.eye(3))
    with pytest.raises(ValueError, match="without an aligner"):
        plain.kneighbors("text")
    for call in (plain.kneighbors, plain.add):
        with pytest.raises(ValueError, match=r"X has 2 features.*expecting 3"):
            call(np.eye(2))


def test_unfitted():
    for call in (
        lambda r: r.kneighbors(np.eye(2)),
        lambda r: r.search(np.eye(2)),
        lambda r: r.add(np.eye(2)),
        lambda r: r.remove(0),
        lambda r: r.save_index("never-made"),
    ):
        with pytest.raises(NotFittedError):
            call(CrossLingualRetriever())
    with pytest.raises(NotFittedError):
        CrossLingualRetriever(FrozenEstimator(aligner())).fit(ENGLISH)
    with pytest.raises(TypeError, match="aligner must be a CrossLingualAligner"):
        CrossLingualRetriever("ko").fit(ENGLISH)


def test_equal_texts_are_warned_of():
    retriever = CrossLingualRetriever(aligner().fit(PAIRS).freeze())
    with pytest.warns(UserWarning, match="2 of 5 documents are the same as others"):
        retriever.fit(["a 1", "b 2", "a 1", "c 3", "a 1"])


def test_clone_and_set_params():
    retriever = CrossLingualRetriever(n_neighbors=2, backend_params={}).fit(np.eye(4))
    twin = clone(retriever)
    assert not hasattr(twin, "ids_")
    assert twin.get_params() == retriever.get_params()
    twin.set_params(n_neighbors=3, scoring="csls").fit(np.eye(4), query_bank=np.eye(4))
    assert twin.kneighbors(np.eye(4))[1].shape == (4, 3)
    nested = CrossLingualRetriever(aligner()).set_params(aligner__target_lang="ja")
    assert nested.aligner.target_lang == "ja"


# Documents that come and go, in every index

# All rows are looked at: else results would hang on the borders of cells or on a graph.
KINDS = {
    "exact": ("exact", None),
    "flat": ("faiss", {"factory": "Flat"}),
    "graph": ("faiss", {"factory": "HNSW16", "search": "efSearch=500"}),
    "cells": ("faiss", {"factory": "IVF4,Flat", "search": "nprobe=4"}),
    "hnswlib": ("hnswlib", {"ef": 300}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def of_kind(kind, **parameters):
    backend, backend_params = KINDS[kind]
    if backend != "exact":
        pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    return CrossLingualRetriever(backend=backend, backend_params=backend_params, **parameters)


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


def few(n, n_queries=20, width=8, seed=8):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)), rng.normal(size=(n_queries, width))


@every_kind
@pytest.mark.parametrize("scoring", SCORINGS)
def test_what_was_added_and_removed_is_as_if_fitted_so(kind, scoring):
    D, Q = few(240)
    bank = few(240)[0][:50] + 0.5
    ids = np.array([f"doc-{i}" for i in range(240)])

    def fitted(rows):
        return of_kind(kind, scoring=scoring).fit(D[rows], ids=ids[rows], query_bank=bank)

    retriever = fitted(np.arange(120))
    assert retriever.add(D[120:], ids=ids[120:]) is retriever
    assert_same(retriever, fitted(np.arange(240)), Q)
    kept = np.setdiff1d(np.arange(240), np.r_[0:40:2, 239, 100:130])
    gone = np.setdiff1d(np.arange(240), kept)
    assert retriever.remove(ids[gone]) is retriever
    assert retriever.ids_ == ids[kept].tolist()
    assert_same(retriever, fitted(kept), Q)
    back = gone[::3]
    retriever.add(D[back], ids=ids[back])
    retriever.remove([f"doc-{i}" for i in kept[:10]])
    now = np.r_[kept[10:], back]
    assert retriever.ids_ == ids[now].tolist()
    assert_same(retriever, fitted(now), Q)


@every_kind
def test_an_index_may_become_empty_and_fill_again(kind):
    D, Q = few(40)
    retriever = of_kind(kind).fit(D).remove(range(40))
    assert retriever.n_documents_ == 0
    with pytest.raises(ValueError, match=r"index is empty.*add some"):
        retriever.kneighbors(Q, 1)
    retriever.add(D[10:30], ids=[f"d{i}" for i in range(20)])
    expected = of_kind(kind).fit(D[10:30], ids=[f"d{i}" for i in range(20)])
    assert_same(retriever, expected, Q)
    assert retriever.remove([]).n_documents_ == 20


@every_kind
@pytest.mark.parametrize("scoring", ["cosine", "query_bank"])
def test_pickle_and_joblib(kind, scoring, tmp_path):
    D, Q = few(200)
    retriever = of_kind(kind, scoring=scoring).fit(D[:150], query_bank=Q)
    retriever.remove(range(0, 90, 3))
    joblib.dump(retriever, tmp_path / "retriever.joblib")
    copies = [pickle.loads(pickle.dumps(retriever)), joblib.load(tmp_path / "retriever.joblib")]
    for copy in copies:
        assert_same(copy, retriever, Q)
    assert copies[0].remove([1]).add(D[150:]).n_documents_ == 169
    assert retriever.n_documents_ == 120
    assert_same(copies[0], retriever.remove([1]).add(D[150:]), Q)


@every_kind
@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_eight_threads_find_what_one_does(kind, scoring):
    D, Q = few(900, 64)
    retriever = of_kind(kind, scoring=scoring).fit(D, query_bank=Q[::2])
    parts = [Q[i : i + 8] for i in range(0, 64, 8)]
    expected = [retriever.kneighbors(part) for part in parts]
    results, start = [None] * 8, threading.Barrier(8)

    def run(i):
        start.wait()
        results[i] = [retriever.kneighbors(parts[i]) for _ in range(5)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for several, right in zip(results, expected, strict=True):
        for distances, indices in several:
            assert_array_equal(indices, right[1])
            assert_allclose(distances, right[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["graph", "hnswlib", "cells"])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_reranking_all_candidates_is_the_exact_correction(kind, scoring):
    D, Q = few(90)  # of no more than 100 all are candidates
    bank = Q[::2] + 0.1
    parameters = {"scoring": scoring, "temperature": 0.2, "hub_neighbors": 4}
    order, scores = reference(scoring, Q, D, bank, 4, 0.2)
    retriever = of_kind(kind, **parameters).fit(D, query_bank=bank)
    distances, indices = retriever.kneighbors(Q, 9)
    assert_array_equal(indices, order[:, :9])
    assert_allclose(1 - distances, scores[:, :9], rtol=1e-3, atol=1e-5)


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
    with pytest.raises(ValueError, match=r"fewer than 120.*backend_params"):
        of_faiss("HNSW16").fit(D).kneighbors(Q, 120)
    assert recall_of(of_faiss("HNSW16", "efSearch=200").fit(D), Q, right) > 0.99
    D, Q = few(4000)
    right = CrossLingualRetriever().fit(D).kneighbors(Q, 20)[1]
    narrow, wide = (of_faiss("HNSW4", search).fit(D) for search in ("", "efSearch=200"))
    assert recall_of(narrow, Q, right) < 0.95 < 0.99 < recall_of(wide, Q, right)


def recall_of(retriever, Q, right):
    indices = retriever.kneighbors(Q, right.shape[1])[1]
    return np.mean([np.isin(row, due).mean() for row, due in zip(indices, right, strict=True)])


def test_all_cells_of_faiss_find_what_all_rows_do():
    D, Q = few(240)
    retriever = of_faiss("IVF4,Flat", "nprobe=4").fit(D)
    distances, indices = retriever.kneighbors(Q, 240)
    right = CrossLingualRetriever().fit(D).kneighbors(Q, 240)
    assert_array_equal(indices, right[1])
    assert_allclose(distances, right[0], atol=1e-6)
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
    with pytest.raises(ValueError, match=r"found fewer than 80 documents.*by backend_params"):
        retriever.kneighbors(Q, 80)


@pytest.mark.parametrize(
    ("factory", "n"),
    [
        ("Fl4t", 40),
        ("IVF4,Flat", 3),  # fewer rows than cells
        ("PQ3", 300),  # 8 features are no three equal parts
        ("OPQ3_5,Flat", 300),
    ],
)
def test_a_factory_that_faiss_cannot_make(factory, n):
    match = rf"FAISS cannot make an index '{factory}' of {n} rows of width 8 \(.+\): give backend_p"
    with pytest.raises(ValueError, match=match):
        of_faiss(factory).fit(few(n)[0])


# Identifiers


def test_numbers_count_on(tmp_path):
    D, _ = few(9)
    retriever = CrossLingualRetriever(n_neighbors=1).fit(D[:4])
    assert retriever.ids_ == [0, 1, 2, 3]
    assert retriever.remove(1).add(D[4:6]).ids_ == [0, 2, 3, 4, 5]
    assert retriever.remove(np.array([2, 5])).ids_ == [0, 3, 4]
    assert retriever.search(D[[3, 4, 0]])["id"].tolist() == [3, 4, 0]
    assert retriever.add(D[6:7]).ids_ == [0, 3, 4, 6]  # the number 5 stood for another document
    retriever.save_index(tmp_path)
    assert CrossLingualRetriever().open_index(tmp_path).remove(6).add(D[6:7]).ids_ == [0, 3, 4, 7]
    assert retriever.add(D[7:8], ids=pd.Series([70])).ids_ == [0, 3, 4, 6, 70]
    assert retriever.add(D[8:]).ids_ == [0, 3, 4, 6, 70, 71]
    assert retriever.fit(D[:2]).ids_ == [0, 1]


@every_kind
def test_refused_changes_leave_the_index_as_it_was(kind):
    D, Q = few(60)
    retriever = of_kind(kind).fit(D, ids=[f"doc-{i}" for i in range(60)])
    before = found(retriever, Q)
    for ids, unknown in ((["doc-3", "nobody"], "nobody"), ("doc", "doc"), (3, 3), ([None], None)):
        with pytest.raises(KeyError, match=rf"no document with the id {unknown!r}"):
            retriever.remove(ids)
    for new, ids, match in (
        (Q[:2], None, "identifiers of its own: pass ids="),
        (Q[:2], ["new", "doc-7"], "'doc-7' stands for two documents"),
        (Q[:2], ["new", "new"], "'new' stands for two documents"),
        (Q[:2], ["new"], "1 ids for 2 documents"),
        (Q[:2, :5], ["a", "b"], "5 features"),
        (["text"], ["a"], "without an aligner"),
        ([], [], "no documents"),
    ):
        with pytest.raises(ValueError, match=match):
            retriever.add(new, ids=ids)
    assert retriever.n_documents_ == 60
    for now, then in zip(found(retriever, Q), before, strict=True):
        assert_array_equal(now, then)


def test_texts_and_embeddings_do_not_mix():
    frozen = aligner().fit(PAIRS).freeze()
    texts = CrossLingualRetriever(frozen).fit(ENGLISH[:20])
    assert texts.remove([3]).add(["sentence number 3"]).documents_[-1] == "sentence number 3"
    assert texts.search(KOREAN[3], 1)[["id", "text"]].to_numpy().tolist() == [
        [20, "sentence number 3"]
    ]
    with pytest.raises(ValueError, match="index holds texts, and X holds embeddings: add texts"):
        texts.add(np.ones((2, 12)))
    rows = CrossLingualRetriever(frozen).fit(ToyEncoder().encode(ENGLISH))
    with pytest.raises(ValueError, match="index holds embeddings, and X holds texts"):
        rows.add(["a text"])


@pytest.mark.parametrize("kind", [pd.Series, pd.Index, set])
def test_identifiers_to_remove_in_any_collection(kind):
    retriever = CrossLingualRetriever().fit(few(9)[0])
    assert retriever.remove(kind([1, 4])).ids_ == [0, 2, 3, 5, 6, 7, 8]


# Real text


@lru_cache
def embedded(path, n):
    """Embeddings of the first pairs of a file, English first; by the default encoder."""
    lines = path.read_text(encoding="utf-8").splitlines()[:n]
    english, target = zip(*(line.split("\t")[:2] for line in lines), strict=True)
    return _encoded(english), _encoded(target)


@lru_cache
def _encoded(texts):
    return SentenceEncoder().encode(list(texts))


@pytest.mark.data
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_bank_of_queries_raises_recall_on_real_text(data_folder, language):
    recall = {"cosine": [], "csls": []}
    for corpus, n in (("tatoeba", 300), ("ntrex", 500)):
        english, target = embedded(data_folder / "eval" / corpus / f"{language}.tsv", n)
        for Q, D in ((target, english), (english, target)):
            for scoring, values in recall.items():
                retriever = CrossLingualRetriever(scoring=scoring).fit(D, query_bank=Q)
                indices = retriever.kneighbors(Q, return_distance=False)
                assert_array_equal(indices, reference(scoring, Q, D, Q)[0][:, :10])
                values.append(np.mean(indices[:, 0] == np.arange(len(Q))))
    # Measured before: .87 to .94 by cosine.
    assert np.mean(recall["csls"]) > np.mean(recall["cosine"]) > 0.8

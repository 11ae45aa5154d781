"""Documents that are added and removed, and their identifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualRetriever
from tests.retrieval.references import SCORINGS, assert_same, found
from tests.retrieval.toy import aligner, every_kind, few, of_kind
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder


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
@pytest.mark.parametrize("scoring", ["cosine", "margin"])
def test_many_small_changes_one_after_the_other(kind, scoring, tmp_path):
    """Rows that an index of a library has not taken in or dropped yet count like all others."""
    D, Q = few(400)
    rng, there, gone = np.random.default_rng(0), [*range(100)], [*range(100, 400)]
    retriever = of_kind(kind, scoring=scoring).fit(D[:100], ids=there, query_bank=Q + 0.1)
    for step in range(60):
        if rng.random() < 0.6:
            new = [gone.pop(int(rng.integers(len(gone)))) for _ in range(rng.integers(1, 5))]
            retriever.add(D[new], ids=new)
            there += new
        else:
            old = [there.pop(int(rng.integers(len(there)))) for _ in range(rng.integers(1, 5))]
            retriever.remove(old)
            gone += old
        assert retriever.ids_ == there
        if step % 6 == 5:
            right = of_kind("exact", scoring=scoring)
            assert_same(retriever, right.fit(D[there], ids=there, query_bank=Q + 0.1), Q)
    retriever.save_index(tmp_path)
    right = of_kind("exact", scoring=scoring).fit(D[there], ids=there, query_bank=Q + 0.1)
    assert_same(of_kind(kind, scoring=scoring).open_index(tmp_path), right, Q)


@every_kind
def test_what_was_added_is_removed_at_once(kind):
    D, Q = few(120)
    retriever = of_kind(kind).fit(D[:100])
    before = retriever.search(Q)
    for i in range(100, 120):
        retriever.add(D[i : i + 1])
        assert retriever.search(D[i : i + 1], 1)["id"].tolist() == [i]
        retriever.remove(i)
        assert retriever.search(Q)["id"].tolist() == before["id"].tolist()


@every_kind
def test_the_neighbourhood_of_a_query_is_removed(kind):
    D, Q = few(400)
    retriever = of_kind(kind).fit(D)
    nearest = retriever.kneighbors(Q[:1], 24)[1][0]
    retriever.remove(nearest.tolist()).add(D[nearest[:3]], ids=[400, 401, 402])
    assert retriever.search(Q[:1], 3)["id"].tolist() == [400, 401, 402]
    kept = [i for i in range(400) if i not in nearest]
    right = of_kind("exact").fit(np.concatenate([D[kept], D[nearest[:3]]]), ids=retriever.ids_)
    for k in (1, 10, 379):
        assert_array_equal(retriever.kneighbors(Q, k)[1], right.kneighbors(Q, k)[1])


@pytest.mark.parametrize("kind", ["flat", "graph", "cells", "hnswlib"])
def test_an_index_of_a_library_is_seldom_copied(kind, monkeypatch):
    D, Q = few(420)
    retriever, copies = of_kind(kind).fit(D[:320]), []
    cls = type(retriever._state.index.backend)
    for name in ("_copied_index", "_new_index"):
        inner = getattr(cls, name)

        def counted(self, *args, inner=inner):
            copies.append(1)
            return inner(self, *args)

        monkeypatch.setattr(cls, name, counted)
    for i in range(320, 420):
        retriever.add(D[i : i + 1])
    assert 4 <= len(copies) <= 5  # of 320 rows, each 20
    for i in range(60):
        retriever.remove(i)
    assert len(copies) <= 8
    assert_same(retriever, of_kind("exact").fit(D[60:], ids=retriever.ids_), Q)


def test_an_index_that_keeps_no_whole_rows_takes_them_in_at_once():
    """Its cosines are not those of the rows, so that both do not make one order."""
    pytest.importorskip("faiss", reason="needs pip install faiss-cpu")
    D, Q = few(360)
    parameters = {"backend": "faiss", "backend_params": {"factory": "SQ4"}}
    retriever = CrossLingualRetriever(**parameters).fit(D[:300])
    for i in range(300, 306):
        retriever.add(D[i : i + 1])
    assert retriever._state.index.backend._index.ntotal == 306
    assert retriever.search(Q).groupby("query")["score"].is_monotonic_decreasing.all()


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

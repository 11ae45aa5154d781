"""SearchView: rows of documents and queries in one view, languages and names."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import FunctionTransformer

from langalign_sk.encoders import EncodingSession
from langalign_sk.retrieval import view as module
from langalign_sk.retrieval.backends import make_index
from langalign_sk.retrieval.centring import Centring, means_by_language
from langalign_sk.retrieval.index import DocumentIndex
from langalign_sk.retrieval.view import (
    SearchView,
    document_rows,
    languages_in,
    name_of,
    query_rows,
    text_rows,
)
from tests.retrieval.references import EPS, unit
from tests.retrieval.toy import fitted_aligner
from tests.toy import ENGLISH, JAPANESE, KOREAN, EnglishOnly, ToyEncoder


def rows_of(n, seed=0, width=6, shift=0.0):
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(n, width)) + shift).astype(np.float32)


def view_of(documents, languages, centring=None):
    rows, lengths = documents, None
    if centring is not None:
        rows, lengths = centring.documents(documents, languages)
        languages = np.array(languages)
    index = DocumentIndex.build(range(len(rows)), rows, make_index("exact", None))
    return SearchView(
        "toy", None, index, centring, lengths, languages if lengths is not None else None
    )


def test_languages_of_texts_and_of_embeddings():
    one, rows = fitted_aligner(), np.eye(3)
    assert languages_in(one, ["안녕", "hello", KOREAN[0]]) == ["ko", "en", "ko"]
    assert languages_in(one.freeze(), ["hello"]) == ["en"]
    assert languages_in(one, rows) == ["ko"] * 3
    assert languages_in(one, rows, "en") == ["en"] * 3
    assert languages_in(None, rows) == [""] * 3
    assert languages_in(None, rows, "en") == ["en"] * 3
    frame = {"ko": KOREAN, "ja": JAPANESE, "en": ENGLISH}
    pd = pytest.importorskip("pandas")
    two = fitted_aligner(pd.DataFrame(frame), target_lang=["ko", "ja"])
    assert languages_in(two, [JAPANESE[0], KOREAN[0], "hello"]) == ["ja", "ko", "en"]
    assert languages_in(two, rows) == [""] * 3  # no script to tell them by
    with pytest.raises(ValueError, match="Cyrillic"):
        languages_in(two.set_params(on_unknown="raise"), ["доброе утро"])


def test_names():
    one = fitted_aligner()
    assert name_of(one, 0) == name_of(one.freeze(), 3) == "ToyEncoder"
    bridged = fitted_aligner(english_encoder=EnglishOnly())
    assert name_of(bridged, 0) == "ToyEncoder, bridged"
    assert name_of(None, 2) == "embeddings 2"
    assert name_of(FunctionTransformer(), 0) == "FunctionTransformer"


def test_rows_of_texts_are_those_of_the_aligner():
    one = fitted_aligner()
    texts, languages = [KOREAN[3], ENGLISH[4], KOREAN[3]], ["ko", "en", "ko"]
    expected = unit(one.transform(texts))
    found = text_rows(one.freeze(), texts, languages, EncodingSession())
    assert_allclose(found, expected, rtol=0, atol=8 * EPS)
    queries = query_rows(one, texts, languages, EncodingSession(), 12)
    assert_array_equal(queries.rows, found)
    assert queries.languages == languages
    rows = one.encoder.encode([KOREAN[3]])
    assert_allclose(
        query_rows(one, rows, ["ko"], EncodingSession(), 12).rows,
        expected[:1],
        rtol=0,
        atol=8 * EPS,
    )
    assert_allclose(
        query_rows(None, 3 * rows, [""], EncodingSession(), 12).rows,
        unit(rows),
        rtol=0,
        atol=8 * EPS,
    )
    for data in (texts, rows):
        with pytest.raises(ValueError, match="Queries have 12 features, but the index has 7"):
            query_rows(one, data, languages[: len(data)], EncodingSession(), 7)


def test_rows_of_documents_by_parts(monkeypatch):
    both = [fitted_aligner(), fitted_aligner(encoder=ToyEncoder(9))]
    whole = document_rows(both, ENGLISH[:50], None)
    assert [rows.shape for rows in whole] == [(50, 12), (50, 9)]
    for one, rows in zip(both, whole, strict=True):
        assert rows.dtype == np.float32
        assert_allclose(rows, unit(one.encoder.encode(ENGLISH[:50])), rtol=0, atol=8 * EPS)
    monkeypatch.setattr(module, "_CHUNK", 7)
    for session in (None, EncodingSession()):
        for part, rows in zip(document_rows(both, ENGLISH[:50], session), whole, strict=True):
            assert_array_equal(part, rows)
    for documents in (ENGLISH[:2], [np.ones((2, 12)), np.ones((2, 9))]):
        with pytest.raises(ValueError, match="Documents have 9 features, but the index has 5"):
            document_rows(both, documents, None, [12, 5])


@pytest.mark.parametrize("languages", [["en"] * 20, ["en", "ko"] * 10])
def test_uncentred_rows_come_back_also_of_documents_that_were_added(languages):
    documents, added = rows_of(20, 1, shift=0.4), rows_of(7, 2, shift=0.4)
    plain = view_of(documents, languages)
    plain.add(added, ["en"] * 7, range(20, 27))
    assert_array_equal(plain.uncentred(), np.concatenate([documents, added]))
    centring = Centring({"en": documents.mean(axis=0)}, means_by_language(documents, languages))
    centring.observe(rows_of(30, 3), ["ko"] * 30)
    view = view_of(documents, languages, centring)
    view.add(added, ["en"] * 6 + ["fr"], range(20, 27))
    assert view.languages.tolist() == [*languages, *["en"] * 6, "fr"]
    assert len(view.lengths) == view.index.n_documents == 27
    view.index.remove([3, 26])
    both = np.concatenate([documents, added])
    assert_allclose(view.uncentred(), both, rtol=0, atol=16 * EPS)
    expected, _ = centring.documents(added, ["en"] * 6 + ["fr"])
    assert_array_equal(view.index.rows.blocks[-1], expected)


def test_queries_are_centred_as_the_documents_are():
    documents, queries = rows_of(20, 4, shift=0.4), rows_of(5, 5, shift=0.8)
    centring = Centring({}, means_by_language(documents, ["en"] * 20))
    centring.observe(rows_of(30, 6, shift=0.8), [""] * 30)
    view = view_of(documents, ["en"] * 20, centring)
    found = view.queries(queries, [""] * 5, EncodingSession())
    expected = unit(queries - centring.query_mean(""))
    assert_allclose(found, expected, rtol=0, atol=32 * EPS)
    plain = view_of(documents, ["en"] * 20)
    assert_array_equal(plain.queries(queries, [""] * 5, EncodingSession()), queries)

"""CrossLingualRetriever: text and embeddings on their way in, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from langalign_sk import CrossLingualRetriever, ParallelCorpus
from tests.retrieval.references import EPS, SCORINGS, assert_same, cosine_error, reference
from tests.retrieval.toy import aligner
from tests.toy import ENGLISH, JAPANESE, KOREAN, PAIRS, EnglishOnly, NeverEncode, ToyEncoder


@pytest.mark.parametrize("scoring", SCORINGS)
def test_korean_queries_find_english_documents(scoring):
    fitted = aligner().fit(PAIRS)
    retriever = CrossLingualRetriever(fitted.freeze(), scoring=scoring, n_neighbors=5)
    retriever.fit(ENGLISH, query_bank=KOREAN[:80])
    indices = retriever.kneighbors(KOREAN, return_distance=False)
    moved, bank = fitted.transform(KOREAN), fitted.transform(KOREAN[:80])
    expected = reference(scoring, moved, ToyEncoder().encode(ENGLISH), bank).order
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
    assert retriever._state.index.width == 7
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
        assert_same(retriever, by_bank, KOREAN, 10)


def test_embeddings_of_queries_move_and_those_of_documents_do_not():
    encoder = ToyEncoder()
    fitted = aligner(encoder=encoder).fit(PAIRS)
    texts = CrossLingualRetriever(fitted.freeze()).fit(ENGLISH).kneighbors(KOREAN)
    retriever = CrossLingualRetriever(fitted.freeze()).fit(encoder.encode(ENGLISH))
    assert retriever.documents_ is None
    for queries in (KOREAN, encoder.encode(KOREAN)):
        distances, indices = retriever.kneighbors(queries)
        assert_array_equal(indices, texts[1])
        assert_allclose(distances, texts[0], rtol=0, atol=4 * cosine_error(12))


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
    assert_allclose(table["score"], 1 - distances.ravel(), rtol=0, atol=EPS)
    one = retriever.search(KOREAN[5], 1)
    assert one[["query", "rank", "id", "text"]].to_numpy().tolist() == [
        [0, 1, "doc-5", "sentence number 5"]
    ]
    plain = CrossLingualRetriever().fit(np.eye(3)).search(np.eye(3)[[2]], 1)
    assert plain.to_dict("list") == {"query": [0], "rank": [1], "id": [2], "score": [1.0]}


def strict(**parameters):
    return aligner(encoder=NeverEncode(), **parameters)


@pytest.mark.parametrize(
    ("retriever", "X", "fit", "match"),
    [
        (CrossLingualRetriever(strict()), [], {}, "no documents"),
        (CrossLingualRetriever(strict()), ["a", None], {}, "row 1 is missing"),
        (CrossLingualRetriever(strict()), "a text", {}, "X is a single str"),
        (CrossLingualRetriever(strict()), np.eye(3), {}, r"fitted\.freeze\(\)"),
        (CrossLingualRetriever(), ["text"], {}, "without an aligner.*embeddings only"),
        (CrossLingualRetriever(), np.empty((0, 3)), {}, "0 sample"),
        (CrossLingualRetriever(), [[1.0, np.nan]], {}, "NaN"),
        (CrossLingualRetriever(), np.eye(3), {"ids": [1, 2]}, "2 ids for 3 documents"),
        (CrossLingualRetriever(), np.eye(3), {"ids": [1, 2, 1]}, "id 1 stands for two"),
        (CrossLingualRetriever(), np.eye(3), {"ids": "abc"}, "ids is a single str"),
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
    strict = aligner(target_lang="ja", on_unknown="raise")
    japanese = strict.fit(list(zip(JAPANESE, ENGLISH, strict=True)))
    retriever = CrossLingualRetriever(japanese.freeze(), n_neighbors=4).fit(ENGLISH[:6])
    for query, script in (("доброе утро", "Cyrillic"), (KOREAN[0], "Hangul")):
        with pytest.raises(ValueError, match=rf"Row 1 is written in the {script} script"):
            retriever.kneighbors([JAPANESE[0], query])
    for k, match in ((7, "n_neighbors = 7, n_documents_ = 6"), (0, "n_neighbors == 0")):
        with pytest.raises(ValueError, match=match):
            retriever.kneighbors(JAPANESE, k)
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


def test_an_encoder_of_constant_rows_is_named():
    def constant(texts):
        return np.ones((len(texts), 4))

    retriever = CrossLingualRetriever(aligner(encoder=constant, corpus=None))
    with pytest.raises(ValueError, match=r"constant returns the same row for all \d+ texts"):
        retriever.fit(ENGLISH)


def test_documents_of_one_row_are_reported():
    def shouts_are_equal(texts):
        return np.array([[1, 1] if text.endswith("!") else [len(text), 1] for text in texts])

    one = aligner(encoder=shouts_are_equal, corpus=None)
    shouts = [f"{text}!" for text in ENGLISH[:5]]
    reported = r"^All 5 documents have the same row, so"
    with pytest.warns(UserWarning, match=reported):
        CrossLingualRetriever().fit(np.ones((5, 3)))
    with pytest.warns(UserWarning, match=reported):
        CrossLingualRetriever(one).fit(shouts, parallel=PAIRS)

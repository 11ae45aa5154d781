"""Words in common as one more view of a retriever."""

import numpy as np
import pytest

from langalign_sk import CrossLingualAligner, CrossLingualRetriever, load, save
from langalign_sk.retrieval.lexical import LexicalIndex
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

pytest.importorskip("bm25s")
pytest.importorskip("anyascii")

DOCUMENTS = [f"{text} part A-{i}" for i, text in enumerate(ENGLISH[:30])]


def retriever(**parameters):
    aligner = CrossLingualAligner(
        "ko", encoder=ToyEncoder(), method="ridge", alpha=1.0, corpus=None
    )
    aligner.fit(PAIRS[:300])
    parameters = {"lexical": True, "centre": False, "n_neighbors": 5, **parameters}
    return CrossLingualRetriever(aligner.freeze(), **parameters)


def test_a_word_in_common_decides():
    fitted = retriever().fit(DOCUMENTS)
    for i in (3, 17):
        assert fitted.search(f"부품 A-{i}", 1)["id"].tolist() == [i]


def test_the_score_is_the_cosine_and_a_share_of_the_lexical_one():
    fitted, plain = retriever().fit(DOCUMENTS), retriever(lexical=False).fit(DOCUMENTS)
    query = f"{KOREAN[2]} A-2"
    spread = fitted.report_.views[0].spread
    distances, indices = fitted.kneighbors(query, 30)
    cosines = np.empty(30)
    at, found = plain.kneighbors(query, 30)
    cosines[found[0]] = 1 - at[0]
    words = LexicalIndex(DOCUMENTS).score([query], np.arange(30)[None])[0]
    scores = cosines + 0.75 * spread * words
    np.testing.assert_allclose(1 - distances[0], scores[indices[0]], rtol=1e-5, atol=1e-6)
    assert (np.diff(scores[indices[0]]) <= 1e-6).all()


def test_documents_come_and_go(tmp_path):
    fitted = retriever().fit(DOCUMENTS)
    fitted.remove([3]).add(["a part B-77"])
    assert fitted.search("부품 B-77", 1)["id"].tolist() == [30]
    assert 3 not in set(fitted.search("부품 A-3", 30)["id"])
    fitted.save_index(tmp_path / "index")
    save(fitted, tmp_path / "model")
    opened = retriever().open_index(tmp_path / "index")
    loaded = load(tmp_path / "model", encoder=ToyEncoder())
    for each in (opened, loaded):
        assert each.search("부품 B-77", 1)["id"].tolist() == [30]


def test_auto_follows_the_pairs():
    aligner = CrossLingualAligner("ko", encoder=ToyEncoder(), method="ridge", alpha=1.0)
    english = [f"text {1000 + i}" for i in range(200)]
    for numbers, used in ((range(200), True), (range(1000, 1200), False)):
        korean = [f"글 {1000 + i}" for i in numbers]
        fitted = CrossLingualRetriever(aligner, lexical="auto", n_neighbors=1)
        fitted.fit(DOCUMENTS, parallel=(korean, english))
        assert fitted.report_.lexical.startswith("left out") != used
        assert "lexical: " in str(fitted.report_)


def test_what_is_refused():
    with pytest.raises(ValueError, match="pass text, or lexical=False"):
        CrossLingualRetriever(lexical=True).fit(np.eye(3))
    with pytest.raises(ValueError, match="lexical must be one of"):
        retriever(lexical="often").fit(DOCUMENTS)

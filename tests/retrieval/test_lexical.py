"""The lexical view: BM25 over the tokens that languages share."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

from langalign_sk.retrieval.lexical import LexicalIndex, lexical_evidence, shared_tokens

pytest.importorskip("bm25s")
pytest.importorskip("anyascii")

DOCUMENTS = [
    "The pump A-113/x2 leaks",
    "A pump for Garden hoses, 1,500 litres",
    "Release 2.0.1 of the parser",
    "",
    "Café Müller opens in 1999",
]


def _bm25(query, documents, k1=0.3, b=0.75):
    """BM25 as Lucene has it, by the formula, over the logarithm of the number of documents."""
    bags = [shared_tokens(document) for document in documents]
    mean = sum(map(len, bags)) / len(bags)
    out = []
    for bag in bags:
        total = 0.0
        for token in set(shared_tokens(query)):
            df = sum(token in other for other in bags)
            idf = math.log(1 + (len(bags) - df + 0.5) / (df + 0.5))
            tf = bag.count(token)
            total += idf * tf / (tf + k1 * (1 - b + b * len(bag) / mean)) if tf else 0
        out.append(total / math.log1p(len(bags)))
    return np.array(out)


def _all_scores(index, queries):
    return index.score(queries, np.tile(np.arange(index.n_rows), (len(queries), 1)))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("서울에서 Python으로 쓴", ["python"]),
        ("パイプライン", []),
        ("１，５００円のＵＳＢ", ["1500", "usb"]),
        ("3.5와 1,000,000", ["3.5", "3", "5", "1000000"]),
        ("使用A-113/x2。", ["a-113/x2", "a", "113", "x", "2"]),
        ("C++ and C#", ["c++", "and", "c#"]),
        ("Straße CAFÉ", ["strasse", "cafe"]),
        ("버전 v2.0을", ["v2.0", "v", "2", "0"]),
        ("snake_case", ["snake_case", "snake", "case"]),
        ("x: y, z.", ["x", "y", "z"]),
        ("Привет, мир", ["привет", "мир"]),
        ("펌프 A\u00ad-1\u200b13", ["a-113", "a", "113"]),
        ("", []),
    ],
)
def test_tokens(text, tokens):
    assert shared_tokens(text) == tokens


def test_scores_are_bm25():
    index = LexicalIndex(DOCUMENTS)
    queries = [
        "A-113/x2 水泵",
        "1500 升 pump",
        "缪勒 Cafe CAFÉ 1999",
        "解析 2.0.1",
        "水泵",
        "unknown",
    ]
    expected = [_bm25(query, DOCUMENTS) for query in queries]
    np.testing.assert_allclose(_all_scores(index, queries), expected, rtol=1e-5)
    for query in queries:  # a query does not depend on the others
        np.testing.assert_array_equal(
            _all_scores(index, [query])[0], _all_scores(index, queries)[queries.index(query)]
        )


def test_search_orders_by_score_and_position():
    index = LexicalIndex(["x y", "z", "x y", "x"])
    positions, scores = index.search(["x", "q", "z x"], k=3)
    assert positions.tolist()[0] == [3, 0, 2]
    assert positions.tolist()[1] == [-1, -1, -1]
    assert positions[2, 0] == 1
    assert scores.dtype == np.float32
    assert np.isneginf(scores[1]).all()
    np.testing.assert_array_equal(scores[0], index.score(["x"], positions[:1])[0])


def test_rare_token_counts_more():
    index = LexicalIndex(["common rare", *["common other"] * 20])
    scores = index.score(["rare", "common"], np.zeros((2, 1), dtype=int))[:, 0]
    assert scores[0] > 10 * scores[1] > 0


@pytest.mark.parametrize("query", ["히스토그램 도구", "ヒストグラムとは", "ﾋｽﾄｸﾞﾗﾑ"])
def test_names_are_romanised(query):
    documents = ["A box of apples", "A histogram of lengths", "The harbour"]
    index = LexicalIndex(documents)
    positions, scores = index.search([query], 3)
    assert positions[0, 0] == 1
    spelled = index.score(["histogram"], np.array([[1]]))[0, 0]
    assert 0.3 * spelled <= scores[0, 0] < spelled  # as much as the cosine of the n-grams


def test_romanised_words_do_not_depend_on_the_batch():
    index = LexicalIndex(["A histogram", "A parser", "A banana"])
    queries = ["ヒストグラムのパーサー", "バナナ", "히스토그램"]
    together = _all_scores(index, queries)
    for i in (2, 0, 1):
        fresh = LexicalIndex(["A histogram", "A parser", "A banana"])
        np.testing.assert_allclose(_all_scores(fresh, [queries[i]])[0], together[i], rtol=1e-6)


def test_candidates_that_are_missing_score_zero():
    index = LexicalIndex(DOCUMENTS)
    assert index.score(["pump"], np.array([[-1, 3, 2]])).tolist() == [[0, 0, 0]]
    assert index.score(["pump"], np.empty((1, 0), dtype=int)).shape == (1, 0)


def test_append_and_remove_equal_a_new_index():
    grown = LexicalIndex(DOCUMENTS[:2])
    grown.search(["pump"], 1)
    grown.append(DOCUMENTS[2:])
    queries = ["pump 2.0.1", "1999"]
    np.testing.assert_array_equal(
        _all_scores(grown, queries), _all_scores(LexicalIndex(DOCUMENTS), queries)
    )
    grown.remove([0, 3])
    fresh = LexicalIndex([DOCUMENTS[1], DOCUMENTS[2], DOCUMENTS[4]])
    scores = _all_scores(grown, queries)
    np.testing.assert_allclose(scores[:, [1, 2, 4]], _all_scores(fresh, queries), rtol=1e-6)
    assert not scores[:, [0, 3]].any()
    grown.remove(range(5))
    assert grown.search(queries, 2)[0].tolist() == [[-1, -1], [-1, -1]]
    grown.append(["1999"])
    assert grown.search(["1999"], 1)[0].tolist() == [[5]]


def test_words_of_removed_documents_hide_no_name():
    """They are not among the words that a romanised name is compared with."""
    kept = ["The histogram", "A box", "histograms of lengths"]
    removed = ["historian", "historic histone", "graham", "program hi", "history ram"]
    grown, fresh = LexicalIndex([*kept[:2], *removed, kept[2]]), LexicalIndex(kept)
    grown.remove(range(2, 7))
    queries = ["히스토그램 도구", "ヒストグラムとは"]
    scores = _all_scores(fresh, queries)
    assert (scores[:, [0, 2]] > 0).all()
    np.testing.assert_allclose(_all_scores(grown, queries)[:, [0, 1, 7]], scores, rtol=1e-6)


@pytest.mark.parametrize("documents", [[], [""], ["펌프", "水泵"], ["one"], ["", "..."]])
def test_few_or_empty_documents(documents):
    index = LexicalIndex(documents)
    positions, scores = index.search(["one 1", "", "펌프"], k=2)
    assert positions.shape == scores.shape == (3, 2)
    assert positions.tolist()[0] == ([0, -1] if documents == ["one"] else [-1, -1])
    assert (positions[1:] == -1).all()


def test_identical_documents():
    index = LexicalIndex(["pump A-113"] * 10_000)
    positions, scores = index.search(["A-113"], k=3)
    assert positions.tolist() == [[0, 1, 2]]
    assert 0 < scores[0, 0] < 1e-3  # what every document has tells none from another


def test_pickle():
    index = LexicalIndex(DOCUMENTS)
    index.search(["pump"], 1)
    index.remove([1])
    again = pickle.loads(pickle.dumps(index))
    np.testing.assert_array_equal(
        _all_scores(again, ["pump 1999"]), _all_scores(index, ["pump 1999"])
    )


def test_nothing_is_printed(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LexicalIndex(DOCUMENTS).search(["pump"], 1)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("library", ["bm25s", "anyascii"])
def test_missing_library_names_the_extra(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{library}.*langalign-sk\[lexical\]"):
        LexicalIndex(DOCUMENTS)


@pytest.mark.slow
def test_library_is_imported_late():
    code = "import sys, langalign_sk.retrieval.lexical; assert 'bm25s' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_evidence():
    english = [f"item {i} of the list" for i in range(20)]
    good = lexical_evidence([f"列表的{i}号" for i in range(20)], english)
    assert good.share == 1
    assert good.auc == 1
    assert good.helps
    wrong = lexical_evidence([f"列表的{(i + 1) % 20}号" for i in range(20)], english)
    assert wrong.share == 0
    assert wrong.auc < 0.5
    assert not wrong.helps
    assert not lexical_evidence(["列表", "水泵"], ["list", "pump"]).helps
    assert not lexical_evidence([], []).helps
    assert not lexical_evidence(["1"], ["1"]).helps
    with pytest.raises(ValueError, match="2 queries and 1 documents"):
        lexical_evidence(["1", "2"], ["1"])

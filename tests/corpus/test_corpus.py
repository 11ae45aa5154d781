"""Tests of ParallelCorpus: construction, identity, samples and frames."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from langalign_sk.corpus import ParallelCorpus
from tests.corpus.toy import EN, KO, make


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        lambda v: np.array(v),
        lambda v: np.array(v, dtype=object),
        lambda v: pd.Series(v, index=[7, 7, 3]),
        lambda v: pd.Series(v, dtype="string"),
        lambda v: pd.Series(v, dtype=object),
        lambda v: pd.Series(v, dtype="category"),
        pd.Index,
        pl.Series,
    ],
)
def test_takes_every_kind_of_sequence(container):
    corpus = make(container(KO), container(EN))
    assert corpus.target == tuple(KO)
    assert corpus.source == tuple(EN)
    assert {type(text) for text in corpus.target + corpus.source} == {str}
    assert corpus == make()


def test_attributes_and_repr():
    corpus = make(name="x")
    assert (corpus.target_lang, corpus.source_lang, corpus.name) == ("ko", "en", "x")
    assert corpus.n_pairs == 3
    assert type(corpus.n_pairs) is int
    assert corpus.cleaning_report is None
    assert repr(corpus) == "ParallelCorpus(n_pairs=3, target_lang='ko', name='x')"


@pytest.mark.parametrize("name", ["__len__", "shape", "__array__", "__getitem__", "__iter__"])
def test_does_not_look_like_an_array(name):
    assert not hasattr(make(), name)


class Recorder(BaseEstimator):
    def __init__(self, a=0):
        self.a = a

    def fit(self, X, y=None, parallel=None):
        self.seen_ = parallel
        assert parallel.n_pairs == 4
        return self

    def score(self, X, y=None):
        return 0.0


def test_grid_search_passes_it_uncut():
    corpus = make(list("가나다라"), list("abcd"))
    X = np.zeros((4, 1))
    search = GridSearchCV(Recorder(), {"a": [0, 1]}, cv=2, error_score="raise")
    assert search.fit(X, parallel=corpus).best_estimator_.seen_ is corpus


@pytest.mark.parametrize("name", ["target", "target_lang", "n_pairs", "fingerprint", "new"])
def test_immutable(name):
    with pytest.raises(AttributeError):
        setattr(make(), name, "changed")


def test_a_list_changed_later_changes_nothing():
    target = list(KO)
    corpus = make(target)
    target[0] = "changed"
    assert corpus.target == tuple(KO)


def test_empty_and_blank_sentences_are_allowed():
    assert make(["", " "], ["a", ""]).target == ("", " ")
    assert make([], []).n_pairs == 0


@pytest.mark.parametrize(
    ("target", "source", "error", "match"),
    [
        (KO, EN[:2], ValueError, "target has 3 sentences and source has 2: give one English"),
        ([b"x", "y"], ["a", "b"], TypeError, r'target, row 0 is bytes; decode .*\.decode\("utf-8"'),
        (np.array([b"x"]), ["a"], TypeError, "target, row 0 is bytes"),
        (
            KO,
            ["a", None, None],
            ValueError,
            r"source, rows? 1.* missing.*None.*Take such rows out, or fill them",
        ),
        (["a", float("nan")], ["a", "b"], ValueError, r"target, row 1 is missing \(nan\)"),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", "b"], ValueError, "row 1 is missing"),
        ([pd.NaT], ["a"], ValueError, "row 0 is missing"),
        (pl.Series(["a", None]), ["a", "b"], ValueError, "row 1 is missing"),
        (["a", 7], ["a", "b"], TypeError, "target, row 1 is int, not text: 7. Convert it to str"),
        (np.array([1.5]), ["a"], TypeError, r"row 0 is float, not text: .*1\.5"),
        ([["a", "b"]], ["a"], ValueError, "rows of several cells"),
        ("abc", EN, TypeError, "target is a single str: give a list of sentences"),
        (KO, b"abc", TypeError, "source is a single bytes: give a list"),
        (set(KO), EN, TypeError, "target is a set, whose order is undefined"),
        (
            dict(zip(KO, EN, strict=True)),
            EN,
            TypeError,
            r"target is a dict .*list\(X\.values\(\)\)",
        ),
        (None, EN, TypeError, "target must be a sequence of sentences, got NoneType"),
        (np.array([["a", "b"]]), ["a"], ValueError, r"one column of text: .* shape is \(1, 2\)"),
        (pd.DataFrame({"ko": KO, "n": 1}), EN, ValueError, r"columns \['ko', 'n'\]"),
    ],
)
def test_bad_sides(target, source, error, match):
    with pytest.raises(error, match=match):
        make(target, source)


@pytest.mark.parametrize("lang", ["en", "EN-us", "", " "])
def test_target_lang_is_not_english(lang):
    with pytest.raises(ValueError, match="the language that is not English"):
        make(lang=lang)


def test_target_lang_is_text(tmp_path):
    with pytest.raises(TypeError, match='a code such as "ko", got None'):
        make(lang=None)
    with pytest.raises(TypeError, match='a code such as "ko", got None'):
        ParallelCorpus.from_frame(pd.DataFrame(), None)
    with pytest.raises(TypeError, match='a code such as "ko", got 1'):
        ParallelCorpus.read(tmp_path / "x.tsv", 1)


def test_equality_and_hash():
    assert make() == make(name="other")
    assert hash(make()) == hash(make(name="other"))
    assert make() != make(lang="ja")
    assert make() != make(KO[::-1], EN)
    assert make() != make(KO, EN[::-1])
    assert make() != "something else"
    assert len({make(), make(), make(lang="ja")}) == 2


def test_copies_and_pickle():
    cleaned = make(name="x").clean()
    for other in (
        pickle.loads(pickle.dumps(cleaned)),
        copy.deepcopy(cleaned),
        copy.copy(cleaned),
        clone(Recorder(cleaned)).a,
    ):
        assert other == cleaned
        assert other.name == "x"
        assert other.cleaning_report == cleaned.cleaning_report
        assert other.cleaning_report["kept"] == 3


def test_fingerprint_is_that_of_the_documented_content():
    import hashlib

    plain = "2:ko" + "3:가" + "1:a"  # lengths are in bytes of UTF-8
    expected = hashlib.sha256(plain.encode()).hexdigest()[:16]
    assert make(["가"], ["a"]).fingerprint == expected


def test_fingerprint_tells_boundaries_and_languages():
    variants = [
        make(["ab", "c"], ["d", "e"]),
        make(["a", "bc"], ["d", "e"]),
        make(["ab", "c"], ["de", ""]),
        make(["ab", "c"], ["d", "e"], lang="ja"),
        make(["c", "ab"], ["e", "d"]),
        make(["ab"], ["d"]),
        make(["1:a"], [""]),
        make(["1:"], ["a"]),
        make([], []),
    ]
    assert len({corpus.fingerprint for corpus in variants}) == len(variants)
    assert make(name="x").fingerprint == make().fingerprint


def test_fingerprint_of_half_a_surrogate_pair():
    assert len(make(["\ud800"], ["a"]).fingerprint) == 16


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_fingerprint_and_hash_in_another_process(seed):
    code = (
        "from langalign_sk.corpus import ParallelCorpus\n"
        f"c = ParallelCorpus({KO!a}, {EN!a}, target_lang='ko')\n"
        "print(c.fingerprint, hash(c))"
    )
    env = {**os.environ, "PYTHONHASHSEED": seed}
    out = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout
    assert out.split() == [make().fingerprint, str(hash(make()))]


def test_sample():
    corpus = make([f"가{i}" for i in range(50)], [f"a{i}" for i in range(50)], name="x")
    drawn = corpus.sample(20, random_state=0)
    rows = [int(text[1:]) for text in drawn.source]
    assert drawn.n_pairs == 20
    assert rows == sorted(set(rows))
    assert drawn.target == tuple(f"가{i}" for i in rows)
    assert (drawn.name, drawn.target_lang) == ("x", "ko")
    assert drawn == corpus.sample(20, random_state=0)
    assert drawn != corpus.sample(20, random_state=1)
    assert drawn == corpus.sample(20, random_state=np.random.RandomState(0))
    assert corpus.sample(50) == corpus
    assert corpus.sample(0).n_pairs == 0


def test_sample_of_a_cleaned_corpus_has_no_report():
    assert make().clean().sample(2).cleaning_report is None


@pytest.mark.parametrize(
    ("n", "error", "match"),
    [
        (4, ValueError, "n=4 pairs cannot be drawn without replacement from a corpus of 3"),
        (-1, ValueError, "n=-1 pairs"),
        (1.5, TypeError, r"n must be an int, got 1\.5"),
    ],
)
def test_sample_errors(n, error, match):
    with pytest.raises(error, match=match):
        make().sample(n)


@pytest.mark.parametrize("library", [pd, pl])
def test_from_frame(library):
    frame = library.DataFrame({"id": [1, 2, 3], "en": EN, "ko": KO})
    corpus = ParallelCorpus.from_frame(frame, "ko", name="x")
    assert corpus == make()
    assert corpus.name == "x"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["en", "zh"], "b"),
        (["en", "zh_TW"], "b"),
        (["en", "zh", "zh-TW"], "c"),
        (["EN", "ZH"], "b"),
    ],
)
def test_from_frame_takes_the_code_or_its_base(columns, expected):
    frame = pd.DataFrame([list("abc")[: len(columns)]], columns=columns)
    corpus = ParallelCorpus.from_frame(frame, "zh-TW")
    assert corpus.target == (expected,)
    assert corpus.source == ("a",)
    assert corpus.target_lang == "zh-TW"


def test_from_frame_errors():
    frame = pd.DataFrame({"english": EN, 0: KO})
    match = r"columns \['english', '0'\]; needed are 'en' and 'ko'\. Rename"
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.from_frame(frame, "ko")
    with pytest.raises(ValueError, match=r"needed are 'en' and 'zh-TW' \(or 'zh'\)"):
        ParallelCorpus.from_frame(pl.DataFrame({"en": EN}), "zh-TW")
    with pytest.raises(ValueError, match="target, row 1 is missing"):
        ParallelCorpus.from_frame(pd.DataFrame({"en": EN, "ko": ["a", None, "c"]}), "ko")
    with pytest.raises(TypeError, match=r"frame is a LazyFrame.*\.collect\(\)"):
        ParallelCorpus.from_frame(pl.LazyFrame({"en": EN, "ko": KO}), "ko")
    with pytest.raises(TypeError, match="list of dicts, got list"):
        ParallelCorpus.from_frame([], "ko")


def test_to_frame_of_half_a_surrogate_pair():
    target = ["카드\ud83d", "안녕"]
    assert make(target, ["card", "hello"]).to_frame()["ko"].tolist() == target


def test_to_frame_and_back():
    frame = make(lang="zh-TW").to_frame()
    assert list(frame.columns) == ["zh-TW", "en"]
    assert frame["zh-TW"].tolist() == KO
    assert frame["en"].tolist() == EN
    assert ParallelCorpus.from_frame(frame, "zh-TW") == make(lang="zh-TW")
    assert list(make([], []).to_frame().columns) == ["ko", "en"]


@pytest.mark.parametrize(
    ("language", "target", "english", "reason"),
    [
        pytest.param("ko", "大韓民國은 民主共和國이다", "Korea is a republic", "kept", id="Hanja"),
        pytest.param("ko", "정말 좋아요", "So good ヽ(´▽`)/", "kept", id="kaomoji in English"),
        pytest.param("ko", "김철수 씨, 안녕", "Hi 김철수", "kept", id="name in English"),
        pytest.param(
            "ko", "율리아에게 보내요", "Send it to Юлия please", "kept", id="undeclared name"
        ),
        pytest.param("ko", "β 값", "the αβ-crystallin gene", "kept", id="Greek in English"),
        pytest.param(
            "zh", "这家店叫「さくら」，很好", "The shop is Sakura", "kept", id="quoted kana"
        ),
        pytest.param("zh", "優の良品很好吃", "Aji Ichiban is tasty", "kept", id="ornament"),
        pytest.param(
            "zh", "個人情報保護方針改定の件", "Privacy policy", "wrong_script", id="Japanese"
        ),
        pytest.param("ja", "個人情報保護方針改定の件", "Privacy policy", "kept", id="many kanji"),
        pytest.param("ko", "今天好开心", "So happy today", "wrong_script", id="Chinese"),
        pytest.param("ko", "오늘 좋아요", "今天好开心，真的很好", "wrong_script", id="no English"),
        pytest.param("ko", "안녕하세요", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "wrong_script", id="script of few"),
    ],
)
def test_clean_tells_languages_as_the_router_does(language, target, english, reason):
    corpus = ParallelCorpus([target], [english], target_lang=language)
    report = corpus.clean(max_length_ratio=100).cleaning_report
    assert [name for name, n in report.items() if n] == [reason]


def test_frames_of_other_kinds():
    pa = pytest.importorskip("pyarrow")
    rows = list(zip(KO, EN, strict=True))
    batch = pa.RecordBatch.from_pydict({"ko": list(KO), "en": list(EN)})

    class OfC:
        def __arrow_c_array__(self, requested_schema=None):
            return batch.__arrow_c_array__(requested_schema)

    structured = np.array(rows, dtype=[("ko", object), ("en", object)])
    fixed = np.array(rows, dtype=[("ko", "U40"), ("en", "U40")])
    for frame in (structured, fixed.view(np.recarray), pa.table(batch).to_reader(), OfC()):
        assert ParallelCorpus.from_frame(frame, "ko") == make()


def test_masked_text_is_missing():
    masked = np.ma.array(["one", "two"], mask=[False, True])
    with pytest.raises(ValueError, match="row 1 is missing"):
        ParallelCorpus(["하나", "둘"], masked, target_lang="ko")


def test_numbers_named_id_are_not_indonesian():
    frame = pd.DataFrame({"id": ["1", "2"], "Indonesian": ["satu", "dua"], "en": ["one", "two"]})
    assert ParallelCorpus.from_frame(frame, "id").target == ("satu", "dua")


def test_columns_of_several_levels():
    frame = pd.DataFrame(
        [["하나", "one"]], columns=pd.MultiIndex.from_tuples([("t", "ko"), ("t", "en")])
    )
    with pytest.raises(ValueError, match="several levels"):
        ParallelCorpus.from_frame(frame, "ko")

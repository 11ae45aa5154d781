"""Tests of ParallelCorpus and of the readers of its file formats."""

import copy
import gzip
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

KO = ["하나", "둘", "셋"]
EN = ["one", "two", "three"]
REASONS = {"kept", "empty", "duplicate", "wrong_script", "untranslated", "length_mismatch"}


def make(target=KO, source=EN, lang="ko", **params):
    return ParallelCorpus(target, source, target_lang=lang, **params)


def write(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


# Construction


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
def test_looks_like_no_array(name):
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
        ([b"x", "y"], ["a", "b"], TypeError, r'target, row 0 is bytes: decode .*\.decode\("utf-8"'),
        (np.array([b"x"]), ["a"], TypeError, "target, row 0 is bytes"),
        (KO, ["a", None, None], ValueError, r"source, row 1 is missing \(None\): drop such rows"),
        (["a", float("nan")], ["a", "b"], ValueError, r"target, row 1 is missing \(nan\)"),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", "b"], ValueError, "row 1 is missing"),
        ([pd.NaT], ["a"], ValueError, "row 0 is missing"),
        (pl.Series(["a", None]), ["a", "b"], ValueError, "row 1 is missing"),
        (["a", 7], ["a", "b"], TypeError, "target, row 1 is 7 of type int, not text"),
        (np.array([1.5]), ["a"], TypeError, r"row 0 is .*1\.5.* of type float64, not text"),
        ([["a"]], ["a"], TypeError, "of type list, not text"),
        ("abc", EN, TypeError, "target is a single str: give a list of sentences"),
        (KO, b"abc", TypeError, "source is a single bytes: give a list"),
        (iter(KO), EN, TypeError, r"target must be a list, .* got list_iterator\. Pass list"),
        (set(KO), EN, TypeError, "target must be a list, .* got set"),
        (dict(zip(KO, EN, strict=True)), EN, TypeError, "target must be a list, .* got dict"),
        (None, EN, TypeError, "target must be a list, .* got NoneType"),
        (np.array([["a", "b"]]), ["a"], ValueError, r"1-d, got shape \(1, 2\)\. Pass one column"),
        (pd.DataFrame({"ko": KO}), EN, ValueError, r"1-d, got shape \(3, 1\)"),
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


# Identity


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


# Sampling


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


# Frames


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
    with pytest.raises(TypeError, match=r"DataFrame, got LazyFrame .*frame\.collect"):
        ParallelCorpus.from_frame(pl.LazyFrame({"en": EN, "ko": KO}), "ko")
    with pytest.raises(TypeError, match="DataFrame, got list"):
        ParallelCorpus.from_frame([], "ko")


def test_to_frame_and_back():
    frame = make(lang="zh-TW").to_frame()
    assert list(frame.columns) == ["zh-TW", "en"]
    assert frame["zh-TW"].tolist() == KO
    assert frame["en"].tolist() == EN
    assert ParallelCorpus.from_frame(frame, "zh-TW") == make(lang="zh-TW")
    assert list(make([], []).to_frame().columns) == ["ko", "en"]


# Tables


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".csv", ".tsv.gz", ".csv.gz", ".TSV"])
def test_tables(tmp_path, suffix, header, order, bom, end):
    rows = [("ko", "en")] * header + list(zip(KO, EN, strict=True))
    cell = "," if ".csv" in suffix else "\t"
    text = bom + "".join(cell.join(row[:: -1 if order else 1]) + end for row in rows)
    corpus = ParallelCorpus.read(write(tmp_path / f"mine{suffix}", text), "ko")
    assert corpus == make()
    assert corpus.name == "mine"


def test_table_without_last_line_end(tmp_path):
    assert ParallelCorpus.read(write(tmp_path / "x.tsv", "one\t하나\ntwo\t둘"), "ko").n_pairs == 2


def test_path_as_str(tmp_path):
    path = write(tmp_path / "x.tsv", "one\t하나\n")
    assert ParallelCorpus.read(str(path), "ko").n_pairs == 1


@pytest.mark.parametrize("head", ["ID\tEn\tKO-kr", " id \t en\tko "])
def test_header_in_other_spellings_and_more_columns(tmp_path, head):
    path = write(tmp_path / "x.tsv", f"{head}\n1\tone\t하나\n")
    corpus = ParallelCorpus.read(path, "ko-KR")
    assert (corpus.target, corpus.source) == (("하나",), ("one",))


def test_columns_name_a_headerless_table(tmp_path):
    path = write(tmp_path / "x.tsv", "1\tHaus\thouse\n")
    corpus = ParallelCorpus.read(path, "de", columns=("id", "de", "en"))
    assert (corpus.target, corpus.source) == (("Haus",), ("house",))


def test_columns_may_repeat_the_header(tmp_path):
    path = write(tmp_path / "x.tsv", "en\tko\none\t하나\n")
    assert ParallelCorpus.read(path, "ko", columns=["en", "ko"]).source == ("one",)


def test_columns_overrule_the_script(tmp_path):
    path = write(tmp_path / "x.tsv", "one\t하나\n")
    assert ParallelCorpus.read(path, "ko", columns=("ko", "en")).target == ("one",)


@pytest.mark.parametrize("text", ["NA", "null", "1", "nan", "None", "1e5", "True"])
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_words_that_look_like_values_stay_text(tmp_path, suffix, text):
    cell = "," if suffix == ".csv" else "\t"
    path = write(tmp_path / f"x{suffix}", f"en{cell}ko\n{text}{cell}{text}\n")
    corpus = ParallelCorpus.read(path, "ko")
    assert (corpus.target, corpus.source) == ((text,), (text,))


def test_quotes_in_tsv_are_text(tmp_path):
    path = write(tmp_path / "x.tsv", '"Hi," she said\t"안녕"\n5" disk\t5" 디스크\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ('"Hi," she said', '5" disk')
    assert corpus.target == ('"안녕"', '5" 디스크')


def test_quotes_in_csv_are_quotes(tmp_path):
    path = write(tmp_path / "x.csv", 'en,ko\n"Hi, ""you""\nthere","안녕, 너"\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ('Hi, "you"\nthere',)
    assert corpus.target == ("안녕, 너",)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x1e"])
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_only_line_feeds_end_a_row(tmp_path, suffix, separator):
    cell = "," if suffix == ".csv" else "\t"
    path = write(tmp_path / f"x{suffix}", f"a{separator}b{cell}하나\n")
    assert ParallelCorpus.read(path, "ko").source == (f"a{separator}b",)


def test_blank_lines_are_skipped_and_empty_cells_kept(tmp_path):
    path = write(tmp_path / "x.tsv", "one\t하나\n\n\t\ntwo\t\n")
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ("one", "", "two")
    assert corpus.target == ("하나", "", "")


def test_other_encodings(tmp_path):
    for encoding in ("cp949", "utf-16", "UTF_8"):
        path = write(tmp_path / "x.tsv", "one\t하나\n", encoding)
        assert ParallelCorpus.read(path, "ko", encoding=encoding).target == ("하나",)


@pytest.mark.parametrize(
    ("target_lang", "target", "other"),
    [
        ("ja", "東京", "Tokyo"),
        ("ja", "ひらがな", "kana"),
        ("zh-TW", "你好", "hi"),
        ("ru", "да", "yes"),
    ],
)
def test_script_decides_in_other_languages(tmp_path, target_lang, target, other):
    path = write(tmp_path / "x.tsv", f"{other}\t{target}\n")
    assert ParallelCorpus.read(path, target_lang).target == (target,)


def test_majority_of_rows_decides(tmp_path):
    rows = ["Firefox\tFirefox", "하나 (one)\tone", "하나\ttwo", "하나\t'하나' is one"]
    corpus = ParallelCorpus.read(write(tmp_path / "x.tsv", "\n".join(rows)), "ko")
    assert corpus.target[1] == "하나 (one)"


REMEDY = r'Pass columns=\("en", "ko"\)'


@pytest.mark.parametrize(
    ("name", "text", "params", "match"),
    [
        ("x.tsv", "a\tb\n", {}, f"neither of its columns are in the script of 'ko'.* {REMEDY}"),
        ("x.tsv", "하나\t둘\n", {}, f"both of its columns are in the script of 'ko'.* {REMEDY}"),
        (
            "x.tsv",
            "1\ta\t하나\n",
            {},
            r"has 3 columns and no header with 'en' and 'ko'\. .*columns=",
        ),
        ("x.tsv", "하나\n", {}, "has 1 column and no header"),
        ("x.tsv", "a\t하나\n\nb\n", {}, "line 3: 1 cell where 2 are due"),
        ("x.tsv", "en\tko\na\tb\tc\n", {}, "line 2: 3 cells where 2 are due. Repair"),
        ("x.csv", 'en,ko\n"a\nb",c\nd\n', {}, "line 4: 1 cell where 2 are due"),
        ("x.csv", 'a,하나\nb,"둘\nc,셋\n', {}, "row that begins in line 2: unexpected end of data"),
        ("x.tsv", "a\tb\n", {"columns": ("id", "en", "ko")}, "line 1: 2 cells where 3 are due"),
        ("x.tsv", "a\tb\n", {"columns": ("en", "de")}, r"columns= has the columns \['en', 'de'\]"),
        (
            "x.tsv",
            "en\tko\n",
            {"columns": ("ko", "en")},
            r"header \['en', 'ko'\], which .*contradict",
        ),
        ("x.tsv", "", {}, "holds no pairs"),
        ("x.tsv", "en\tko\n", {}, "holds no pairs"),
        (
            "x.json",
            "{}",
            {},
            r"no known suffix. Known are \.tsv, \.txt, \.csv, .*\.tmx .*\.parquet",
        ),
        ("x.gz", "", {}, "no known suffix"),
        ("x.parquet.gz", "", {}, "no known suffix"),
        ("x", "", {}, "no known suffix"),
        ("x.jsonl", "{}", {"columns": ("en", "ko")}, "columns= is for .*jsonl names its own"),
    ],
)
def test_table_errors(tmp_path, name, text, params, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / name, text), "ko", **params)


def test_latin_languages_need_columns(tmp_path):
    path = write(tmp_path / "x.tsv", "Haus\thouse\n")
    match = r"'de' cannot be told from English by its script.*columns=\(\"en\", \"de\"\)"
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(path, "de")


def test_columns_as_one_str(tmp_path):
    with pytest.raises(TypeError, match=r"columns must be a sequence of names .*'en,ko'"):
        ParallelCorpus.read(write(tmp_path / "x.tsv", "a\tb\n"), "ko", columns="en,ko")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv"):
        ParallelCorpus.read(tmp_path / "nowhere.tsv", "ko")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ko"):
        ParallelCorpus.read_moses(tmp_path / "nowhere.ko", tmp_path / "nowhere.en", "ko")


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl"])
def test_undecodable_bytes(tmp_path, suffix):
    path = write(tmp_path / f"x{suffix}", "one\ttwo\none\t하나\n", "cp949")
    with pytest.raises(
        ValueError, match=r"line 2: the bytes are not 'utf-8' text\. Pass encoding="
    ):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize("data", [b"one\two", gzip.compress(b"one\two" * 99)[:-9]])
def test_broken_gzip(tmp_path, data):
    path = tmp_path / "x.tsv.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.tsv\.gz' is no complete gzip file"):
        ParallelCorpus.read(path, "ko")


# Lines of JSON


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".jsonl.gz"])
def test_json_lines(tmp_path, suffix):
    text = (
        '\ufeff{"en": "one", "ko": "하나", "id": 1}\r\n'
        "\n"
        '{"ko": "\\ub458", "en": "NA"}\n'
        '{"en": "three", "ko": null}\n'
        '{"ko": "넷"}\n'
    )
    corpus = ParallelCorpus.read(write(tmp_path / f"x{suffix}", text), "ko-KR")
    assert corpus.target == ("하나", "둘", "", "넷")
    assert corpus.source == ("one", "NA", "three", "")
    assert corpus.target_lang == "ko-KR"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"en": "a", "ko": "b"}\n\n{"en": "a",\n', r"x\.jsonl', line 3: broken JSON"),
        ('["a", "b"]\n', r"line 1: .* is no JSON object\. Write one \{\"en\": \.\.\., \"ko\""),
        ('{"en": "a", "ko": 5}\n', "line 1: the value of 'ko' is 5, not text"),
        ('{"en": "a", "kr": "b"}\n', r"columns \['en', 'kr'\]; needed are 'en' and 'ko'"),
        ("\n", "holds no pairs"),
    ],
)
def test_json_lines_errors(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / "x.jsonl", text), "ko")


# Parquet


@pytest.mark.parametrize("library", [pd, pl])
def test_parquet(tmp_path, library):
    pytest.importorskip("pyarrow")
    frame = library.DataFrame({"id": [1, 2, 3], "en": ["NA", None, "1"], "ko": ["하나", "", None]})
    path = tmp_path / "x.parquet"
    frame.to_parquet(path) if library is pd else frame.write_parquet(path)
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.target == ("하나", "", "")
    assert corpus.source == ("NA", "", "1")
    assert corpus.name == "x"


def test_parquet_with_nan(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    pd.DataFrame({"en": ["a", "b"], "ko": [np.nan, np.nan]}).to_parquet(path)
    assert ParallelCorpus.read(path, "ko").target == ("", "")


def test_parquet_errors(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    pd.DataFrame({"en": ["a"], "ko": [5]}).to_parquet(path)
    with pytest.raises(TypeError, match="target, row 0 is 5 of type int"):
        ParallelCorpus.read(path, "ko")
    with pytest.raises(ValueError, match=r"columns \['en', 'ko'\]; needed are 'en' and 'ja'"):
        ParallelCorpus.read(path, "ja")
    with pytest.raises(ValueError, match="is no parquet file"):
        ParallelCorpus.read(write(path, "one\t하나\n"), "ko")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install langalign-sk\[parquet\]"):
        ParallelCorpus.read(write(tmp_path / "x.parquet", ""), "ko")


# Translation memories


def tmx(*units, declaration='<?xml version="1.0"?>', attribute="xml:lang", namespace=""):
    body = "".join(
        "<tu>"
        + "".join(f'<tuv {attribute}="{lang}"><seg>{seg}</seg></tuv>' for lang, seg in unit)
        + "</tu>\n"
        for unit in units
    )
    return (
        f'{declaration}\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"{namespace}>'
        f'<header srclang="en"/><body>\n{body}</body></tmx>'
    )


PAIR = [("EN-US", "one"), ("ko-KR", "하나")]


@pytest.mark.parametrize("suffix", [".tmx", ".tmx.gz"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"attribute": "lang"},
        {"namespace": ' xmlns="http://www.lisa.org/tmx14"'},
        {"declaration": ""},
        {"declaration": "\ufeff"},
    ],
)
def test_tmx(tmp_path, suffix, params):
    text = tmx(PAIR, [("KO", "둘 &amp; 셋"), ("en", "two")], **params).lstrip("\n")
    corpus = ParallelCorpus.read(write(tmp_path / f"x{suffix}", text), "ko")
    assert corpus.target == ("하나", "둘 & 셋")
    assert corpus.source == ("one", "two")
    assert corpus.name == "x"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_tmx_declares_its_own_encoding(tmp_path, encoding):
    name = encoding.removesuffix("-sig")
    text = tmx(PAIR, declaration=f'<?xml version="1.0" encoding="{name}"?>')
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text, encoding), "ko").target == ("하나",)


def test_tmx_inline_markup(tmp_path):
    marked = (
        'Press <bpt i="1">&lt;b&gt;</bpt>the <hi type="x">red <hi>hot</hi></hi> key<ept i="1">'
        "&lt;/b&gt;</ept> now<ph/>."
    )
    path = write(tmp_path / "x.tmx", tmx([("en", marked), ("ko", "<hi>하나</hi>")]))
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ("Press the red hot key now.",)
    assert corpus.target == ("하나",)


def test_tmx_units_with_missing_or_several_languages(tmp_path):
    text = tmx(
        [("en", "alone")],
        [("en", "one"), ("en-GB", "one, old chap"), ("ja", "一"), ("ko", "하나"), ("ko", "일")],
        [("ko", "혼자")],
        [],
        [("en", ""), ("ko", "빈")],
    )
    corpus = ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko")
    assert corpus.source == ("one", "")
    assert corpus.target == ("하나", "빈")


def test_tmx_prefers_the_very_code(tmp_path):
    text = tmx(
        [("zh-CN", "简"), ("zh-tw", "繁"), ("en-GB", "colour"), ("en", "color")],
        [("zh-CN", "只"), ("en-GB", "only")],
    )
    corpus = ParallelCorpus.read(write(tmp_path / "x.tmx", text), "zh-TW")
    assert corpus.target == ("繁", "只")
    assert corpus.source == ("color", "only")


def test_tmx_variant_without_segment(tmp_path):
    text = tmx(PAIR).replace("<seg>하나</seg>", "")
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko").target == ("",)


EVIL = '<!DOCTYPE tmx [<!ENTITY e SYSTEM "{}">]><tmx><body><tu>{}</tu></body></tmx>'


def test_tmx_expands_no_external_entity(tmp_path):
    secret = write(tmp_path / "secret.txt", "secret")
    tuv = '<tuv lang="en"><seg>&e;</seg></tuv><tuv lang="ko"><seg>하나</seg></tuv>'
    path = write(tmp_path / "x.tmx", EVIL.format(secret.as_uri(), tuv))
    with pytest.raises(ValueError, match=r"broken XML .*undefined entity"):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (tmx(PAIR)[:-13], r"x\.tmx', line 5: broken XML"),
        (tmx(PAIR).replace("</seg></tuv>", "</tuv>", 1), r"x\.tmx', line 4: broken XML"),
        ("", "line 1: broken XML"),
        (
            tmx([("en", "a"), ("ja", "一"), ("fr-FR", "b")]),
            "no pair .*languages are: en, ja, fr-FR",
        ),
        (tmx(), r"no pair of 'en' and 'ko'\. Its languages are: none"),
        (tmx(PAIR, declaration='<?xml version="1.0" encoding="euc-kr"?>'), "Convert .* to UTF-8"),
        (tmx(PAIR, declaration='<?xml version="1.0" encoding="none-such"?>'), "to UTF-8"),
    ],
)
def test_tmx_errors(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko")


# Two files


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_moses(tmp_path, gz):
    target = write(tmp_path / f"train.ko{gz}", '\ufeff하나\r\n\r\n"셋\u2028\t넷')
    source = write(tmp_path / f"train.en{gz}", "one\nNA\nthree\u0085 four\n")
    corpus = ParallelCorpus.read_moses(target, source, "ko")
    assert corpus.target == ("하나", "", '"셋\u2028\t넷')
    assert corpus.source == ("one", "NA", "three\u0085 four")
    assert (corpus.name, corpus.target_lang) == ("train", "ko")


def test_moses_errors(tmp_path):
    target = write(tmp_path / "x.ko", "하나\n둘\n")
    source = write(tmp_path / "x.en", "one\ntwo\nthree\n")
    with pytest.raises(ValueError, match=r"x\.ko' has 2 lines and '.*x\.en' has 3: line i of one"):
        ParallelCorpus.read_moses(target, source, "ko")
    write(target, "하나\n둘\n셋\n", "cp949")
    with pytest.raises(ValueError, match="line 1: the bytes are not 'utf-8' text"):
        ParallelCorpus.read_moses(target, source, "ko")
    assert ParallelCorpus.read_moses(target, source, "ko", encoding="cp949") == make()


# Cleaning


def fate(target, source, lang="ko"):
    """What becomes of one pair, among three ordinary ones of the length ratio 1."""
    letters = {"ko": "가나다", "ja": "あいう", "zh": "一二三", "de": "äöü"}[lang]
    corpus = make([*(c * 2 for c in letters), target], ["go", "do", "be", source], lang)
    report = corpus.clean().cleaning_report
    assert sum(report.values()) == 4
    assert set(report) == REASONS
    if report["kept"] == 4:
        return "kept"
    assert report["kept"] == 3
    return next(reason for reason in REASONS - {"kept"} if report[reason])


@pytest.mark.parametrize(
    ("target", "source", "lang", "expected"),
    [
        ("좋은 하루", "Good day", "ko", "kept"),
        ("", "Good day", "ko", "empty"),
        ("좋은", " \t\u3000\n", "ko", "empty"),
        ("", "", "ko", "empty"),
        ("Firefox", "Firefox", "ko", "untranslated"),
        ("ＦＩＲＥＦＯＸ 2!", "firefox-2", "ko", "untranslated"),
        ("좋은", "좋은", "ko", "untranslated"),  # equal sides come before the script
        ("?!", "...", "ko", "untranslated"),
        ("Good evening", "Good day", "ko", "untranslated"),
        ("Guten Tag", "Good day", "de", "kept"),
        ("Good day!", "good day", "de", "untranslated"),
        ("おはよう", "Good day", "ko", "wrong_script"),
        ("2026", "twenty", "ko", "wrong_script"),
        ("좋은 하루", "좋은 아침", "ko", "wrong_script"),
        ("좋은 하루", "今日", "ko", "wrong_script"),
        ("今日", "today", "ja", "kept"),
        ("今日は", "today", "ja", "kept"),
        ("오늘", "today", "ja", "wrong_script"),
        ("今日", "today", "zh", "kept"),
        ("きょう", "today", "zh", "wrong_script"),
        ("доброе", "Good day", "de", "kept"),  # not tested for languages in Latin script
        ("Alpha beta gamma 가", "Good day", "ko", "wrong_script"),  # Latin 14 to 1
        ("가" * 19, "a", "ko", "kept"),  # short pairs are not judged by length
        ("가" * 20, "abcd", "ko", "length_mismatch"),
        ("가" * 20, "abcde", "ko", "kept"),
        ("가가가가", "a" * 20, "ko", "length_mismatch"),
        ("가가가가가", "a" * 20, "ko", "kept"),
        ("가 가", "GO!", "ko", "duplicate"),
    ],
)
def test_fate_of_a_pair(target, source, lang, expected):
    assert fate(target, source, lang) == expected


def test_duplicates_need_both_sides():
    corpus = make(["가 나", "가나!", "가나", "다"], ["Go", "go.", "do", "go"]).clean()
    assert corpus.target == ("가 나", "가나", "다")
    assert corpus.source == ("Go", "do", "go")
    assert corpus.cleaning_report["duplicate"] == 1


def test_a_dropped_pair_makes_no_duplicate():
    long = ("가" * 40, "a")
    corpus = make([*KO, long[0], long[0]], [*"abc", long[1], long[1]]).clean()
    assert corpus.cleaning_report["length_mismatch"] == 2
    assert corpus.cleaning_report["duplicate"] == 0


def test_length_is_judged_relative_to_the_corpus():
    # English is ten times longer all over this corpus; only the pair of equal lengths differs.
    target = [*(c * 3 for c in "가나다라"), "마" * 30]
    source = [*(c * 30 for c in "abcd"), "e" * 30]
    cleaned = make(target, source).clean()
    assert cleaned.source == tuple(source[:4])
    assert cleaned.cleaning_report["length_mismatch"] == 1
    assert make(target, source).clean(max_length_ratio=10).n_pairs == 5
    assert make(target, source).clean(max_length_ratio=9.9).n_pairs == 4


def test_cleaning_strips_and_keeps_the_rest():
    corpus = make([" 하나\n", "", "\u3000둘"], ["one ", "x", "two"], name="x")
    cleaned = corpus.clean()
    assert cleaned.target == ("하나", "둘")
    assert cleaned.source == ("one", "two")
    assert (cleaned.name, cleaned.target_lang) == ("x", "ko")
    assert corpus.n_pairs == 3
    assert corpus.cleaning_report is None
    again = cleaned.clean()
    assert again == cleaned
    assert again.cleaning_report["kept"] == again.n_pairs == 2


def test_cleaning_leaves_nothing_of_nothing():
    assert make([], []).clean().cleaning_report == dict.fromkeys(REASONS, 0)
    cleaned = make(["", " "], ["a", ""]).clean()
    assert cleaned.n_pairs == 0
    assert cleaned.cleaning_report["empty"] == 2


def test_cleaning_report_is_read_only():
    report = make().clean().cleaning_report
    with pytest.raises(TypeError, match="does not support item assignment"):
        report["kept"] = 5


@pytest.mark.parametrize("ratio", [1, 0.5, -3, float("nan"), "4", None])
def test_max_length_ratio_is_checked(ratio):
    with pytest.raises(ValueError, match="max_length_ratio must be a number greater than 1, got"):
        make().clean(max_length_ratio=ratio)


# Real text


@pytest.mark.data
def test_real_corpus(data_folder):
    corpus = ParallelCorpus.read(data_folder / "parallel" / "ko" / "xpersona.tsv", "ko")
    assert corpus.n_pairs == 5446
    assert corpus.target[0] == "나는 두 마리의 개를 가지고 있어."
    assert corpus.source[0] == "i have two dogs."
    cleaned = corpus.clean()
    assert sum(cleaned.cleaning_report.values()) == 5446
    assert cleaned.cleaning_report["kept"] == cleaned.n_pairs

"""Tests of JSON lines, parquet and Moses files."""

import ast
import re
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from langalign_sk.corpus import ParallelCorpus
from tests.corpus.toy import make, write


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
        ('["a", "b"]\n', r"line 1: .* is not a JSON object\. Write one \{\"en\": \.\.\., \"ko\""),
        ('{"en": "a", "ko": 5}\n', "line 1: the value of 'ko' is 5, not text"),
        ('{"en": "a", "xx": "b"}\n', r"columns \['en', 'xx'\]; needed are 'en' and 'ko'"),
        ("\n", "holds no pairs"),
    ],
)
def test_json_lines_errors(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / "x.jsonl", text), "ko")


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
    with pytest.raises(TypeError, match="target, row 0 is int, not text: 5"):
        ParallelCorpus.read(path, "ko")
    with pytest.raises(ValueError, match=r"columns \['en', 'ko'\]; needed are 'en' and 'ja'"):
        ParallelCorpus.read(path, "ja")
    with pytest.raises(ValueError, match="is not a parquet file"):
        ParallelCorpus.read(write(path, "one\t하나\n"), "ko")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r'pip install "langalign-sk\[parquet\]"'):
        ParallelCorpus.read(write(tmp_path / "x.parquet", ""), "ko")


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


NESTED = [
    '{"translation": {"en": "Hi", "ko": "안녕"}}',
    '{"id": 7, "translation": {"eng": "Hi", "kor": "안녕"}}',
    '{"data": {"translation": {"en-US": "Hi", "ko-KR": "안녕"}}}',
    '{"translation": {"language": ["en", "ko", "ko"], "translation": ["Hi", "안녕", "여보세요"]}}',
    '{"translations": [{"lang": "en", "text": "Hi"}, {"lang": "ko", "text": "안녕"}]}',
    '{"meta": {"source": "x"}, "pair": {"English": "Hi", "Korean": "안녕"}}',
    '{"en": "Hi", "ko-KR": "안녕"}',
    '{"sentence_eng_Latn": "Hi", "sentence_kor_Hang": "안녕"}',
    '{"영어": "Hi", "한국어": "안녕"}',
]


@pytest.mark.parametrize("form", ["line.jsonl", "array.jsonl", "array.json", "object.json"])
@pytest.mark.parametrize("record", NESTED)
def test_nested_records(tmp_path, record, form):
    kind, _, suffix = form.partition(".")
    text = {
        "line": f"{record}\n{record}\n",
        "array": f"[\n{record},\n{record}\n]",
        "object": f'{{"version": "1", "data": [{record}, {record}]}}',
    }[kind]
    corpus = ParallelCorpus.read(write(tmp_path / f"x.{suffix}", text), "ko")
    assert (corpus.source, corpus.target) == (("Hi", "Hi"), ("안녕", "안녕"))


@pytest.mark.parametrize(
    "text",
    [
        '{"en": ["Hi", null], "ko": ["안녕", "가"]}',
        '{"en": {"0": "Hi", "1": null}, "ko": {"0": "안녕", "1": "가"}}',  # of pandas
        '{"en": "Hi", "ko": "안녕"}\n{"ko": "가"}\n',  # lines in a .json file
    ],
)
def test_other_forms_of_json(tmp_path, text):
    corpus = ParallelCorpus.read(write(tmp_path / "x.json", text), "ko")
    assert (corpus.source, corpus.target) == (("Hi", ""), ("안녕", "가"))


def test_nested_records_with_missing_values(tmp_path):
    text = '{"translation": {"en": "Hi"}}\n{"translation": null}\n{"translation": {"ko": "안녕"}}\n'
    corpus = ParallelCorpus.read(write(tmp_path / "x.jsonl", text), "ko")
    assert (corpus.source, corpus.target) == (("Hi", "", ""), ("", "", "안녕"))


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("x.json", '{"en": "a", ', "line 1: broken JSON"),
        ("x.json", '[{"en": "a"},\n{"ko": }]', "line 2: broken JSON"),
        (
            "x.jsonl",
            '{"translation": {"en": "a", "ja": "ひ"}}',
            r"columns \['translation'\]; needed",
        ),
        ("x.jsonl", '{"translation": {"en": "a", "ko": 5}}', "line 1: the value of 'ko' is 5"),
        (
            "x.json",
            '[{"en": "a", "ko": "하나"}, {"en": 1, "ko": "둘"}]',
            "record 1: the value of 'en'",
        ),
    ],
)
def test_errors_of_nested_records(tmp_path, name, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / name, text), "ko")


def test_keys_are_renamed_by_the_advice(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"a": "Hi", "b": "안녕"}\n')
    with pytest.raises(ValueError, match="columns=") as raised:
        ParallelCorpus.read(path, "ko")
    advised = ast.literal_eval(re.search(r"columns=(\{.*?\})", str(raised.value))[1])
    assert ParallelCorpus.read(path, "ko", columns=advised).target == ("안녕",)
    with pytest.raises(ValueError, match=r"header= is for \.tsv.*Leave it out"):
        ParallelCorpus.read(path, "ko", header=True)
    with pytest.raises(ValueError, match=r"delimiter= is for \.tsv"):
        ParallelCorpus.read(path, "ko", delimiter=";")


@pytest.mark.parametrize("form", ["struct", "list", "map", "flat", "renamed"])
def test_nested_parquet(tmp_path, form):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = {
        "struct": pa.array([{"en": "Hi", "ko": "안녕"}, {"en": None, "ko": "가"}]),
        "list": pa.array(
            [
                [{"lang": "en", "text": "Hi"}, {"lang": "ko", "text": "안녕"}],
                [{"lang": "ko", "text": "가"}],
            ]
        ),
        "map": pa.array(
            [[("en", "Hi"), ("ko", "안녕")], [("ko", "가")]], pa.map_(pa.string(), pa.string())
        ),
    }
    if form in rows:
        table = pa.table({"id": [1, 2], "translation": rows[form]})
    else:
        names = ("eng_Latn", "kor_Hang") if form == "flat" else ("x", "y")
        table = pa.table({names[0]: ["Hi", None], names[1]: ["안녕", "가"]})
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path)
    columns = {"x": "en", "y": "ko"} if form == "renamed" else None
    corpus = ParallelCorpus.read(path, "ko", columns=columns)
    assert (corpus.source, corpus.target) == (("Hi", ""), ("안녕", "가"))


@pytest.mark.parametrize("name", ["ko-KR", "kor", "kor_Hang", "Korean", "한국어", "text_ko"])
def test_frames_with_names_of_other_standards(name):
    frame = pd.DataFrame({"id": [1], "English": ["Hi"], name: ["안녕"]})
    assert ParallelCorpus.from_frame(frame, "ko").target == ("안녕",)


def test_control_characters_in_json(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"en": "A\tB", "ko": "가\x1f나"}\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert (corpus.source, corpus.target) == (("A\tB",), ("가\x1f나",))


@pytest.mark.parametrize(
    "text",
    [
        '{"en": {"a": "one", "b": "two"}, "ko": {"b": "둘", "a": "하나"}}',
        '{"0": {"en": "one", "ko": "하나"}, "1": {"en": "two", "ko": "둘"}}',
        '{"columns": ["en", "ko"], "index": [0, 1], "data": [["one", "하나"], ["two", "둘"]]}',
        '{"by": [{"who": "me"}, {"who": "you"}], "data": [{"en": "one", "ko": "하나"}, '
        '{"en": "two", "ko": "둘"}]}',
    ],
)
def test_rows_of_an_object(tmp_path, text):
    corpus = ParallelCorpus.read(write(tmp_path / "x.json", text), "ko")
    assert (corpus.source, corpus.target) == (("one", "two"), ("하나", "둘"))


def test_keys_that_one_language_lacks_are_missing_cells(tmp_path):
    path = write(
        tmp_path / "x.json", '{"en": {"a": "one", "b": "two"}, "ko": {"b": "둘", "c": "셋"}}'
    )
    corpus = ParallelCorpus.read(path, "ko")
    assert list(zip(corpus.source, corpus.target, strict=True)) == [
        ("one", ""),
        ("two", "둘"),
        ("", "셋"),
    ]


@pytest.mark.parametrize(
    "second", ['{"English": "two", "ko-KR": "둘"}', '{"ko": "둘", "eng": "two"}']
)
def test_records_may_differ_in_their_keys(tmp_path, second):
    corpus = ParallelCorpus.read(
        write(tmp_path / "x.jsonl", f'{{"en": "one", "ko": "하나"}}\n{second}\n'), "ko"
    )
    assert (corpus.source, corpus.target) == (("one", "two"), ("하나", "둘"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            '{"train": [{"en": "a", "ko": "가"}], "test": [{"en": "b", "ko": "나"}]}',
            "'train', 'test'",
        ),
        ('[{"en": "a", "EN": "b", "ko": "가"}]', "the same name"),
        ('[{"en": ["a", "b"], "ko": "가"}]', "one record for each sentence"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    ],
)
def test_errors_of_objects(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / "x.json", text), "ko")


def test_the_advice_for_other_keys_follows_the_script(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"src": "하나", "tgt": "one"}\n')
    with pytest.raises(ValueError, match=r"columns=\{'tgt': 'en', 'src': 'ko'\}"):
        ParallelCorpus.read(path, "ko")


def test_parquet_with_a_name_twice(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = [pa.array([text]) for text in ("하나", "uno", "one")]
    pq.write_table(pa.Table.from_arrays(columns, names=["ko", "en", "en"]), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="the same name"):
        ParallelCorpus.read(tmp_path / "x.parquet", "ko")

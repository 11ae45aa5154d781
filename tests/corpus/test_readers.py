"""Tests of JSON lines, parquet and Moses files."""

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

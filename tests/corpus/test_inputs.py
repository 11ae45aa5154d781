"""Tests of the kinds of input: text, pairs and embeddings."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from langalign_sk.corpus._inputs import (
    Embeddings,
    Pairs,
    Text,
    pairs_from,
    read_input,
    text_column,
)
from langalign_sk.languages import LanguageRouter
from tests.corpus.toy import EN, KO, make

JA = ["ひとつ", "ふたつ", "みっつ"]
BOTH = ["ko", "ja"]


def read(X, languages=("ko",)):
    return read_input(X, LanguageRouter(languages), languages)


@pytest.mark.parametrize(
    "X",
    [
        KO,
        tuple(KO),
        np.array(KO),
        np.array(KO)[:, None],
        [[text] for text in KO],
        pd.Series(KO),
        pl.Series(KO),
        pd.DataFrame({"x": KO}),
        pl.DataFrame({"x": KO}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_one_column_is_text(X):
    assert read(X) == Text(KO)
    assert text_column(X, "rows") == Text(KO)


@pytest.mark.parametrize(
    "X",
    [
        list(zip(KO, EN, strict=True)),
        np.array([KO, EN]).T,
        pd.DataFrame({"id": [1, 2, 3], "en": EN, "ko": KO}),
        pl.DataFrame({"ko": KO, "en": EN}),
        pd.DataFrame({"EN": EN, "KO": KO}),
        make(),
    ],
    ids=lambda X: type(X).__name__,
)
def test_two_columns_are_pairs(X):
    assert read(X) == Pairs(KO, EN, ["ko"] * 3)
    with pytest.raises(ValueError, match="The rows must be one column of text"):
        text_column(X, "rows")


@pytest.mark.parametrize(
    "X",
    [np.ones((3, 2)), [[1.0, 2.0]], pd.DataFrame({"a": [1.0], "b": [2.0]}), np.ones(3), None, 7],
    ids=lambda X: type(X).__name__,
)
def test_rows_without_text_are_embeddings(X):
    for found in (read(X), text_column(X, "rows")):
        assert isinstance(found, Embeddings)
        assert found.rows is X or isinstance(X, list)
        np.testing.assert_array_equal(found.rows, X)


def test_languages_of_pairs_are_detected():
    pairs = read(list(zip([*JA, *KO], [*EN, *EN], strict=True)), BOTH)
    assert pairs.languages == ["ja"] * 3 + ["ko"] * 3
    assert pairs.by_language() == {"ja": (JA, EN), "ko": (KO, EN)}


def test_every_declared_column_of_a_frame_is_paired_with_english():
    frame = pd.DataFrame({"ja": JA, "en": EN, "ko": KO})
    assert read(frame, BOTH).by_language() == {"ko": (KO, EN), "ja": (JA, EN)}


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("하나", "X is a single str: pass a sequence of texts"),
        (np.array([["a", "b", "c"]]), "X holds text in 3 columns"),
        (pd.DataFrame({"x": KO, "en": EN}), r"columns \['x', 'en'\]. Pairs need a column 'en'"),
        (list(zip(EN, KO, strict=True)), "The pairs look swapped"),
        (make(lang="zh"), "The ParallelCorpus is in 'zh', which target_lang does not declare"),
        (
            make(["하나", ""], ["one", "two"]),
            "ParallelCorpus, target side, row 1 is an empty string",
        ),
    ],
)
def test_what_is_not_an_input(X, message):
    with pytest.raises(ValueError, match=message):
        read(X)


def test_english_targets_are_refused():
    with pytest.raises(ValueError, match="The target side of pair 1 is in English"):
        read([("하나", "one"), ("two", "둘")], BOTH)


@pytest.mark.parametrize(
    "parallel",
    [
        (KO, EN),
        (tuple(KO), pd.Series(EN)),
        {"ko": (KO, EN)},
        {"ko": make()},
        make(),
        list(zip(KO, EN, strict=True)),
        pd.DataFrame({"en": EN, "ko": KO}),
    ],
    ids=lambda parallel: type(parallel).__name__,
)
def test_forms_of_parallel(parallel):
    assert pairs_from(parallel, LanguageRouter(["ko"]), ["ko"]) == {"ko": (KO, EN)}


@pytest.mark.parametrize(
    ("parallel", "message"),
    [
        ({"ja": (JA, EN)}, "parallel has the key 'ja', which target_lang does not declare"),
        ((KO, EN[:2]), "parallel has 3 target sentences and 2 English ones"),
        ((KO, 3), "Each side of parallel must be a sequence of str"),
        (KO, r"parallel holds no pairs of text \(list\)"),
        (("하나", "one"), r"parallel holds no pairs of text \(tuple\)"),
        (np.ones((3, 2)), r"parallel holds no pairs of text \(ndarray\)"),
    ],
)
def test_what_is_not_parallel(parallel, message):
    with pytest.raises(ValueError, match=message):
        pairs_from(parallel, LanguageRouter(["ko"]), ["ko"])


@pytest.mark.parametrize("key", ["ko", "kor", "ko-KR", "kor_Hang", "KO"])
@pytest.mark.parametrize("declared", ["ko", "kor", "ko_KR"])
def test_codes_of_one_language_in_parallel(key, declared):
    router = LanguageRouter([declared, "ja"])
    for part in ((KO, EN), make(lang=key)):
        assert pairs_from({key: part}, router, [declared, "ja"]) == {declared: (KO, EN)}


def test_a_language_twice_in_parallel():
    with pytest.raises(ValueError, match="the key 'kor', which stands there twice"):
        pairs_from({"ko": (KO, EN), "kor": (KO, EN)}, LanguageRouter(["ko"]), ["ko"])


@pytest.mark.parametrize("target", ["สวัสดี", "Good morning", "2026"])
def test_target_sides_in_no_declared_language_are_never_guessed(target):
    columns = np.array([["안녕", "hello"], [target, "hello"]], dtype=object)
    languages = ["ko", "ja"]
    with pytest.raises(ValueError, match="target side of pair 1 is in English or in no declared"):
        read_input(columns, LanguageRouter(languages), languages)

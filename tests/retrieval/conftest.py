"""Fixtures of the tests of retrieval."""

from __future__ import annotations

from functools import lru_cache

import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.retrieval import exact, hubness


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows, so that small arrays fill several."""
    monkeypatch.setattr(exact, "_ROW_BLOCK", 7)
    monkeypatch.setattr(exact, "QUERY_BLOCK", 3)
    monkeypatch.setattr(hubness, "_DOCUMENT_BLOCK", 5)
    monkeypatch.setattr(hubness, "QUERY_BLOCK", 3)  # "margin" takes no more than `exact` does


@pytest.fixture(scope="session")
def embedded(data_folder):
    """From a corpus, a language and n to its first n pairs in the default encoder, English first."""

    @lru_cache
    def encoded(texts):
        return SentenceEncoder().encode(list(texts))

    def first_pairs(corpus, language, n):
        path = data_folder / "eval" / corpus / f"{language}.tsv"
        lines = path.read_text(encoding="utf-8").splitlines()[:n]
        english, target = zip(*(line.split("\t")[:2] for line in lines), strict=True)
        return encoded(english), encoded(target)

    return first_pairs

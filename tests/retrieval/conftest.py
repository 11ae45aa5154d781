"""Fixtures of the tests of retrieval."""

from __future__ import annotations

from functools import lru_cache

import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.retrieval import exact, hubness


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(exact, "_ROW_BLOCK", 7)
    monkeypatch.setattr(exact, "QUERY_BLOCK", 3)
    monkeypatch.setattr(hubness, "_DOCUMENT_BLOCK", 5)
    monkeypatch.setattr(hubness, "QUERY_BLOCK", 3)  # "margin" needs no more than those of `exact`


@lru_cache
def embedded(path, n):
    """Embeddings of the first pairs of a file, English first; by the default encoder."""
    lines = path.read_text(encoding="utf-8").splitlines()[:n]
    english, target = zip(*(line.split("\t")[:2] for line in lines), strict=True)
    return _encoded(english), _encoded(target)


@lru_cache
def _encoded(texts):
    return SentenceEncoder().encode(list(texts))

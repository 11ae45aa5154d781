"""Tests of the values of the parameter cache."""

from pathlib import Path

import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import FolderCache, MemoryCache
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.cache.lookup import as_cache
from langalign_sk.encoders.models import registry
from tests.encoders.cache.toy import TEXTS


def test_caches_by_name(tmp_path):
    memory, folder = MemoryCache(), FolderCache(tmp_path)
    assert as_cache(None) is None
    assert as_cache(memory) is memory
    assert as_cache(folder) is folder
    assert as_cache("memory") is as_cache("memory") is cache_module.shared_memory_cache
    assert as_cache(tmp_path) == as_cache(str(tmp_path)) == folder
    assert as_cache(Path("memory")) == FolderCache("memory")


@pytest.mark.parametrize("cache", [3, True, b"rows", ["rows"], {}, MemoryCache, FolderCache])
def test_invalid_cache(monkeypatch, cache):
    monkeypatch.setattr(registry, "_models", {})
    said = f"^cache must be None, .* got {type(cache).__name__}"
    with pytest.raises(TypeError, match=said):
        as_cache(cache)
    encoder = SentenceEncoder(cache=cache)
    for use in (encoder.load, lambda: encoder.encode(TEXTS)):
        with pytest.raises(TypeError, match=said):
            use()
    assert not registry._models

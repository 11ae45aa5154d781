"""Fixtures of caches, and of a model behind the default name."""

import pytest

from langalign_sk.encoders import FolderCache, MemoryCache
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.models import registry
from tests.encoders.cache.toy import TEXTS, ToyModel, encoded


@pytest.fixture(params=["memory", "folder"])
def cache(request, tmp_path):
    return MemoryCache() if request.param == "memory" else FolderCache(tmp_path / "rows")


@pytest.fixture
def folder(tmp_path):
    """A cache that has TEXTS."""
    cache = FolderCache(tmp_path / "rows")
    assert encoded(cache, TEXTS) == TEXTS
    return cache


@pytest.fixture
def model(monkeypatch):
    model = ToyModel()
    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(registry, "load_use", model.load)
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())
    return model

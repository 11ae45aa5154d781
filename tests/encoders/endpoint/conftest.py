"""Fixtures of a server, and of a process that has not met any endpoint."""

import threading

import pytest

from langalign_sk.encoders import MemoryCache
from langalign_sk.encoders import endpoint as endpoint_module
from langalign_sk.encoders.cache import lookup as cache_module
from tests.encoders.endpoint.server import Server


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """As if this process had not met any endpoint, and had no key."""
    monkeypatch.setattr(endpoint_module, "_models", {})
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()

"""Tests of EndpointEncoder with a cache."""

import threading

import numpy as np
import pytest

from langalign_sk.encoders import FolderCache, MemoryCache
from langalign_sk.encoders import endpoint as endpoint_module
from tests.encoders.endpoint.server import Server, answer, busy, loaded, make, vector

pytest.importorskip("openai", reason="needs pip install langalign-sk[openai]")


def test_every_distinct_text_is_asked_once(server):
    encoder = make(server)
    encoder.encode(["a", "b", "a"])
    encoder.encode(["b", "c"])
    make(server).encode(["c", "a"])
    assert server.asked == [["a", "b"], ["c"]]


def test_no_cache_asks_again(server):
    encoder = make(server, cache=None)
    encoder.encode(["a", "a"])
    encoder.encode(["a"])
    assert server.asked == [["a"], ["a"]]


def test_prompts_and_dimensions_do_not_share_rows(server):
    params = ({}, {"prompt": "p "}, {"dimensions": 2}, {"name": "other"})
    rows = [make(server, **more).encode(["a"])[0].tolist() for more in params]
    assert rows == [vector("a"), vector("p a"), vector("a", 2), vector("a")]
    assert server.asked == [["a"], ["p a"], ["a"], ["a"]]
    assert [body["model"] for _, _, body in server.seen][-1] == "other"


def test_endpoints_do_not_share_rows(server):
    make(server).encode(["a"])
    with Server() as second:
        thread = threading.Thread(target=second.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        second.vector = lambda text, width: [7.0, 7.0]
        assert make(second).encode(["a"]).tolist() == [[7, 7]]
        second.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["memory", "folder"])
@pytest.mark.parametrize("failure", [busy(500), busy(400), answer([1, 2, 3, 4])])
def test_answered_requests_are_kept_when_one_fails(server, tmp_path, kind, failure):
    cache = MemoryCache() if kind == "memory" else FolderCache(tmp_path / "rows")
    encoder = loaded(server, batch_size=2, cache=cache, max_retries=0)
    server.plan = [None, None, failure]
    texts = list("abcdefgh")
    with pytest.raises((ConnectionError, ValueError), match="endpoint"):
        encoder.encode(texts)
    assert server.asked == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert cache.info()["rows"].tolist() == [4]
    server.seen.clear()
    assert encoder.encode(texts).tolist() == [vector(t) for t in texts]
    assert server.asked == [["e", "f"], ["g", "h"]]


def test_folder_serves_a_later_process(server, tmp_path, monkeypatch):
    rows = make(server, cache=tmp_path).encode(["a", "b"])
    server.seen.clear()
    monkeypatch.setattr(endpoint_module, "_models", {})
    np.testing.assert_array_equal(make(server, cache=tmp_path).encode(["b", "a"]), rows[::-1])
    assert server.asked == []

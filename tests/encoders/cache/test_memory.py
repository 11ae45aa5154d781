"""Tests of MemoryCache."""

import copy
import pickle

from sklearn.base import clone

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import MemoryCache
from tests.encoders.cache.toy import ROW, TEXTS, encoded


def test_memory_keeps_the_newest_rows():
    cache = MemoryCache(10 * ROW)
    texts = [f"text {i}" for i in range(25)]
    for start in range(0, 25, 5):
        encoded(cache, texts[start : start + 5])
        assert cache.info()["bytes"].sum() == min(10, start + 5) * ROW
    assert cache.info().to_numpy().tolist() == [["toy@1", 10, 10 * ROW]]
    assert encoded(cache, texts[15:]) == []
    assert encoded(cache, texts[:15]) == texts[:15]


def test_memory_counts_rows_of_all_encoders():
    cache = MemoryCache(10 * ROW + ROW - 1)
    encoded(cache, TEXTS[:6], "toy@1")
    encoded(cache, TEXTS[:6], "toy@2")
    assert cache.info().to_numpy().tolist() == [["toy@1", 4, 4 * ROW], ["toy@2", 6, 6 * ROW]]
    cache.purge("toy@1")
    assert encoded(cache, TEXTS[:10], "toy@2") == TEXTS[6:10]
    assert encoded(cache, TEXTS[:10], "toy@2") == []


def test_memory_of_more_rows_than_fit_keeps_the_last():
    cache = MemoryCache(4 * ROW)
    assert encoded(cache, TEXTS) == TEXTS
    assert encoded(cache, TEXTS[6:]) == []


def test_copies_share_the_memory():
    cache = MemoryCache()
    encoder = SentenceEncoder(cache=cache)
    assert copy.deepcopy(cache) is cache
    assert clone(encoder).cache is cache
    assert copy.deepcopy(encoder).cache is cache
    assert clone(encoder) == encoder


def test_a_shallow_copy_is_the_same_memory():
    cache = MemoryCache()
    assert copy.copy(cache) is cache


def test_a_pickle_of_the_memory_is_empty():
    cache = MemoryCache(12_345)
    encoded(cache, TEXTS)
    data = pickle.dumps(cache)
    assert len(data) < 200
    other = pickle.loads(data)
    assert repr(other) == repr(cache) == "MemoryCache(max_bytes=12345)"
    assert other.info().empty
    assert encoded(other, TEXTS) == TEXTS
    assert cache.info()["rows"].tolist() == [10]

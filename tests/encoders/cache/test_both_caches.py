"""Tests of what MemoryCache and FolderCache have in common."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from langalign_sk.encoders import FolderCache, MemoryCache
from tests.encoders.cache.toy import ROW, TEXTS, UNUSUAL, Toy, ask, encoded, silence, vectors


def test_rows_are_those_of_the_encoder(cache):
    toy = Toy()
    for texts in (TEXTS, TEXTS[::-1], TEXTS[3:5], ["other", *TEXTS]):
        rows = ask(cache, texts, toy)
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, vectors(texts))


def test_a_text_is_encoded_once(cache):
    toy = Toy()
    for texts in (TEXTS[:4], TEXTS[2:7], TEXTS, TEXTS[::-1]):
        ask(cache, texts, toy)
    assert toy.calls == [TEXTS[:4], TEXTS[4:7], TEXTS[7:]]


def test_no_texts_give_no_rows(cache):
    toy = Toy()
    assert ask(cache, [], toy).shape == (0, 8)
    assert toy.calls == []


def test_texts_are_encoded_by_blocks(cache):
    toy = Toy()
    np.testing.assert_array_equal(ask(cache, TEXTS, toy, block=4), vectors(TEXTS))
    assert toy.calls == [TEXTS[:4], TEXTS[4:8], TEXTS[8:]]


def test_encoders_do_not_share(cache):
    assert encoded(cache, TEXTS, "toy@1") == TEXTS
    assert encoded(cache, TEXTS, "toy@2") == TEXTS
    assert encoded(cache, TEXTS, "toy@1 prompt='a'") == TEXTS
    assert encoded(cache, TEXTS, "toy@1") == encoded(cache, TEXTS, "toy@2") == []


def test_changing_returned_rows_leaves_the_cache(cache):
    for _ in range(2):
        rows = ask(cache, TEXTS, Toy())
        np.testing.assert_array_equal(rows, vectors(TEXTS))
        rows[:] = -1


def test_a_failure_keeps_the_blocks_before_it(cache):
    with pytest.raises(ConnectionError, match="gone"):
        ask(cache, TEXTS, Toy(fail_at=2), block=4)
    assert cache.info()["rows"].tolist() == [4]
    assert encoded(cache, TEXTS) == TEXTS[4:]


def test_unusual_texts(cache):
    assert encoded(cache, UNUSUAL) == UNUSUAL
    assert encoded(cache, UNUSUAL[::-1]) == []
    assert cache.info()["rows"].tolist() == [len(UNUSUAL)]


def test_info_and_purge(cache):
    assert cache.info().shape == (0, 3)
    assert cache.purge() == 0
    encoded(cache, TEXTS, "toy@1")
    encoded(cache, TEXTS[:3], "toy@2", width=16)
    info = cache.info()
    assert info.columns.tolist() == ["encoder", "rows", "bytes"]
    assert info.to_numpy().tolist() == [["toy@1", 10, 10 * ROW], ["toy@2", 3, 3 * 2 * ROW]]
    assert cache.purge("toy") == 0
    assert cache.purge("toy@1") == 10
    assert cache.info().to_numpy().tolist() == [["toy@2", 3, 3 * 2 * ROW]]
    assert encoded(cache, TEXTS[:4], "toy@2", width=16) == TEXTS[3:4]
    assert encoded(cache, TEXTS[:2], "toy@1") == TEXTS[:2]
    assert cache.purge() == 6
    assert cache.info().empty
    assert encoded(cache, TEXTS) == TEXTS


def test_threads_get_the_right_rows(cache):
    cache.info()
    texts = [f"text {i}" for i in range(200)]
    toy = Toy()
    orders = [np.random.default_rng(seed).permutation(200) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool, silence():
        shuffled = [[texts[i] for i in order] for order in orders]
        for some, rows in zip(
            shuffled, pool.map(lambda some: ask(cache, some, toy, block=16), shuffled), strict=True
        ):
            np.testing.assert_array_equal(rows, vectors(some))
    assert set(toy.texts) == set(texts)
    if isinstance(cache, FolderCache):
        assert len(toy.texts) == len(texts)
    assert cache.info()[["rows", "bytes"]].to_numpy().tolist() == [[200, 200 * ROW]]


@pytest.mark.parametrize("max_bytes", [-1, 1.5, 1e9, True, "1", None])
def test_invalid_size(tmp_path, max_bytes):
    for make in (MemoryCache, lambda size: FolderCache(tmp_path / "rows", size)):
        with pytest.raises(ValueError, match=re.escape(f"non-negative int, got {max_bytes!r}")):
            make(max_bytes)
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("make", [MemoryCache, lambda size: FolderCache("rows", size)])
def test_size_zero_keeps_nothing(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    cache = make(0)
    assert encoded(cache, TEXTS) == encoded(cache, TEXTS) == TEXTS
    assert cache.info().empty

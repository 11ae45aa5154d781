"""Tests of FolderCache: folder, size, copies and format."""

import copy
import os
import pickle
import re
import sqlite3
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import FolderCache
from tests.encoders.cache.toy import TEXTS, Toy, ask, database, encoded, silence, sql, vectors


def test_a_folder_is_made_at_first_use(tmp_path):
    cache = FolderCache(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []
    encoded(cache, TEXTS)
    assert database(cache).is_file()


def test_rows_outlive_the_object(folder):
    assert encoded(FolderCache(folder.folder), TEXTS) == []
    assert encoded(FolderCache(Path(folder.folder)), [*TEXTS, "new"]) == ["new"]
    assert encoded(folder, ["new"]) == []


def test_folders_are_equal_by_path_and_size(tmp_path):
    cache = FolderCache(tmp_path)
    same = {cache, FolderCache(str(tmp_path)), copy.deepcopy(cache), clone(cache, safe=False)}
    assert same == {pickle.loads(pickle.dumps(cache))}
    others = {FolderCache(tmp_path / "a"), FolderCache(tmp_path, max_bytes=5)}
    assert len(same | others) == 3
    assert cache != str(tmp_path)
    assert SentenceEncoder(cache=cache) == SentenceEncoder(cache=FolderCache(tmp_path))


def test_repr_of_a_folder():
    assert repr(FolderCache("rows")) == "FolderCache('rows')"
    assert repr(FolderCache(Path("rows"), max_bytes=5)) == "FolderCache('rows', max_bytes=5)"


def test_pickle_of_a_folder_has_its_rows(folder):
    data = pickle.dumps(folder)
    assert len(data) < 500
    assert encoded(pickle.loads(data), TEXTS) == []


def test_purge_gives_space_back(tmp_path):
    cache = FolderCache(tmp_path)
    texts = [f"text {i}" for i in range(500)]
    encoded(cache, texts, width=512)
    full = database(cache).stat().st_size
    assert full > 500 * 2048
    assert cache.purge() == 500
    assert database(cache).stat().st_size < full / 10


def test_a_folder_keeps_to_its_size(tmp_path):
    cache = FolderCache(tmp_path, max_bytes=300_000)
    texts = [f"text {i}" for i in range(1500)]
    toy = Toy(256)  # 1 kB a row: five times what fits
    np.testing.assert_array_equal(ask(cache, texts, toy, block=50), vectors(texts, 256))
    assert toy.texts == texts
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 300_000
    rows = cache.info()["rows"].item()
    assert 100 < rows < 300
    assert encoded(cache, texts[-rows:], width=256) == []
    assert encoded(cache, texts[:50], width=256) == texts[:50]


def test_a_block_over_the_size_keeps_its_newest_rows(tmp_path):
    cache = FolderCache(tmp_path, max_bytes=300_000)
    texts = [f"text {i}" for i in range(2048)]  # the block of SentenceEncoder
    np.testing.assert_array_equal(ask(cache, texts, Toy(512), block=2048), vectors(texts, 512))
    assert encoded(cache, texts[-50:], width=512) == []


@pytest.mark.parametrize("width", [8, 64, 304, 768, 2104, 4000, 4096, 9000])
@pytest.mark.parametrize("block", [17, 200])
def test_the_limit_holds_for_rows_of_every_width(tmp_path, width, block):
    limit = 2_000_000
    cache = FolderCache(tmp_path, max_bytes=limit)
    texts = [f"text {i}" for i in range(min(1000, 3 * limit // (4 * width)))]
    for start in range(0, len(texts), 200):
        ask(cache, texts[start : start + 200], Toy(width), block=block)
        assert database(cache).stat().st_size <= limit
    assert encoded(cache, texts[-20:], width=width) == []
    if len(texts) * width * 4 > limit:  # not much is dropped
        assert cache.info()["bytes"].sum() > limit / 3


def test_a_lower_limit_makes_the_file_shorter(tmp_path):
    texts = [f"text {i}" for i in range(1000)]
    ask(FolderCache(tmp_path), texts, Toy(512))
    cache = FolderCache(tmp_path, max_bytes=500_000)
    assert database(cache).stat().st_size > 2_000_000
    assert encoded(cache, ["new"], width=512) == ["new"]
    assert database(cache).stat().st_size <= 500_000
    assert encoded(cache, ["new", *texts[-50:]], width=512) == []


@pytest.mark.parametrize("limit", [0, 5, 100_000])
def test_a_limit_without_room_keeps_nothing_and_says_nothing(tmp_path, limit, recwarn):
    cache = FolderCache(tmp_path, max_bytes=limit)
    for _ in range(3):
        assert encoded(cache, TEXTS, width=512) == list(TEXTS)
    assert database(cache).stat().st_size < 150_000
    assert not recwarn.list


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_neither_kept_nor_taken(tmp_path, wrong):
    cache = FolderCache(tmp_path)
    right = vectors(["a"], 8)
    bad = right.copy()
    bad[0, 3] = wrong
    cache.rows("toy", ["a"], 8, lambda texts: bad, 1)
    assert cache.rows("toy", ["a"], 8, lambda texts: right, 1).tolist() == right.tolist()
    # A row of somebody else, with its right checksum.
    with sqlite3.connect(database(cache)) as connection:
        key = connection.execute("SELECT key FROM rows").fetchone()[0]
        row = bad.tobytes()
        connection.execute("UPDATE rows SET row=?, sum=?", (row, zlib.crc32(row, zlib.crc32(key))))
    connection.close()
    with pytest.warns(UserWarning, match="1 rows in the cache folder .* are damaged"):
        again = cache.rows("toy", ["a"], 8, lambda texts: right, 1)
    assert again.tolist() == right.tolist()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_that_everybody_may_write_to_is_warned_of_once(tmp_path):
    tmp_path.chmod(0o777)
    cache = FolderCache(tmp_path)
    with pytest.warns(UserWarning, match=r"Every user of this machine may write .*chmod o-w"):
        encoded(cache, TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert encoded(cache, ["more"]) == ["more"]


@pytest.mark.parametrize("version", [99, 2, -1])
def test_another_format_is_refused(folder, version):
    sql(folder, f"PRAGMA user_version={version}")
    toy = Toy()
    said = f"{re.escape(repr(folder.folder))} has format {version}, .* reads 1. Pass cache= another"
    for use in (lambda: ask(folder, TEXTS, toy), folder.info, folder.purge):
        with pytest.raises(ValueError, match=said):
            use()
    assert toy.calls == []
    assert sql(folder, "SELECT count(*) FROM rows") == [(10,)]


def test_two_that_make_a_folder_at_once_both_use_it(tmp_path, monkeypatch):
    begun, first = threading.Event(), threading.Lock()

    class Slow(sqlite3.Connection):
        """The first to turn write-ahead mode on holds the lock that this takes a while longer."""

        def execute(self, statement, *args):
            if "journal_mode" not in statement or not first.acquire(blocking=False):
                return super().execute(statement, *args)
            super().execute("BEGIN IMMEDIATE")
            begun.set()
            time.sleep(0.3)  # the other meets the lock meanwhile; a longer wait changes nothing
            super().execute("ROLLBACK")
            return super().execute(statement, *args)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Slow, **k))
    with ThreadPoolExecutor(1) as pool, silence():
        slow = pool.submit(encoded, FolderCache(tmp_path), TEXTS, "toy@1")
        assert begun.wait(60)
        assert encoded(FolderCache(tmp_path), TEXTS, "toy@2") == TEXTS
        assert slow.result() == TEXTS

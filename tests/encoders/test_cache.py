"""Tests of the caches of encoded rows, and of encoders that use them."""

import contextlib
import copy
import hashlib
import inspect
import os
import pickle
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders import FolderCache, MemoryCache
from langalign_sk.encoders.cache import lookup as cache_module
from langalign_sk.encoders.cache.base import keys_of
from langalign_sk.encoders.cache.lookup import as_cache
from langalign_sk.encoders.models import registry

TEXTS = [f"text {i}" for i in range(10)]
UNUSUAL = ["", "\ud800", "\udfff", "?", "x" * 100_000, "a\0b", "a", "\0", "b", "a "]
UNUSUAL += ["\uac00", "\u1100\u1161", "\U0001f600", "\ufeffa"]  # one syllable in two ways
ROW = 32  # bytes of a row of width 8


def vectors(texts, width=8):
    """Rows that are a function of the text."""
    digests = [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    ]
    rows = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 8).astype(np.float32)
    return np.tile(rows, width // 8)


def key_of(encoder, text):
    return keys_of(encoder, [text])[0]


class Toy:
    """An encoder that remembers what it was asked."""

    def __init__(self, width=8, fail_at=None):
        self.width = width
        self.fail_at = fail_at
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        if len(self.calls) == self.fail_at:
            raise ConnectionError("gone")
        return vectors(texts, self.width)

    @property
    def texts(self):
        return [text for call in self.calls for text in call]


def ask(cache, texts, toy, encoder="toy@1", block=100):
    return cache.rows(encoder, list(texts), toy.width, toy.encode, block)


def encoded(cache, texts, encoder="toy@1", width=8):
    """Which texts the cache has to encode; all rows are right."""
    toy = Toy(width)
    np.testing.assert_array_equal(ask(cache, texts, toy, encoder), vectors(texts, width))
    return toy.texts


@contextlib.contextmanager
def silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(params=["memory", "folder"])
def cache(request, tmp_path):
    return MemoryCache() if request.param == "memory" else FolderCache(tmp_path / "rows")


@pytest.fixture
def folder(tmp_path):
    """A cache that has TEXTS."""
    cache = FolderCache(tmp_path / "rows")
    assert encoded(cache, TEXTS) == TEXTS
    return cache


def database(cache):
    return Path(cache.folder) / "rows.sqlite"


def sql(cache, statement, *values):
    """Rows of a statement; changes are kept."""
    with contextlib.closing(sqlite3.connect(database(cache))) as connection, connection:
        return connection.execute(statement, values).fetchall()


# Both caches


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


def test_no_text_is_no_row(cache):
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
def test_size_that_is_none(tmp_path, max_bytes):
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


# Keys


def test_keys_are_of_one_size_and_differ():
    keys = {key_of(encoder, text) for encoder in ("", "a", "b", "a b") for text in UNUSUAL}
    assert len(keys) == 4 * len(UNUSUAL)
    assert {len(key) for key in keys} == {16}
    assert key_of("a", "b") == key_of("a", "b")
    assert key_of("ab", "c") != key_of("a", "bc")


def test_a_nul_in_a_name_is_no_separator():
    assert key_of("a", "b\0c") != key_of("a\0b", "c")


def test_a_folder_name_of_no_encoding_makes_a_key():
    # What os.fsdecode makes of a model folder named b"mod\xe8le".
    assert key_of("mod\udce8le@1", "a") != key_of("modle@1", "a")


# MemoryCache


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


# FolderCache


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


def test_a_folder_stays_near_its_size(tmp_path):
    cache = FolderCache(tmp_path, max_bytes=300_000)
    texts = [f"text {i}" for i in range(1500)]
    toy = Toy(256)  # 1 kB a row: five times what fits
    np.testing.assert_array_equal(ask(cache, texts, toy, block=50), vectors(texts, 256))
    assert toy.texts == texts
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 450_000
    rows = cache.info()["rows"].item()
    assert 150 < rows < 300
    assert encoded(cache, texts[-rows:], width=256) == []
    assert encoded(cache, texts[:50], width=256) == texts[:50]


def test_a_block_over_the_size_keeps_its_newest_rows(tmp_path):
    cache = FolderCache(tmp_path, max_bytes=300_000)
    texts = [f"text {i}" for i in range(2048)]  # the block of SentenceEncoder
    np.testing.assert_array_equal(ask(cache, texts, Toy(512), block=2048), vectors(texts, 512))
    assert encoded(cache, texts[-50:], width=512) == []


def flip_a_bit(cache):
    """Of the row of TEXTS[4]."""
    ((n, row),) = sql(cache, "SELECT n, row FROM rows WHERE key=?", key_of("toy@1", TEXTS[4]))
    sql(cache, "UPDATE rows SET row=? WHERE n=?", bytes([*row[:5], row[5] ^ 1, *row[6:]]), n)


def assert_mended(cache, n_damaged, again):
    """As many rows were encoded again, and are kept in the place of the damaged ones."""
    assert len(again) == n_damaged
    with silence():
        assert encoded(cache, TEXTS) == []
    assert sql(cache, "SELECT count(*) FROM rows") == [(10,)]


def test_a_flipped_bit_is_mended(folder):
    flip_a_bit(folder)
    with pytest.warns(UserWarning, match="^1 rows in the cache folder .*rows' are damaged"):
        again = encoded(folder, TEXTS)
    assert again == [TEXTS[4]]
    assert_mended(folder, 1, again)


@pytest.mark.parametrize(
    ("change", "n_damaged"),
    [
        ("row=CAST(substr(row, 1, 28) AS BLOB) WHERE n=5", 1),
        ("row=x'' WHERE n=5", 1),
        ("row=zeroblob(32) WHERE n=5", 1),
        ("row=zeroblob(64)", 10),
        ("sum=sum + 1 WHERE n IN (2, 3)", 2),
        ("sum='sum' WHERE n=5", 1),
        ("row=(SELECT row FROM rows WHERE n=1) WHERE n=5", 1),
    ],
)
def test_damaged_rows_are_mended(folder, change, n_damaged):
    sql(folder, f"UPDATE rows SET {change}")
    with pytest.warns(UserWarning, match=f"^{n_damaged} rows in the cache folder .* are damaged"):
        again = encoded(folder, TEXTS)
    assert_mended(folder, n_damaged, again)


def test_a_row_under_the_key_of_another_is_damaged(folder):
    keys = [key_of("toy@1", text) for text in TEXTS[:2]]
    for new, old in ((b"aside", keys[0]), (keys[0], keys[1]), (keys[1], b"aside")):
        sql(folder, "UPDATE rows SET key=? WHERE key=?", new, old)
    with pytest.warns(UserWarning, match="^2 rows"):
        assert sorted(encoded(folder, TEXTS)) == TEXTS[:2]


def test_a_damaged_row_is_told_of_once(folder):
    flip_a_bit(folder)
    with pytest.warns(UserWarning, match="damaged") as told:
        encoded(folder, TEXTS)
    assert len(told) == 1


@pytest.mark.parametrize("value", [b"a" * 32, b"\xff" * 32, 5], ids=["text", "no UTF-8", "number"])
def test_a_row_of_another_type_is_encoded_again(folder, value):
    # One flipped bit of a record's header makes a blob a text.
    cast = "?" if value == 5 else "CAST(? AS TEXT)"
    sql(folder, f"UPDATE rows SET row={cast} WHERE n=5", value)
    with pytest.warns(UserWarning, match="damaged"):
        assert encoded(folder, TEXTS) == [TEXTS[4]]
    with silence():
        assert encoded(folder, TEXTS) == []


def overwrite(path):
    path.write_bytes(np.random.default_rng(0).bytes(50_000))


def tear(path):
    data = bytearray(path.read_bytes())
    data[: 2 * 8192] = data[: 2 * 8192].translate(bytes(range(255, -1, -1)))
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        overwrite,
        tear,
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 8192),
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 7),
    ],
    ids=["overwritten", "torn", "half", "a page", "a header", "7 bytes"],
)
def test_a_damaged_database_is_set_aside(folder, damage):
    damage(database(folder))
    damaged = database(folder).read_bytes()
    with pytest.warns(UserWarning, match=r"is damaged .*set aside as .*\.damaged-.* again") as told:
        assert encoded(folder, TEXTS) == TEXTS
    assert len(told) == 1
    (aside,) = Path(folder.folder).glob("rows.sqlite.damaged-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in str(told[0].message)
    with silence():
        assert encoded(folder, TEXTS) == []
        assert folder.info()["rows"].tolist() == [10]


def test_an_empty_database_is_a_new_one(folder):
    os.truncate(database(folder), 0)
    with silence():
        assert encoded(folder, TEXTS) == TEXTS
        assert encoded(folder, TEXTS) == []


def test_threads_that_meet_damage_get_the_right_rows(folder):
    overwrite(database(folder))
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("ignore")
        list(pool.map(lambda _: encoded(folder, TEXTS), range(8)))
        encoded(folder, TEXTS)
    with silence():
        assert encoded(folder, TEXTS) == []


def test_a_database_without_its_tables_works_again(folder):
    sql(folder, "DROP TABLE rows")
    with pytest.warns(UserWarning, match="damaged|could not be used"):
        encoded(folder, TEXTS)
    with silence():
        assert encoded(folder, TEXTS) == []


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


@pytest.fixture
def full_disk(monkeypatch):
    """SQLite may not make any database larger than it is."""
    connect = sqlite3.connect

    def connect_full(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count=1")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_full)
        yield patch


def test_a_full_disk_stops_nothing(folder, full_disk):
    toy, new = Toy(), [f"new {i}" for i in range(2000)]
    with pytest.warns(UserWarning, match=r"could not be used \(.*full\); .* not kept") as told:
        rows = ask(folder, [*TEXTS, *new], toy, block=5000)
    np.testing.assert_array_equal(rows, vectors([*TEXTS, *new]))
    assert toy.texts == new
    assert len(told) == 1
    full_disk.undo()
    with silence():
        assert encoded(folder, [*TEXTS, *new]) == new
        assert encoded(folder, [*TEXTS, *new]) == []


def test_a_disk_that_is_full_from_the_start_stops_nothing(tmp_path, full_disk):
    cache = FolderCache(tmp_path)
    with pytest.warns(UserWarning, match=r"could not be used \(.*full\); .* not kept"):
        assert encoded(cache, TEXTS) == TEXTS
    full_disk.undo()
    with silence():
        assert encoded(cache, TEXTS) == TEXTS
        assert encoded(cache, TEXTS) == []


def test_a_full_disk_is_told_of_once(tmp_path, full_disk):
    with pytest.warns(UserWarning, match="could not be used") as told:
        ask(FolderCache(tmp_path), TEXTS, Toy(), block=4)
    assert len(told) == 1


def assert_refused(folder):
    """The error names the folder and what to do, and nothing was encoded or loaded."""
    toy, cache = Toy(), FolderCache(folder)
    for use in (lambda: ask(cache, TEXTS, toy), cache.info, cache.purge):
        with pytest.raises(ValueError, match="cannot be used") as raised:
            use()
        assert repr(str(folder)) in str(raised.value)
        assert 'Pass cache= another folder, "memory", or None' in str(raised.value)
    assert toy.calls == []
    for encoder in (SentenceEncoder(cache=cache), SentenceEncoder("none", cache=folder)):
        for use in (encoder.load, lambda encoder=encoder: encoder.encode(TEXTS)):
            with pytest.raises(ValueError, match="cannot be used"):
                use()
    assert not registry._models


@pytest.mark.parametrize("place", ["file", "file/rows", "file/rows/a"])
def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path, monkeypatch, place):
    monkeypatch.setattr(registry, "_models", {})
    (tmp_path / "file").write_text("a file")
    assert_refused(tmp_path / place)
    assert (tmp_path / "file").read_text() == "a file"


def test_a_folder_without_access_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert_refused(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
@pytest.mark.parametrize("inner", ["", "rows"])
def test_a_folder_without_permission_is_refused_at_once(tmp_path, monkeypatch, inner):
    monkeypatch.setattr(registry, "_models", {})
    (tmp_path / "locked").mkdir(mode=0o500)
    assert_refused(tmp_path / "locked" / inner)


def test_two_that_make_a_folder_at_once_both_use_it(tmp_path, monkeypatch):
    begun, first = threading.Event(), threading.Lock()

    class Slow(sqlite3.Connection):
        """The first to turn write-ahead mode on holds the lock that this takes a while longer."""

        def execute(self, statement, *args):
            if "journal_mode" not in statement or not first.acquire(blocking=False):
                return super().execute(statement, *args)
            super().execute("BEGIN IMMEDIATE")
            begun.set()
            time.sleep(0.3)
            super().execute("ROLLBACK")
            return super().execute(statement, *args)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Slow, **k))
    with ThreadPoolExecutor(1) as pool, silence():
        slow = pool.submit(encoded, FolderCache(tmp_path), TEXTS, "toy@1")
        assert begun.wait(10)
        assert encoded(FolderCache(tmp_path), TEXTS, "toy@2") == TEXTS
        assert slow.result() == TEXTS


# Processes

# The modules alone are read: the package takes seconds to import.
_BEGIN = f"""
import hashlib, importlib, sys, time, types, warnings
import numpy as np
sys.modules["encoders"] = types.ModuleType("encoders")
sys.modules["encoders"].__path__ = [{os.path.dirname(os.path.dirname(cache_module.__file__))!r}]
module = importlib.import_module("encoders.cache.folder")
import filelock
warnings.simplefilter("error")
{inspect.getsource(vectors)}
cache = module.FolderCache(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""

_COUNTING = """
def encode(texts):
    time.sleep(0.05)
    with open(sys.argv[2], "a") as file:
        file.write("".join(text + "\\n" for text in texts))
    return vectors(texts)

texts = [f"text {i}" for i in range(300)]
rows = cache.rows("toy@1", texts, 8, encode, 30)
assert (rows == vectors(texts)).all()
"""

_KILLED = """
start = int(sys.argv[2])
texts = [f"text {i}" for i in range(start, start + 6000)]
cache.rows("toy@1", texts, 8, vectors, 16)
time.sleep(60)
"""


def start(script, *args):
    """A process that is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN + script, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_encode_a_text_once(tmp_path):
    cache = FolderCache(tmp_path / "rows")
    cache.info()
    processes = [start(_COUNTING, cache.folder, tmp_path / "encoded") for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    texts = [f"text {i}" for i in range(300)]
    assert sorted((tmp_path / "encoded").read_text().splitlines()) == sorted(texts)
    assert encoded(cache, texts) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_leaves_right_rows(tmp_path):
    cache = FolderCache(tmp_path / "rows")
    texts = [f"text {i}" for i in range(20 * 500 + 6000)]
    right = {
        key_of("toy@1", text): row.tobytes()
        for text, row in zip(texts, vectors(texts), strict=True)
    }
    delays = np.random.default_rng(0).uniform(0.002, 0.4, size=20)
    counts = [0]
    for i, delay in enumerate(delays):
        process = start(_KILLED, cache.folder, 500 * i)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        # Of a copy, since reading would mend what the next process has to.
        seen = FolderCache(shutil.copytree(cache.folder, tmp_path / f"seen {i}"))
        if sql(seen, "SELECT name FROM sqlite_master WHERE name='rows'"):
            rows = dict(sql(seen, "SELECT key, row FROM rows"))
            assert rows.items() <= right.items()
            counts.append(len(rows))
        shutil.rmtree(seen.folder)
    assert counts == sorted(counts)
    assert len(set(counts)) > 5  # many were killed at work
    with silence():
        assert len(encoded(cache, texts)) == len(texts) - counts[-1]
        assert encoded(cache, texts) == []
    assert sql(cache, "PRAGMA integrity_check") == [("ok",)]


# What a parameter stands for


def test_caches_by_name(tmp_path):
    memory, folder = MemoryCache(), FolderCache(tmp_path)
    assert as_cache(None) is None
    assert as_cache(memory) is memory
    assert as_cache(folder) is folder
    assert as_cache("memory") is as_cache("memory") is cache_module.shared_memory_cache
    assert as_cache(tmp_path) == as_cache(str(tmp_path)) == folder
    assert as_cache(Path("memory")) == FolderCache("memory")


@pytest.mark.parametrize("cache", [3, True, b"rows", ["rows"], {}, MemoryCache, FolderCache])
def test_a_cache_that_is_none(monkeypatch, cache):
    monkeypatch.setattr(registry, "_models", {})
    said = f"^cache must be None, .* got {type(cache).__name__}"
    with pytest.raises(TypeError, match=said):
        as_cache(cache)
    encoder = SentenceEncoder(cache=cache)
    for use in (encoder.load, lambda: encoder.encode(TEXTS)):
        with pytest.raises(TypeError, match=said):
            use()
    assert not registry._models


# Encoders


class ToyModel(Toy):
    """Stands for the default encoder."""

    def __init__(self, width=8):
        super().__init__(width)
        self.identity = "toy@1"

    def load(self, spec):
        def encode(texts, prompt, batch_size):
            self.calls.append(list(texts))
            return vectors([(prompt or "") + text for text in texts], self.width)

        return registry.Model(encode, self.width, self.identity)


@pytest.fixture
def model(monkeypatch):
    model = ToyModel()
    monkeypatch.setattr(registry, "_models", {})
    monkeypatch.setattr(registry, "_load_use", model.load)
    monkeypatch.setattr(cache_module, "shared_memory_cache", MemoryCache())
    return model


def test_the_memory_is_shared_by_default(model):
    encoder = SentenceEncoder()
    assert encoder.cache == "memory"
    for some in (encoder, clone(encoder), SentenceEncoder(), pickle.loads(pickle.dumps(encoder))):
        np.testing.assert_array_equal(some.encode(TEXTS), vectors(TEXTS))
        np.testing.assert_array_equal(some.transform(TEXTS[3:]), vectors(TEXTS[3:]))
    assert model.calls == [TEXTS]
    info = cache_module.shared_memory_cache.info()
    assert info.to_numpy().tolist() == [["toy@1", 10, 10 * ROW]]


@pytest.mark.parametrize(
    "cache", [lambda path: MemoryCache(), str, Path, FolderCache], ids=["memory", "str", "path", ""]
)
def test_clones_share_a_cache(model, tmp_path, cache):
    encoder = SentenceEncoder(cache=cache(tmp_path))
    for some in (encoder, clone(encoder), SentenceEncoder(cache=encoder.cache)):
        np.testing.assert_array_equal(some.encode(TEXTS), vectors(TEXTS))
    assert model.calls == [TEXTS]
    assert cache_module.shared_memory_cache.info().empty


def test_two_caches_do_not_share(model):
    for _ in range(2):
        SentenceEncoder(cache=MemoryCache()).encode(TEXTS)
    assert model.calls == [TEXTS, TEXTS]


def test_without_a_cache_texts_are_encoded_again(model):
    encoder = SentenceEncoder(cache=None)
    for _ in range(2):
        np.testing.assert_array_equal(encoder.encode(TEXTS), vectors(TEXTS))
    assert model.calls == [TEXTS, TEXTS]
    assert cache_module.shared_memory_cache.info().empty


@pytest.mark.parametrize("cache", [None, "memory"])
def test_duplicates_are_encoded_once_and_rows_keep_their_order(model, cache):
    encoder = SentenceEncoder(cache=cache)
    texts = ["b", "a", "b", "c", "a", "b"]
    np.testing.assert_array_equal(encoder.encode(texts), vectors(texts))
    assert model.calls == [["b", "a", "c"]]
    np.testing.assert_array_equal(encoder.encode(texts[::-1]), vectors(texts[::-1]))


def test_cached_and_new_texts_in_one_call(model):
    encoder = SentenceEncoder()
    encoder.encode(["b", "d"])
    texts = ["a", "b", "c", "d", "a"]
    np.testing.assert_array_equal(encoder.encode(texts), vectors(texts))
    assert model.calls == [["b", "d"], ["a", "c"]]


def test_settings_that_change_rows_do_not_share(model, tmp_path):
    cache = FolderCache(tmp_path)
    raw = vectors(TEXTS)
    expected = [
        ({}, raw),
        ({"normalize": True}, raw / np.linalg.norm(raw, axis=1, keepdims=True)),
        ({"prompt": "a: "}, vectors(["a: " + text for text in TEXTS])),
        ({"prompt": "a:"}, vectors(["a:" + text for text in TEXTS])),
        ({"prompt": "a\0b"}, vectors(["a\0b" + text for text in TEXTS])),
        ({"prompt": "a' normalize=True"}, vectors(["a' normalize=True" + t for t in TEXTS])),
    ]
    for _ in range(2):
        for settings, rows in expected:
            encoder = SentenceEncoder(cache=cache, **settings)
            np.testing.assert_allclose(encoder.encode(TEXTS), rows, rtol=1e-6)
    assert model.calls == [TEXTS] * len(expected)
    assert cache.info()["rows"].tolist() == [10] * len(expected)
    assert cache.info()["encoder"].tolist()[:3] == [
        "toy@1",
        "toy@1 normalize=True",
        "toy@1 prompt='a: '",
    ]


def test_settings_that_leave_rows_share(model):
    for settings in ({}, {"batch_size": 7}, {"device": "cpu"}):
        SentenceEncoder(**settings).encode(TEXTS)
    assert model.calls == [TEXTS]


def test_another_version_of_a_model_does_not_share(model, monkeypatch, tmp_path):
    SentenceEncoder(cache=tmp_path).encode(TEXTS)
    model.identity = "toy@2"
    monkeypatch.setattr(registry, "_models", {})
    SentenceEncoder(cache=tmp_path).encode(TEXTS)
    assert model.calls == [TEXTS, TEXTS]
    assert FolderCache(tmp_path).info()["encoder"].tolist() == ["toy@1", "toy@2"]


def test_an_encoder_refuses_another_format(model, folder):
    sql(folder, "PRAGMA user_version=99")
    with pytest.raises(ValueError, match="has format 99"):
        SentenceEncoder(cache=folder).encode(TEXTS)
    assert model.calls == []


# Grid search


def search(encoder, n_jobs, n_requests):
    """4 values on 5 folds; returns all distinct texts."""
    X, y = load_service_requests(return_X_y=True)
    X, y = X[:n_requests], y[:n_requests]
    pairs = load_starter_corpus()[["ko", "en"]].head(120)
    aligner = CrossLingualAligner("ko", encoder=encoder, method="ridge", random_state=0)
    pipe = Pipeline([("align", aligner), ("head", LogisticRegression(max_iter=2000))])
    grid = {"align__alpha": [0.1, 1.0, 10.0, 100.0]}
    found = GridSearchCV(pipe, grid, cv=5, n_jobs=n_jobs, error_score="raise")
    found.fit(X, y, align__parallel=pairs)
    assert len(found.cv_results_["params"]) == 4
    return {*X, *pairs["ko"], *pairs["en"]}


@pytest.mark.parametrize("folder_too", [False, True])
def test_grid_search_encodes_a_text_once(model, tmp_path, folder_too):
    model.width = 64
    cache = FolderCache(tmp_path) if folder_too else MemoryCache()
    distinct = search(SentenceEncoder(cache=cache), None, 240)
    assert sorted(model.texts) == sorted(distinct)
    assert cache.info()["rows"].tolist() == [len(distinct)]


def test_grid_search_in_processes_encodes_a_text_once(tmp_path):
    cache = FolderCache(tmp_path)
    cache.info()
    distinct = search(SentenceEncoder(cache=cache), 2, 120)
    assert cache.info()["rows"].tolist() == [len(distinct)]
    assert sql(cache, "SELECT seq FROM sqlite_sequence WHERE name='rows'") == [(len(distinct),)]

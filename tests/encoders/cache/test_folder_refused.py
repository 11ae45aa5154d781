"""Tests of FolderCache on full disks and in folders that cannot be written."""

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from langalign_sk import SentenceEncoder
from langalign_sk.encoders import FolderCache
from langalign_sk.encoders.models import registry
from tests.encoders.cache.toy import TEXTS, Toy, ask, database, encoded, silence, vectors


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


def test_a_full_disk_is_warned_of_once(tmp_path, full_disk):
    with pytest.warns(UserWarning, match="could not be used") as told:
        ask(FolderCache(tmp_path), TEXTS, Toy(), block=4)
    assert len(told) == 1


@pytest.mark.parametrize("which", ["rows.sqlite", "folder.lock", "lock of the encoder"])
@pytest.mark.parametrize("block", [4, 100])
def test_a_file_that_cannot_be_opened_stops_nothing(tmp_path, which, block):
    """As one of another user of the folder; here a folder has its name, which root cannot open."""
    cache = FolderCache(tmp_path / "rows")
    encoded(cache, TEXTS[:5])
    of_encoder = next(path for path in Path(cache.folder).glob("*.lock") if path.stem != "folder")
    path = of_encoder if which == "lock of the encoder" else Path(cache.folder) / which
    if which == "folder.lock":  # a new database is made under it
        database(cache).unlink()
    path.unlink()
    path.mkdir()
    for n_kept in (5 if path == of_encoder else 0,) * 2:
        toy = Toy()
        with pytest.warns(UserWarning, match=r"could not be used \(.*\); .* not kept") as told:
            np.testing.assert_array_equal(ask(cache, TEXTS, toy, block=block), vectors(TEXTS))
        assert toy.texts == TEXTS[n_kept:]
        assert len(told) == 1


def test_a_damaged_file_that_cannot_be_set_aside_stops_nothing(folder, monkeypatch):
    database(folder).write_bytes(b"x" * 5_000)

    def refused(*_):
        raise PermissionError("of another user")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.warns(UserWarning, match="could not be used .of another user.; rows are encoded"):
        assert encoded(folder, TEXTS) == TEXTS
    assert database(folder).read_bytes() == b"x" * 5_000


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

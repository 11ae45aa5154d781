"""Saves of an index that fail or are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualRetriever
from tests.retrieval.folders import BANK, D, assert_no_other_files, assert_same
from tests.retrieval.toy import of_kind


def of_views(kind):
    """Retriever of two centred views, of which the second has rows of another width."""
    return of_kind(kind, aligner=[None, None], scoring="csls", centre=True)


class Stop(BaseException):
    """An error that no library catches, as it is not an Exception."""


@pytest.mark.parametrize("kind", ["exact", "flat", "hnswlib"])
@pytest.mark.parametrize("call", ["os.replace", "os.fsync"])
def test_a_save_that_fails_anywhere_leaves_the_old_index(kind, call, tmp_path, monkeypatch):
    old = of_kind(kind, scoring="csls").fit(D, query_bank=BANK)
    old.save_index(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    new = of_kind(kind, scoring="csls").fit(D[:100], query_bank=BANK[:20])
    whole, failed = getattr(os, call.removeprefix("os.")), 0
    for fails_at in range(10):
        calls = iter(range(100))

        def failing(*args, calls=calls, fails_at=fails_at):
            if next(calls) == fails_at:
                raise Stop
            return whole(*args)

        monkeypatch.setattr(call, failing)
        try:
            new.save_index(tmp_path)
        except Stop:
            failed += 1
        else:
            break
        now = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        if call == "os.replace" or now["index.json"] == before["index.json"]:
            assert now == before
    monkeypatch.undo()
    # Rows, documents, bank, level, a file of the backend, the manifest, and the folder with it.
    assert failed == (1 if call == "os.replace" else 6 + (kind != "exact"))
    assert_no_other_files(tmp_path)
    assert_same(of_kind(kind, scoring="csls").open_index(tmp_path, verify=True), new)


@pytest.mark.parametrize("kind", ["exact", "flat", "hnswlib"])
def test_a_save_of_views_that_fails_anywhere_leaves_the_old_index(kind, tmp_path, monkeypatch):
    parts = [D, D[:, :5]], [BANK, BANK[:, :5]]
    of_views(kind).fit(parts[0], query_bank=parts[1]).save_index(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    new = of_views(kind).fit([rows[:100] for rows in parts[0]], query_bank=parts[1])
    whole = os.fsync
    for fails_at in range(len(before) - 1):  # the last one is of the manifest
        calls = iter(range(100))

        def failing(*args, calls=calls, fails_at=fails_at):
            if next(calls) == fails_at:
                raise Stop
            return whole(*args)

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(Stop):
            new.save_index(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    monkeypatch.undo()
    new.save_index(tmp_path)
    assert_no_other_files(tmp_path)
    opened = of_views(kind).open_index(tmp_path, verify=True)
    queries = [rows[:7] for rows in parts[1]]
    for ours, theirs in zip(opened.kneighbors(queries), new.kneighbors(queries), strict=True):
        assert_array_equal(ours, theirs)


KILLED = """
import os
import signal
import sys

import numpy as np

from langalign_sk import CrossLingualRetriever

folder, name, fatal = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
retriever = CrossLingualRetriever(scoring="csls").fit(rows[:350], query_bank=rows[:50])
retriever.save_index(folder)
retriever.add(rows[350:])
calls, whole = iter(range(100)), getattr(os, name)


def killing(*args, **kwargs):
    if next(calls) == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*args, **kwargs)


setattr(os, name, killing)
retriever.save_index(folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "fatal", "n_documents"),
    [("fsync", 0, 350), ("fsync", 4, 350), ("replace", 0, 350), ("unlink", 0, 400)],
)
def test_a_process_that_is_killed_leaves_a_whole_index(call, fatal, n_documents, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path), call, str(fatal)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    rows = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    opened = CrossLingualRetriever(scoring="csls").open_index(tmp_path, verify=True)
    expected = CrossLingualRetriever(scoring="csls")
    assert_same(opened, expected.fit(rows[:n_documents], query_bank=rows[:50]), rows[:5])

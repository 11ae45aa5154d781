"""Saves of an index that fail or are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from langalign_sk import CrossLingualRetriever
from tests.retrieval.folders import BANK, D, assert_no_other_files, assert_same
from tests.retrieval.toy import of_kind


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

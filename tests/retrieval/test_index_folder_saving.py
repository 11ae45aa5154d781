"""Saves of an index that fail or are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from langalign_sk import CrossLingualRetriever
from tests.retrieval.folders import BANK, D, assert_no_other_files, assert_same
from tests.retrieval.toy import of_kind


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


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
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    monkeypatch.undo()
    assert failed == (1 if call == "os.replace" else 5)  # rows, documents, bank, level, manifest
    assert_no_other_files(tmp_path)
    assert_same(of_kind(kind, scoring="csls").open_index(tmp_path, verify=True), new)


KILLED = """
import sys
import numpy as np
from langalign_sk import CrossLingualRetriever

rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
retriever = CrossLingualRetriever(scoring="csls").fit(rows, query_bank=rows[:500])
print("ready", flush=True)
while True:
    n = retriever.n_documents_
    retriever.remove(list(range(n - 50, n))) if n > 3500 else retriever.add(rows[n:])
    retriever.save_index(sys.argv[1])
"""


def test_a_process_that_is_killed_leaves_a_whole_index(tmp_path):
    rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
    for turn in range(3):
        command = [sys.executable, "-c", KILLED, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / "index.json").exists():
            time.sleep(0.005)
        time.sleep(0.03 + 0.017 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        opened = CrossLingualRetriever(scoring="csls").open_index(tmp_path, verify=True)
        n = opened.n_documents_
        assert 3500 <= n <= 4000
        expected = CrossLingualRetriever(scoring="csls").fit(rows[:n], query_bank=rows[:500])
        assert_same(opened, expected, rows[:5])

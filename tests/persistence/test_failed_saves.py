"""A save that fails or is killed leaves a whole model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import (
    LinearAligner,
    load,
    save,
)
from tests.persistence.common import END, MANIFEST, X, Y, assert_no_other_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_save_that_fails_anywhere_leaves_the_old_model(call, tmp_path, monkeypatch):
    old, new = LinearAligner("ridge", alpha=1.0).fit(X, Y), LinearAligner("procrustes").fit(X, Y)
    save(old, tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text() + "Mine.\n")
    card, whole, failed = readme.read_bytes(), getattr(os, call), 0
    for fails_at in range(10):
        calls = iter(range(100))

        def failing(*args, calls=calls, fails_at=fails_at):
            if next(calls) == fails_at:
                raise Stop
            return whole(*args)

        monkeypatch.setattr(os, call, failing)
        try:
            save(new, tmp_path)
        except Stop:
            failed += 1
        else:
            break
        assert_no_other_files(tmp_path)
        if failed < 5:
            assert readme.read_bytes() == card
        # The card comes last, and its folder after it is there.
        there = new if failed >= (2 if call == "replace" else 3) else old
        assert_array_equal(load(tmp_path).coef_, there.coef_)
    # The arrays, which replace nothing; the manifest and the card, and the folder after each.
    assert failed == (2 if call == "replace" else 5)
    assert_array_equal(load(tmp_path).coef_, new.coef_)
    assert readme.read_text().endswith(END + "\nMine.\n")


KILLED = """
import sys
import numpy as np
from langalign_sk import LinearAligner, save

X = np.random.default_rng(0).normal(size=(300, 200))
models = [LinearAligner("ridge", alpha=alpha).fit(X, X[:, ::-1]) for alpha in (1.0, 2.0)]
print("ready", flush=True)
while True:
    for model in models:
        save(model, sys.argv[1])
"""


def test_a_process_that_is_killed_leaves_a_whole_model(tmp_path):
    rows = np.random.default_rng(0).normal(size=(300, 200))
    for turn in range(3):
        command = [sys.executable, "-c", KILLED, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / MANIFEST).exists():
            time.sleep(0.005)
        time.sleep(0.03 + 0.017 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model = load(tmp_path)
        assert model.alpha in (1.0, 2.0)
        assert model.transform(rows).shape == rows.shape

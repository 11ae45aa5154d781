"""Saves that are killed at any point: what they leave is gone after the next save."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from langalign_sk import CrossLingualRetriever, LinearAligner, load, save
from tests.persistence.common import X, Y

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL"),
]
N_KILLS = 50
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "fcntl.flock")


def writers():
    model = LinearAligner("ridge", alpha=1.0).fit(X, Y)
    index = CrossLingualRetriever(scoring="csls", n_neighbors=3).fit(Y[:30], query_bank=X)
    centred = CrossLingualRetriever([None, None], scoring="csls", centre=True)
    centred.fit([Y[:30], X[:30]], query_bank=[X, Y])
    yield "model", lambda folder: save(model, folder), load
    yield "index in a model", lambda folder: save(index, folder), load
    for name, made in (("index", index), ("index of views", centred)):
        empty = CrossLingualRetriever(made.aligner, scoring="csls", centre=made.centre)
        yield name, made.save_index, lambda folder, empty=empty: empty.open_index(folder)


@pytest.mark.parametrize("name", [name for name, *_ in writers()])
def test_nothing_is_left_after_the_next_save(name, tmp_path):
    write, read = next((w, r) for known, w, r in writers() if known == name)
    write(tmp_path)
    n_files = len([*tmp_path.iterdir()])
    n_killed = n_events = most = 0
    while n_killed < N_KILLS:
        child = os.fork()
        if child == 0:
            killed_at(n_events, lambda: write(tmp_path))
        _, status = os.waitpid(child, 0)
        read(tmp_path)
        most = max(most, len([*tmp_path.iterdir()]))
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.WEXITSTATUS(status) == 0
        # A save that comes to its end has cleaned the folder: begin again, by less.
        n_killed, n_events = (
            n_killed + killed,
            n_events + 1 if killed else np.random.default_rng(n_killed).integers(9),
        )
        if not killed:
            assert len([*tmp_path.iterdir()]) == n_files
    assert most > n_files  # there was something to be cleaned
    write(tmp_path)
    assert len([*tmp_path.iterdir()]) == n_files
    read(tmp_path)


def killed_at(n_events, write):
    """Write, and kill this process before the event of such a number."""
    left = iter(range(n_events))

    def count(event, args):
        if event in EVENTS and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    flush = os.fsync

    def flushed(descriptor):
        count("open", ())  # a file is whole, and no manifest names it
        flush(descriptor)

    os.fsync = flushed
    sys.addaudithook(count)
    try:
        write()
    except BaseException:
        os._exit(1)
    os._exit(0)

"""A save that fails or is killed leaves a whole model."""

from __future__ import annotations

import os
import signal

import pytest
from numpy.testing import assert_array_equal

from langalign_sk import (
    LinearAligner,
    load,
    save,
)
from tests.persistence.common import END, X, Y, assert_no_other_files

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


def killing(call, calls):
    """A function of the system that kills the process when the counter of calls runs out."""

    def counted(*args, **options):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)

    return counted


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_process_that_is_killed_leaves_a_whole_model(tmp_path):
    old, new = (LinearAligner("ridge", alpha=alpha).fit(X, Y) for alpha in (1.0, 2.0))
    save(old, tmp_path)
    for n_calls in range(100):
        child = os.fork()
        if child == 0:
            calls = iter(range(n_calls))
            for name in ("fsync", "replace", "unlink", "close"):
                setattr(os, name, killing(getattr(os, name), calls))
            try:
                save(new, tmp_path)
            except BaseException:
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        model = load(tmp_path)
        assert model.alpha in (1.0, 2.0)
        assert_array_equal(model.coef_, (old if model.alpha == 1.0 else new).coef_)
        if os.WIFEXITED(status):
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
    assert os.WEXITSTATUS(status) == 0
    assert model.alpha == 2.0
    assert n_calls >= 8  # two files are replaced, and the old arrays are removed

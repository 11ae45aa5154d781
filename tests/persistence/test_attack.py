"""Folders that were changed at random and repaired: each ends in one of three ways."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
pytest.importorskip("resource", reason="needs the peak memory of a process")


@pytest.mark.slow
def test_changed_folders_are_refused_harmless_or_finite():
    # A process of its own, whose connections are refused and whose memory is measured.
    command = [sys.executable, "-m", "tests.persistence.attack", "460"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "460 folders" in done.stdout

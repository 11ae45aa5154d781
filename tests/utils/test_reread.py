"""Tests of reading a folder that is replaced meanwhile."""

import os

import pytest

from langalign_sk._utils.reread import read_again


def test_a_folder_that_is_replaced_is_read_again(tmp_path):
    manifest = tmp_path / "manifest.json"
    manifest.write_text("0")
    read = []

    def reading():
        read.append(manifest.read_text())
        if len(read) < 4:
            manifest.write_text(str(len(read)))
            raise ValueError("a file is missing")
        return read[-1]

    assert read_again(manifest, reading) == "3"
    assert read == ["0", "1", "2", "3"]


def test_an_error_of_a_folder_that_stays_is_raised_at_once(tmp_path):
    manifest = tmp_path / "manifest.json"
    for content in (None, "0"):
        if content is not None:
            manifest.write_text(content)
        read = []

        def reading(read=read):
            read.append(1)
            raise ValueError("damaged")

        with pytest.raises(ValueError, match="damaged"):
            read_again(manifest, reading)
        assert len(read) == 1


def test_a_folder_that_is_replaced_for_ever_is_given_up(tmp_path):
    manifest = tmp_path / "manifest.json"
    n = []

    def reading():
        n.append(1)
        manifest.write_text(str(len(n)))
        raise ValueError("a file is missing")

    with pytest.raises(ValueError, match="missing"):
        read_again(manifest, reading)
    assert len(n) < 50


def test_an_interruption_is_not_an_error_of_the_folder(tmp_path):
    def reading():
        (tmp_path / "manifest.json").write_text("new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_again(tmp_path / "manifest.json", reading)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    assert read_again(tmp_path / "manifest.json", lambda: 1) == 1

"""Replacement of a file: whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
import stat

import pytest

from langalign_sk._utils.files import replacing

only_posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and permissions of POSIX")


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


def test_a_new_file(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as part:
        part.write_text("new")
        assert part.parent == tmp_path
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_an_old_file_is_whole_until_the_end(kind, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(kind(path)) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop])
@pytest.mark.parametrize("written", [False, True])
def test_an_error_leaves_the_old_file(error, written, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(part):
        if written:
            part.write_text("half of the ne")
        raise error

    with pytest.raises(error), replacing(path) as part:
        fail(part)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_of_the_disk_leaves_the_old_file(call, tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="no space"), replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError, match=r"a\.txt"), replacing(path):
        pass
    assert path.read_text() == "old"


def test_the_file_is_flushed_before_it_is_renamed(tmp_path, monkeypatch):
    """A rename that reaches the disk before the content would leave an empty file."""
    done = []
    for name in ("fsync", "replace"):
        whole = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, w=whole: (done.append(n), w(*a))[1])
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("new")
    flushed_with_the_folder = ["fsync", "replace", "fsync"]
    assert done == (flushed_with_the_folder if os.name == "posix" else ["fsync", "replace"])


@only_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o664])
def test_permissions_of_the_old_file_are_kept(mode, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    with replacing(path) as part:
        part.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


@only_posix
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain.txt").write_text("")
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("new")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


@only_posix
def test_a_link_is_replaced_and_not_followed(tmp_path):
    """A link in a folder of models must not let a save write outside it."""
    target, path = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    path.symlink_to(target)
    with replacing(path) as part:
        part.write_text("new")
    assert not path.is_symlink()
    assert path.read_text() == "new"
    assert target.read_text() == "old"


@only_posix
def test_a_link_to_nothing_is_replaced(tmp_path):
    path = tmp_path / "link.txt"
    path.symlink_to(tmp_path / "nowhere")
    with replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize("call", ["open", "fsync", "close", "replace"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_is_killed_leaves_a_whole_file(call, when, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    child = os.fork()
    if child == 0:
        whole = getattr(os, call)

        def killed(*args, **options):
            if when == "after":
                whole(*args, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(os, call, killed)
        with replacing(path) as part:
            part.write_text("new")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    replaced = call in ("open", "close") or (call, when) == ("replace", "after")
    assert path.read_text() == ("new" if replaced else "old")  # the folder is opened at the end


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    child = os.fork()
    if child == 0:
        with replacing(path) as part, part.open("w") as file:
            file.write("half of the ne")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert path.read_text() == "old"
    with replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"

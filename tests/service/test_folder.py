"""The model folder: of the user, and nobody else's to write."""

from __future__ import annotations

import os
import shlex
import struct
import tempfile
from pathlib import Path

import pytest

from langalign_sk.service import check_owner, user_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners of POSIX")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "above" / "model"
    folder.mkdir(parents=True)
    (folder / "inside").mkdir()
    (folder / "inside" / "deep.bin").write_bytes(b"1")
    (folder / "langalign_sk.json").write_text("{}")
    for path in [folder.parent, folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


PARTS = ["..", ".", "langalign_sk.json", "inside", "inside/deep.bin"]


def test_a_folder_of_the_user_is_accepted(folder):
    check_owner(folder)
    check_owner(str(folder))


@pytest.fixture
def group(monkeypatch):
    """Members of every group, by name, and users whose first group it is."""
    import grp
    import pwd

    user = pwd.getpwuid(os.geteuid())
    members, users = [], [user]

    def entry(gid):
        return grp.struct_group((user.pw_name, "x", gid, members))

    monkeypatch.setattr(grp, "getgrgid", entry)
    monkeypatch.setattr(pwd, "getpwall", lambda: users)
    return members, users


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_what_others_can_write_is_refused(folder, part, mode, group):
    group[0].append("someone")
    path = Path(os.path.abspath(folder / part))
    path.chmod(mode)
    with pytest.raises(PermissionError, match="can be written by other users") as caught:
        check_owner(folder)
    assert f"chmod go-w {shlex.quote(str(path))}" in str(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_a_group_that_is_the_user_alone_may_write(folder, part, group):
    """As where umask is 002, and each user has a group of the same name."""
    members, users = group
    (folder / part).chmod(0o775)
    check_owner(folder)
    members.append(users[0].pw_name)
    check_owner(folder)
    users.append(type(users[0])(["someone", "x", 54_321, users[0].pw_gid, "", "/", "/bin/sh"]))
    with pytest.raises(PermissionError, match="can be written by other users"):
        check_owner(folder)


def test_a_group_of_another_name_is_not_private(folder, group, monkeypatch):
    import grp

    folder.chmod(0o775)
    for entry in (lambda gid: grp.struct_group(("staff", "x", gid, [])), {}.__getitem__):
        monkeypatch.setattr(grp, "getgrgid", entry)
        with pytest.raises(PermissionError, match="can be written by other users"):
            check_owner(folder)


def test_a_list_that_lets_others_write_is_refused(folder, group):
    """The bits of the group are the mask of the list."""
    if not hasattr(os, "setxattr"):
        pytest.skip("needs Linux")
    entries = [(1, 7, -1), (2, 7, 54_321), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(folder, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error}")
    assert folder.stat().st_mode & 0o777 == 0o775
    with pytest.raises(PermissionError, match="can be written by other users"):
        check_owner(folder)


@pytest.mark.parametrize("part", PARTS)
def test_what_belongs_to_another_user_is_refused(folder, part, monkeypatch):
    target, real = os.path.abspath(folder / part), os.lstat

    def lstat(path):
        status = real(path)
        if os.fspath(path) != target:
            return status
        return os.stat_result([*status[:4], 54_321, *status[5:10]])

    monkeypatch.setattr(os, "lstat", lstat)
    with pytest.raises(PermissionError, match=r"belongs to another user \(54321\)") as caught:
        check_owner(folder)
    assert target in str(caught.value)


def test_a_sticky_folder_above_is_accepted_and_a_sticky_model_is_not(folder):
    folder.parent.chmod(0o1777)
    check_owner(folder)
    folder.chmod(0o1777)
    with pytest.raises(PermissionError, match="can be written by other users"):
        check_owner(folder)


def test_links_inside_are_refused(folder, tmp_path):
    (tmp_path / "elsewhere").write_text("x")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="symbolic link"):
        check_owner(folder)


def test_a_link_to_the_folder_is_followed_and_its_target_checked(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder)
    check_owner(link)
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="can be written by other users"):
        check_owner(link)


def test_every_folder_on_the_way_through_links_is_checked(folder, tmp_path, monkeypatch):
    between = tmp_path / "between"
    between.mkdir()
    (between / "second").symlink_to(Path("..") / "above" / "model")
    (tmp_path / "first").symlink_to(between / "second")
    ways = [tmp_path / "first", tmp_path / "first" / "..", Path("first"), Path("first/../model")]
    monkeypatch.chdir(tmp_path)
    for way in ways:
        check_owner(way)
    between.chmod(0o777)
    for way in ways:
        with pytest.raises(PermissionError, match="between can be written by other users"):
            check_owner(way)


def test_a_link_and_two_dots_lead_to_the_folder_above_its_target(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder / "inside")
    (tmp_path / "model").mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="above/model can be written by other users"):
        check_owner(tmp_path / "link" / "..")


def test_what_is_not_a_folder_is_named(folder):
    with pytest.raises(FileNotFoundError, match="save a fitted model"):
        check_owner(folder / "none")
    with pytest.raises(NotADirectoryError, match="is a file"):
        check_owner(folder / "langalign_sk.json")


def test_the_folder_of_the_user_is_not_in_the_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    for given in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", given)
        found = user_folder("desk")
        assert found == Path("/home/someone/.local/share/langalign_sk/models/desk")
        assert not found.is_relative_to(tempfile.gettempdir())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_folder("desk") == tmp_path / "langalign_sk" / "models" / "desk"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "/etc", "a\0b", "C:x"])
def test_a_name_that_is_a_path_is_refused(name):
    with pytest.raises(ValueError, match="single component"):
        user_folder(name)

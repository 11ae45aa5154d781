"""Folders of files and a manifest: replaced all at once, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from langalign_sk._utils.bundle import Bundle, BundleWriter, DamagedError

MANIFEST = "manifest.json"


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


def write(folder, content=b"abc", **fields):
    with BundleWriter(folder, MANIFEST) as new:
        new.write("rows", "npy", [content[:1], content[1:]])
        new.let_write("index", "bin", lambda path: Path(path).write_bytes(content * 2))
        new.fields = {"format_version": 1, "n_rows": len(content), **fields}


def read(folder, needed=None, files=("rows",), version=1, **settings):
    needed = {"n_rows": int} if needed is None else needed
    what = "bundle, which the test writes"
    return Bundle(
        folder, MANIFEST, versions=(version,), what=what, needed=needed, files=files, **settings
    )


def manifest_of(folder):
    return json.loads((folder / MANIFEST).read_bytes())


def change(folder, function):
    manifest = manifest_of(folder)
    function(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Writing


def test_the_manifest_describes_the_files(tmp_path):
    write(tmp_path / "a" / "b")
    folder = tmp_path / "a" / "b"
    manifest = manifest_of(folder)
    assert manifest.keys() == {"format_version", "n_rows", "files"}
    assert set(os.listdir(folder)) == {MANIFEST, *(f["name"] for f in manifest["files"].values())}
    for kind, content in (("rows", b"abc"), ("index", b"abcabc")):
        file = manifest["files"][kind]
        assert (folder / file["name"]).read_bytes() == content
        assert file["size"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_files_of_the_former_bundle_go_and_others_stay(tmp_path):
    write(tmp_path)
    before = set(os.listdir(tmp_path)) - {MANIFEST}
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "rows-mine.npy").write_text("mine")
    write(tmp_path, b"defg")
    after = set(os.listdir(tmp_path))
    assert not before & after
    assert {"README.md", "rows-mine.npy"} < after
    assert len(after) == 5
    assert read(tmp_path).path("rows").read_bytes() == b"defg"


@pytest.mark.parametrize("error", [ValueError, Stop])
def test_a_block_that_raises_leaves_the_former_bundle(error, tmp_path):
    write(tmp_path)
    before = contents(tmp_path)

    def fail():
        with BundleWriter(tmp_path, MANIFEST) as new:
            new.write("rows", "npy", [b"def"])
            raise error

    with pytest.raises(error):
        fail()
    assert contents(tmp_path) == before


def test_every_file_is_on_the_disk_before_the_manifest_names_it(tmp_path, monkeypatch):
    flushed, whole = [], os.fsync

    def fsync(handle):
        flushed.append(os.fstat(handle).st_ino)
        whole(handle)

    replaced = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(
        os, "replace", lambda *paths: (replaced.append(list(flushed)), replace(*paths))
    )
    write(tmp_path)
    (before_the_rename,) = replaced
    assert {path.stat().st_ino for path in tmp_path.iterdir()} <= set(before_the_rename)


def test_a_manifest_that_is_not_readable_is_replaced(tmp_path):
    (tmp_path / MANIFEST).write_bytes(b"\xff")
    write(tmp_path)
    assert read(tmp_path).fields["n_rows"] == 3


def test_files_outside_the_folder_that_a_manifest_names_are_not_removed(tmp_path):
    write(tmp_path / "model")
    outside = tmp_path / "outside"
    outside.write_text("mine")
    change(tmp_path / "model", lambda m: m["files"]["rows"].update(name="../outside"))
    write(tmp_path / "model")
    assert outside.read_text() == "mine"


# Reading


def test_what_was_written_is_read(tmp_path):
    write(tmp_path, note="x")
    bundle = read(tmp_path)
    assert bundle.fields["note"] == "x"
    assert bundle.path("rows").read_bytes() == b"abc"
    assert bundle.path("index", verify=False).read_bytes() == b"abcabc"


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"holds no bundle, which the test writes: there is"
    ):
        read(tmp_path)


def test_another_version(tmp_path):
    write(tmp_path, format_version=2)
    with pytest.raises(
        ValueError, match="has format version 2, and this langalign_sk reads version"
    ):
        read(tmp_path)


@pytest.mark.parametrize("version", ["1", 1.0, True, None])
def test_a_version_that_is_not_an_int(version, tmp_path):
    write(tmp_path, format_version=version)
    with pytest.raises(DamagedError, match="is damaged"):
        read(tmp_path)


@pytest.mark.parametrize("value", [True, 3.0, "3", None])
def test_a_field_of_another_type(value, tmp_path):
    write(tmp_path, n_rows=value)
    with pytest.raises(DamagedError, match="is damaged"):
        read(tmp_path)


def test_a_field_or_a_file_that_is_missing(tmp_path):
    write(tmp_path)
    for asked in ({"needed": {"width": int}}, {"files": ["rows", "bank"]}):
        with pytest.raises(DamagedError, match="is damaged"):
            read(tmp_path, **asked)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", "", "a\\b", "C:x", 3, None])
def test_a_name_that_is_not_of_a_file_in_the_folder(name, tmp_path):
    write(tmp_path)
    change(tmp_path, lambda m: m["files"]["rows"].update(name=name))
    with pytest.raises(DamagedError, match="is damaged"):
        read(tmp_path)


def test_files_that_changed(tmp_path):
    write(tmp_path)
    bundle = read(tmp_path)
    path = bundle.path("rows")
    path.write_bytes(b"xyz")
    with pytest.raises(DamagedError, match=r"its checksum differs from when it was written"):
        bundle.path("rows")
    assert bundle.path("rows", verify=False) == path
    path.write_bytes(b"ab")
    with pytest.raises(DamagedError, match="has 2 bytes and should have 3"):
        bundle.path("rows", verify=False)
    path.unlink()
    with pytest.raises(DamagedError, match="is missing"):
        bundle.path("rows")


def test_links_lead_only_where_they_may(tmp_path):
    folder, elsewhere = tmp_path / "bundle", tmp_path / "elsewhere"
    write(folder)
    elsewhere.mkdir()
    for path in list(folder.iterdir()):
        path.rename(elsewhere / path.name)
        path.symlink_to(elsewhere / path.name)
    assert read(folder, links_into=elsewhere).path("rows").read_bytes() == b"abc"
    for into in (None, folder):
        with pytest.raises(DamagedError, match="is damaged"):
            read(folder, links_into=into)


def test_a_part_of_the_manifest(tmp_path):
    write(tmp_path, part={"width": 3}, other={"width": "3"})
    bundle = read(tmp_path)
    assert bundle.within("part", {"width": int}, ["index"]).fields == {"width": 3}
    assert bundle.fields["n_rows"] == 3
    for field, files in (("other", ["index"]), ("part", ["bank"])):
        with pytest.raises(DamagedError, match="is damaged"):
            bundle.within(field, {"width": int}, files)

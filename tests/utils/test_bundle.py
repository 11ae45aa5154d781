"""Folders of files and a manifest: replaced all at once, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from langalign_sk._utils.bundle import Bundle, BundleWriter, DamagedError, read_json

MANIFEST = "manifest.json"


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


def write(folder, content=b"abc", **fields):
    with BundleWriter(folder, MANIFEST) as new:
        new.write("rows", "npy", [content[:1], content[1:]])
        new.let_write("faiss", "bin", lambda path: Path(path).write_bytes(content * 2))
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
    for kind, content in (("rows", b"abc"), ("faiss", b"abcabc")):
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


def test_a_file_that_a_manifest_names_is_removed_by_its_pattern_alone(tmp_path):
    names = [
        "thesis.docx",
        "rows.npy",
        "mine-0123abcd.npy",
        "rows-0123abcd.txt",
        "rows-0123ABCD.npy",
    ]
    for name in names:
        (tmp_path / name).write_text("mine")
    file = {"size": 4, "sha256": "x"}
    files = {name: {"name": name, **file} for name in names}
    (tmp_path / MANIFEST).write_text(json.dumps({"files": files}))
    write(tmp_path)
    write(tmp_path)
    assert all((tmp_path / name).read_text() == "mine" for name in names)


def test_a_name_of_another_pattern_is_not_written(tmp_path):
    for kind, suffix in (("thesis", "npy"), ("rows", "docx"), ("../rows", "npy")):
        with (
            pytest.raises(ValueError, match="is not of the pattern of a bundle"),
            BundleWriter(tmp_path, MANIFEST) as new,
        ):
            new.write(kind, suffix, [b"abc"])
    assert contents(tmp_path) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of folders")
def test_what_killed_writers_left_is_removed(tmp_path):
    token = "0123abcd" + hashlib.sha256(b"langalign_sk 0123abcd").hexdigest()[:8]
    left = [f"rows-{token}.npy", f"bank_languages_12-{token}.npy", f"model-{token}.skops"]
    left += [
        "langalign_sk.json-0123abcd.part",
        "index.json-0123abcd.part",
        "README.md-0123abcd.part",
    ]
    for name in left:
        (tmp_path / name).write_bytes(b"half")
    # Names that prove no writer, what is not a file, and a link.
    others = {"rows-20260131.npy", "rows-0123abcd0123abcd.npy", "thesis-0123abcd.part", "mine.part"}
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / f"level-{token}.npy").mkdir()
    (tmp_path / f"means-{token}.npy").symlink_to(tmp_path / "nowhere")
    others |= {f"level-{token}.npy", f"means-{token}.npy"}
    write(tmp_path)
    named = {file["name"] for file in manifest_of(tmp_path)["files"].values()}
    assert {*os.listdir(tmp_path)} == {MANIFEST, *named, *others}


def test_files_of_another_bundle_in_the_folder_stay(tmp_path):
    for manifest in ("index.json", MANIFEST, "index.json", MANIFEST):
        with BundleWriter(tmp_path, manifest) as new:
            new.write("rows", "npy", [manifest.encode()])
            new.fields = {"format_version": 1}
    for manifest in (MANIFEST, "index.json"):
        (file,) = json.loads((tmp_path / manifest).read_bytes())["files"].values()
        assert (tmp_path / file["name"]).read_bytes() == manifest.encode()
    assert len([*tmp_path.iterdir()]) == 4
    (tmp_path / "index.json").write_bytes(b"{")  # its files may be all that is left of it
    write(tmp_path)
    assert (tmp_path / file["name"]).exists()
    assert len([*tmp_path.glob("rows-*.npy")]) == 2


def test_a_writer_has_the_lock_of_its_folder(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with BundleWriter(tmp_path, MANIFEST) as new:
        new.fields = {"format_version": 1}
        other = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of folders")
def test_writers_of_one_folder_leave_one_bundle(tmp_path):
    contents = [bytes([65 + i]) * 3 for i in range(8)]
    threads = [threading.Thread(target=write, args=(tmp_path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(tmp_path).path("rows").read_bytes() in contents
    assert len([*tmp_path.iterdir()]) == 3


# Reading


@pytest.mark.parametrize(
    "content",
    [
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"-1e999",
        b"9" * 65,
        b"0." + b"1" * 80,
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b"[" + b"0," * 200_000 + b"0]",
        b"[" + b"[]," * 5_000_000 + b"[]]",
        b'{"a": 1, "a": 2}',
        b"\xff",
        b"",
    ],
    ids=lambda content: f"{content[:8]!r} {len(content)}",
)
def test_json_that_is_refused(content):
    with pytest.raises((ValueError, RecursionError)):
        read_json(content)


def test_json_that_is_read():
    nested = 0
    for _ in range(60):
        nested = [nested]
    value = {"a": [1, 2.5, None, True, "[,{" * 10], "b": nested, "n": 2**64, "x": 1e-300}
    assert read_json(json.dumps(value).encode()) == value


def test_what_was_written_is_read(tmp_path):
    write(tmp_path, note="x")
    bundle = read(tmp_path)
    assert bundle.fields["note"] == "x"
    assert bundle.path("rows").read_bytes() == b"abc"
    assert bundle.path("faiss", verify=False).read_bytes() == b"abcabc"


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
        with pytest.raises(DamagedError, match="is a symbolic link, and links are not followed"):
            read(folder, links_into=into)


def test_a_part_of_the_manifest(tmp_path):
    write(tmp_path, part={"width": 3}, other={"width": "3"})
    bundle = read(tmp_path)
    assert bundle.within("part", {"width": int}, ["faiss"]).fields == {"width": 3}
    assert bundle.fields["n_rows"] == 3
    for field, files in (("other", ["faiss"]), ("part", ["bank"])):
        with pytest.raises(DamagedError, match="is damaged"):
            bundle.within(field, {"width": int}, files)

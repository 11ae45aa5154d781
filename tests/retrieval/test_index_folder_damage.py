"""Damaged and hostile index folders."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualRetriever
from tests.retrieval.folders import BANK, D, Q, change_manifest, checksum, file_of, saved
from tests.retrieval.references import found
from tests.retrieval.toy import fitted_aligner, of_kind
from tests.toy import ENGLISH

FILES = [("exact", "rows"), ("exact", "documents"), ("exact", "bank"), ("exact", "level")]
FILES += [("flat", "faiss"), ("hnswlib", "hnsw")]


@pytest.mark.parametrize(("kind", "file"), FILES)
@pytest.mark.parametrize("how", ["short", "long", "empty", "missing", "folder", "link", "flipped"])
def test_a_damaged_file_is_named(kind, file, how, tmp_path):
    folder = saved(tmp_path / "index", kind)
    path = file_of(folder, file)
    content = path.read_bytes()
    if how in ("short", "long", "empty"):
        path.write_bytes({"short": content[:-1], "long": content + b"\0", "empty": b""}[how])
    elif how == "flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        path.rename(tmp_path / "elsewhere")
        if how == "folder":
            path.mkdir()
        elif how == "link":
            path.symlink_to(tmp_path / "elsewhere")
    retriever = of_kind(kind, scoring="csls").fit(D[:9] * 2, query_bank=BANK)
    before = found(retriever, Q, 4)
    with pytest.raises(ValueError, match=re.escape(path.name)):
        retriever.open_index(folder, verify=True)
    if how == "flipped" and file == "rows":
        assert retriever.open_index(folder).n_documents_ == 300  # not read, as it is said
        return
    with pytest.raises(ValueError, match=re.escape(path.name)):
        retriever.open_index(folder)
    for now, then in zip(found(retriever, Q, 4), before, strict=True):
        assert_array_equal(now, then)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe{", b"{}", b'{"format_version": 1}'],
)
def test_a_manifest_that_is_none(content, tmp_path):
    saved(tmp_path)
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.json' is damaged"):
        CrossLingualRetriever().open_index(tmp_path)


KEYS = ["format_version", "n_documents", "width", "is_text", "backend", "backend_params", "files"]
KEYS += ["next_id", "aligner", "files.rows", "files.documents", "files.level"]
KEYS += [f"files.{kind}.{key}" for kind in ("rows", "bank") for key in ("name", "size", "sha256")]


@pytest.mark.parametrize("key", [*KEYS, "hubs"])
def test_a_manifest_that_lacks_a_key(key, tmp_path):
    saved(tmp_path)

    def drop(manifest):
        *path, last = key.split(".")
        for part in path:
            manifest = manifest[part]
        del manifest[last]

    change_manifest(tmp_path, drop)
    with pytest.raises(ValueError, match=r"damaged|no query bank"):
        CrossLingualRetriever(scoring="csls").open_index(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_documents", "300"),
        ("n_documents", None),
        ("n_documents", 299),
        ("n_documents", -1),
        ("next_id", "5"),
        ("width", 7),
        ("width", [8]),
        ("files", []),
        ("files", None),
        ("files", {"rows": 1, "documents": 2}),
        ("backend", 5),
        ("aligner", 5),
        ("aligner", {}),
        ("is_text", True),
        ("is_text", "yes"),
        ("is_text", 0),
        ("n_documents", True),
        ("width", 8.0),
        ("hubs", 5),
        ("hubs", "csls"),
        ("backend_params", None),
        ("backend_params", {"M": 3}),
        ("format_version", True),
        ("format_version", 2),
        ("format_version", "1"),
        ("format_version", None),
    ],
)
def test_a_manifest_with_a_wrong_value(key, value, tmp_path):
    saved(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.update({key: value}))
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        CrossLingualRetriever(scoring="csls").open_index(tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"maps": 5},
        5,
        "text",
        {"output_space": "english"},
        {"output_space": "english", "maps": 5},
        {"output_space": "english", "maps": {"ko": 5}},
        {"encoders": 5},
    ],
)
def test_a_manifest_with_a_broken_aligner(value, tmp_path):
    frozen = fitted_aligner().freeze()
    CrossLingualRetriever(frozen).fit(ENGLISH).save_index(tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.update(aligner=value))
    with pytest.raises(ValueError, match=r"aligner|damaged"):
        CrossLingualRetriever(frozen).open_index(tmp_path)


@pytest.mark.parametrize("file", ["rows", "documents", "bank"])
@pytest.mark.parametrize(
    "name", ["../{}", "{folder}/../{}", "sub/{}", "..", ".", "", "link", "sub\\{}", "C:{}", "{}\0"]
)
def test_nothing_outside_the_folder_is_read(name, file, tmp_path, monkeypatch):
    folder = saved(tmp_path / "index")
    inside = file_of(folder, file)
    outside = tmp_path / inside.name
    inside.rename(outside)
    (folder / "sub").mkdir()
    (folder / "sub" / inside.name).write_bytes(outside.read_bytes())
    (folder / "link").symlink_to(outside)
    name = name.format(inside.name, folder=folder)

    def rename(manifest):
        manifest["files"][file]["name"] = name

    change_manifest(folder, rename)
    opened = []
    whole = Path.open
    monkeypatch.setattr(Path, "open", lambda p, *a, **k: (opened.append(p), whole(p, *a, **k))[1])
    with pytest.raises(ValueError, match=r"damaged|missing"):
        CrossLingualRetriever(scoring="csls").open_index(folder, verify=True)
    assert outside not in {path.resolve() for path in opened}


def test_nothing_outside_the_folder_is_removed(tmp_path):
    folder, other = saved(tmp_path / "index"), tmp_path / "other"
    other.write_text("mine")
    change_manifest(folder, lambda manifest: manifest["files"]["bank"].update(name="../other"))
    saved(folder)
    assert other.read_text() == "mine"
    assert CrossLingualRetriever(scoring="csls").open_index(folder).n_documents_ == 300


@pytest.mark.parametrize("how", ["large", "link"])
def test_a_manifest_that_is_too_large_or_a_link(how, tmp_path):
    manifest = saved(tmp_path / "index") / "index.json"
    content = manifest.read_bytes()
    if how == "large":
        manifest.write_bytes(content + b" " * ((1 << 24) - len(content)))
        assert CrossLingualRetriever().open_index(tmp_path / "index").n_documents_ == 300
        manifest.write_bytes(content + b" " * ((1 << 24) + 1 - len(content)))
    else:
        manifest.rename(tmp_path / "elsewhere")
        manifest.symlink_to(tmp_path / "elsewhere")
    match = {"large": r"index\.json' is damaged", "link": r"index\.json' .* is a symbolic link"}[
        how
    ]
    with pytest.raises(ValueError, match=match):
        CrossLingualRetriever().open_index(tmp_path / "index")


def test_the_manifest_has_a_checksum_of_its_own(tmp_path):
    manifest = saved(tmp_path) / "index.json"
    fields = json.loads(manifest.read_bytes())
    assert fields["sha256"] == checksum(fields)
    manifest.write_text(json.dumps({**fields, "next_id": 301}))
    with pytest.raises(ValueError, match="is damaged"):
        CrossLingualRetriever(scoring="csls").open_index(tmp_path)
    del fields["sha256"]  # as the first releases wrote it
    manifest.write_text(json.dumps(fields))
    assert CrossLingualRetriever(scoring="csls").open_index(tmp_path).n_documents_ == 300


def rewrite(folder, kind, content):
    """Change a file, and what the manifest says about it."""
    path = file_of(folder, kind)
    path.write_bytes(content)
    described = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change_manifest(folder, lambda manifest: manifest["files"][kind].update(described))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["rows", "bank", "level"])
def test_numbers_that_are_not_finite_are_refused(kind, value, tmp_path):
    folder = saved(tmp_path)
    array = np.array(np.load(file_of(folder, kind)))
    array.flat[-1] = value
    content = BytesIO()
    np.save(content, array)
    rewrite(folder, kind, content.getvalue())
    with pytest.raises(ValueError, match="is damaged"):
        CrossLingualRetriever(scoring="csls").open_index(folder, verify=True)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b"[[" + b"[]," * 100_000 + b"[]]]",
        b'["a"]',
        b"[" + b"9" * 10_000 + b"]",
        b'[{"tuple": ' + b'[{"tuple": ' * 5000,
        b"[NaN]",
        b"[[]]",
        b"\xff",
        b"[1]\n[2]",
    ],
)
def test_documents_that_are_none(line, tmp_path):
    folder = saved(tmp_path)
    lines = file_of(folder, "documents").read_bytes().splitlines()
    rewrite(folder, "documents", b"\n".join([b'["a"]', line, *lines[2:]]) + b"\n")
    with pytest.raises(ValueError, match="is damaged"):
        CrossLingualRetriever(scoring="csls").open_index(folder)


@pytest.mark.parametrize(("kind", "file"), [("flat", "faiss"), ("hnswlib", "hnsw")])
def test_a_backend_of_other_rows_is_refused(kind, file, tmp_path):
    folder = saved(tmp_path / "index", kind)
    of_kind(kind).fit(D[:200]).save_index(tmp_path / "other")
    of_kind(kind).fit(D[:, :5]).save_index(tmp_path / "narrow")
    whole = file_of(folder, file).read_bytes()
    for other in ("other", "narrow"):
        rewrite(folder, file, file_of(tmp_path / other, file).read_bytes())
        with pytest.raises(ValueError, match="is damaged"):
            of_kind(kind, scoring="csls").open_index(folder)
    rewrite(folder, file, whole)
    assert of_kind(kind, scoring="csls").open_index(folder).n_documents_ == 300


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("file", ["rows", "bank", "level"])
@pytest.mark.parametrize(
    "how",
    [
        "pickle",
        "object array",
        "zip",
    ],
)
def test_nothing_is_unpickled(file, how, tmp_path):
    folder, touched = saved(tmp_path / "index"), tmp_path / "touched"
    path = file_of(folder, file)
    if how == "pickle":
        path.write_bytes(pickle.dumps(Evil(touched)))
    elif how == "object array":
        with path.open("wb") as stream:
            np.save(stream, np.array([Evil(touched)], dtype=object), allow_pickle=True)
    else:
        with path.open("wb") as stream:
            np.savez(stream, rows=np.array([Evil(touched)], dtype=object))
    # Whoever can change a file can change its size and checksum in the manifest.
    content = path.read_bytes()
    described = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change_manifest(folder, lambda manifest: manifest["files"][file].update(described))
    with pytest.raises(ValueError, match=re.escape(f"{folder / 'index.json'}' is damaged")):
        CrossLingualRetriever(scoring="csls").open_index(folder)
    assert not touched.exists()
    if how != "zip":
        pickle.loads(pickle.dumps(Evil(touched)))
        assert touched.exists()  # it would have shown


def test_no_index(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere", str(tmp_path)):
        with pytest.raises(FileNotFoundError, match="holds no index"):
            CrossLingualRetriever().open_index(folder)


def test_another_format_version(tmp_path):
    change_manifest(saved(tmp_path), lambda manifest: manifest.update(format_version=99))
    with pytest.raises(ValueError, match=r"format version 99.*reads version 1"):
        CrossLingualRetriever().open_index(tmp_path)

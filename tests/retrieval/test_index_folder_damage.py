"""Damaged and hostile index folders."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import CrossLingualRetriever
from langalign_sk.retrieval import backends
from tests.retrieval.folders import BANK, D, Q, change_manifest, checksum, file_of, rewrite, saved
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
            of_kind(kind, scoring="csls").open_index(folder, allow=file)
    rewrite(folder, file, whole)
    for allow in ((), file):
        assert of_kind(kind, scoring="csls").open_index(folder, allow=allow).n_documents_ == 300


@pytest.mark.parametrize("allow", [[5], {"faiss": 1, 2: 3}, [None]])
def test_what_is_allowed_is_text(allow, tmp_path):
    with pytest.raises(TypeError, match="allow must be a str or a list of str, got"):
        CrossLingualRetriever().open_index(saved(tmp_path), allow=allow)


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "IVF4,Flat", "SQ8"])
def test_a_file_of_faiss_is_read_only_if_it_is_allowed(factory, tmp_path, monkeypatch):
    faiss = pytest.importorskip("faiss", reason="needs pip install langalign-sk[faiss]")
    made = {"backend": "faiss", "backend_params": {"factory": factory}}
    whole = CrossLingualRetriever(**made).fit(D)
    whole.save_index(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss, "read_index", None)
        patch.setattr(faiss, "deserialize_index", None)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            again = CrossLingualRetriever(**made).open_index(tmp_path)
    warned = [
        str(one.message) for one in said if "was built again from its rows" in str(one.message)
    ]
    assert len(warned) == (factory != "Flat")
    assert all("allow='faiss'" in text for text in warned)
    assert_array_equal(again.kneighbors(Q, 4)[1], whole.kneighbors(Q, 4)[1])
    read = CrossLingualRetriever(**made).open_index(tmp_path, allow="faiss")
    assert_array_equal(read.kneighbors(Q, 4)[1], whole.kneighbors(Q, 4)[1])
    rewrite(tmp_path, "faiss", b"crafted")
    again = CrossLingualRetriever(**made).open_index(tmp_path)
    assert_array_equal(again.kneighbors(Q, 4)[1], whole.kneighbors(Q, 4)[1])
    with pytest.raises(ValueError, match="is damaged"):
        CrossLingualRetriever(**made).open_index(tmp_path, allow=["faiss"])


@pytest.mark.parametrize("field", backends._GRAPH.names)
def test_a_graph_with_any_other_header_is_refused(field, tmp_path):
    pytest.importorskip("hnswlib", reason="needs pip install langalign-sk[hnswlib]")
    folder = saved(tmp_path, "hnswlib")
    raw = np.frombuffer(file_of(folder, "hnsw").read_bytes(), dtype=np.uint8)
    size = backends._GRAPH.itemsize
    for value in (0, 1, 17, 10**6, 2**31 - 1):
        head = raw[:size].view(backends._GRAPH).copy()
        # hnswlib takes the space from its caller, and any row of the highest level is a start.
        if head[field][0] == value or field == "space":
            continue
        head[field] = value
        rewrite(folder, "hnsw", head.tobytes() + raw[size:].tobytes())
        if field == "start" and value < 300:
            continue
        with pytest.raises(ValueError, match="is damaged"):
            of_kind("hnswlib", scoring="csls").open_index(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_graph_of_rows_of_another_length_is_refused(value, tmp_path):
    pytest.importorskip("hnswlib", reason="needs pip install langalign-sk[hnswlib]")
    folder = saved(tmp_path, "hnswlib")
    raw = bytearray(file_of(folder, "hnsw").read_bytes())
    size = backends._GRAPH.itemsize
    head = np.frombuffer(bytes(raw[:size]), dtype=backends._GRAPH)[0]
    at = size + int(head["data"])
    raw[at : at + 4] = np.float32(value).tobytes()
    rewrite(folder, "hnsw", bytes(raw))
    with pytest.raises(ValueError, match="is damaged"):
        of_kind("hnswlib", scoring="csls").open_index(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["exact", "flat"])
def test_rows_that_are_not_finite_are_never_searched(kind, value, tmp_path):
    folder = saved(tmp_path, kind, "cosine")
    rows = np.load(file_of(folder, "rows"))
    rows[7, 3] = value
    content = BytesIO()
    np.save(content, rows)
    rewrite(folder, "rows", content.getvalue())
    with pytest.raises(ValueError, match="is damaged"):
        of_kind(kind).open_index(folder, verify=True)
    with pytest.raises(ValueError, match=r"is damaged|hold NaN or infinity"):
        of_kind(kind).open_index(folder).kneighbors(np.abs(Q), 4)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (10**30, 8), }",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**30}, 8), }}",
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': (300, {2**62}), }}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-300, -8), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (300, 8), }",
        "{'descr': '|V4', 'fortran_order': False, 'shape': (300, 8), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (300, 8), }",
        "(" * 5000,
        "[" * 500 + "]" * 500,
        "{'descr': '<f4', 'fortran_order': 'x', 'shape': 'x', }",
        "",
        "\0",
    ],
)
def test_headers_of_arrays_that_are_none(header, tmp_path):
    folder = saved(tmp_path)
    content = b"\x93NUMPY\x02\0" + len(header).to_bytes(4, "little") + header.encode()
    rewrite(folder, "rows", content + b"\0" * 9600)
    for verify in (False, True):
        with pytest.raises(ValueError, match="is damaged"):
            CrossLingualRetriever(scoring="csls").open_index(folder, verify=verify)


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
    rewrite(folder, file, path.read_bytes())
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


def test_identifiers_that_were_chosen_to_have_one_hash(tmp_path):
    ids = [i * (2**61 - 1) for i in range(3000)]
    assert len({*map(hash, ids)}) == 1
    retriever = CrossLingualRetriever().fit(np.ones((3000, 2)))
    retriever.save_index(tmp_path)
    rewrite(tmp_path, "documents", b"".join(b"[%d]\n" % key for key in ids))
    with pytest.raises(ValueError, match="is damaged"):
        CrossLingualRetriever().open_index(tmp_path)

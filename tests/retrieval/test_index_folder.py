"""Saved indexes: what comes back, what survives a failed save, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from langalign_sk import CrossLingualAligner, CrossLingualRetriever
from langalign_sk._utils.bundle import _described
from langalign_sk.encoders.base import TextEncoder
from langalign_sk.encoders.models.model import Model
from langalign_sk.mapping import LinearAligner
from tests.toy import ENGLISH, KOREAN, ToyEncoder

PAIRS = list(zip(KOREAN, ENGLISH, strict=True))
SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")
# All rows are looked at: else results would hang on the borders of cells or on a graph.
KINDS = {
    "exact": ("exact", None),
    "flat": ("faiss", {"factory": "Flat"}),
    "graph": ("faiss", {"factory": "HNSW16", "search": "efSearch=500"}),
    "cells": ("faiss", {"factory": "IVF2,Flat", "search": "nprobe=2"}),
    "hnswlib": ("hnswlib", {"ef": 300}),
}
RNG = np.random.default_rng(0)
D, Q, BANK = (RNG.normal(size=(n, 8)).astype(np.float32) for n in (300, 12, 30))
IDS = [f"문서 {i}" if i % 2 else i for i in range(300)]


def of_kind(kind, **parameters):
    backend, backend_params = KINDS[kind]
    if backend != "exact":
        pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    return CrossLingualRetriever(backend=backend, backend_params=backend_params, **parameters)


def answers(retriever, queries=Q, k=4):
    distances, indices = retriever.kneighbors(queries, k)
    return distances, np.array(retriever.ids_, dtype=object)[indices]


def assert_same(retriever, other, queries=Q, k=4):
    (distances, ids), (right_distances, right) = (
        answers(r, queries, k) for r in (retriever, other)
    )
    assert_array_equal(ids, right)
    assert_allclose(distances, right_distances, atol=1e-6)
    assert retriever.ids_ == other.ids_
    assert retriever.documents_ == other.documents_
    assert retriever.n_documents_ == other.n_documents_


def named(folder):
    """Files that the manifest names, and the manifest."""
    manifest = json.loads((folder / "index.json").read_bytes())
    return {"index.json", *(file["name"] for file in manifest["files"].values())}


def assert_no_other_files(folder):
    assert {path.name for path in folder.iterdir()} == named(folder)


def file_of(folder, kind):
    return folder / json.loads((folder / "index.json").read_bytes())["files"][kind]["name"]


def change_manifest(folder, change):
    path = folder / "index.json"
    manifest = json.loads(path.read_bytes())
    changed = change(manifest)
    path.write_text(json.dumps(manifest if changed is None else changed))


def aligner(pairs=PAIRS, **parameters):
    defaults = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner(**defaults | parameters).fit(pairs)


class Lenient(ToyEncoder):
    """Takes half a pair of surrogates, as real encoders do."""

    def encode(self, texts):
        return super().encode([text.encode("utf-8", "replace").decode() for text in texts])


# There and back


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_round_trip_of_embeddings(kind, scoring, tmp_path):
    retriever = of_kind(kind, scoring=scoring, hub_neighbors=4, temperature=0.1)
    retriever.fit(D, ids=IDS, query_bank=BANK).save_index(tmp_path / "new" / "index")
    folder = tmp_path / "new" / "index"
    assert_no_other_files(folder)
    opened = of_kind(kind, scoring=scoring, hub_neighbors=4, temperature=0.1)
    assert opened.open_index(folder, verify=True) is opened
    assert isinstance(opened._document_index.rows.blocks[0], np.memmap)
    assert opened.n_features_in_ == 8
    assert_same(opened, retriever)
    # Changes stay in memory, until they are saved where they came from.
    new = [f"new {i}" for i in range(9)]
    for each in (opened, retriever):
        each.add(Q[:9] + 0.1, ids=new).remove([*IDS[:40], "new 3"])
    assert_same(opened, retriever)
    assert isinstance(opened._document_index.rows.blocks[0], np.memmap)
    assert of_kind(kind, scoring="cosine").open_index(folder).ids_ == IDS
    before = named(folder)
    opened.save_index(folder)
    assert_no_other_files(folder)
    assert named(folder) & before == {"index.json"}
    assert_same(opened, retriever)
    again = of_kind(kind, scoring=scoring, hub_neighbors=4, temperature=0.1).open_index(folder)
    assert_same(again, retriever)
    assert len(again._document_index.rows.blocks) == 1
    assert len(again._document_index.rows.blocks[0]) == 268


@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_round_trip_of_texts(scoring, tmp_path):
    fitted = aligner(encoder=Lenient())
    texts = [*ENGLISH[:50], "two\nlines and a \u2028 5", "half of a pair \ud800 6", '"quoted" 7']
    retriever = CrossLingualRetriever(fitted.freeze(), scoring=scoring, n_neighbors=3)
    retriever.fit(texts, query_bank=KOREAN).save_index(str(tmp_path))
    # As a user keeps both: the aligner by pickle, the documents in the folder.
    other = pickle.loads(pickle.dumps(retriever.aligner_))
    opened = CrossLingualRetriever(other, scoring=scoring, n_neighbors=3).open_index(str(tmp_path))
    assert opened.documents_ == texts
    assert opened.aligner_ is other
    assert_same(opened, retriever, KOREAN[:9], 3)
    assert opened.search(KOREAN[4], 1)["text"].tolist() == [ENGLISH[4]]
    assert opened.add(["sentence number 77"]).search(KOREAN[77], 1)["id"].tolist() == [53]


def test_an_aligner_that_is_not_frozen_is_taken_as_it_is(tmp_path):
    fitted = aligner()
    CrossLingualRetriever(fitted.freeze()).fit(ENGLISH).save_index(tmp_path)
    opened = CrossLingualRetriever(fitted).open_index(tmp_path)
    assert opened.aligner_ is fitted
    assert opened.search(KOREAN[3], 1)["id"].tolist() == [3]


def test_an_aligner_of_arrays(tmp_path):
    encoder = ToyEncoder()
    X, Y = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    fitted = LinearAligner("procrustes").fit(X, Y)
    from sklearn.frozen import FrozenEstimator

    retriever = CrossLingualRetriever(FrozenEstimator(fitted)).fit(Y)
    retriever.save_index(tmp_path)
    assert_same(
        CrossLingualRetriever(FrozenEstimator(fitted)).open_index(tmp_path), retriever, X[:9]
    )
    other = FrozenEstimator(LinearAligner("procrustes").fit(X[:50], Y[:50]))
    with pytest.raises(ValueError, match="built with another aligner"):
        CrossLingualRetriever(other).open_index(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_another_scoring_is_that_of_a_fresh_fit(kind, scoring, tmp_path):
    of_kind(kind, scoring="margin").fit(D, query_bank=BANK).save_index(tmp_path)
    parameters = {"scoring": scoring, "hub_neighbors": 3, "temperature": 0.2}
    opened = of_kind(kind, **parameters).open_index(tmp_path)
    assert_same(opened, of_kind(kind, **parameters).fit(D, query_bank=BANK))


def test_the_manifest_has_what_the_index_was_built_with(tmp_path):
    for scoring in ("cosine", "csls"):
        retriever = CrossLingualRetriever(scoring=scoring, hub_neighbors=9, temperature=0.1)
        retriever.fit(D, query_bank=BANK).set_params(temperature=0.3, backend="hnswlib")
        retriever.save_index(tmp_path)
        manifest = json.loads((tmp_path / "index.json").read_bytes())
        hubs = {"scoring": "csls", "n_neighbors": 9, "temperature": 0.1}
        assert manifest["hubs"] == (None if scoring == "cosine" else hubs)
        assert (manifest["backend"], manifest["backend_params"]) == ("exact", {})
    of_kind("hnswlib").fit(D).save_index(tmp_path)
    manifest = json.loads((tmp_path / "index.json").read_bytes())
    params = {"M": 16, "ef_construction": 200, "ef": 300, "random_state": 0}
    assert manifest["backend_params"] == params


@pytest.mark.parametrize("later", [{"hub_neighbors": 1}, {"scoring": "inverted_softmax"}])
def test_parameters_that_were_set_after_the_fit_are_not_those_of_the_levels(later, tmp_path):
    retriever = CrossLingualRetriever(scoring="csls", hub_neighbors=9).fit(D, query_bank=BANK)
    retriever.set_params(**later).save_index(tmp_path)
    parameters = {"scoring": "csls", "hub_neighbors": 9} | later
    opened = CrossLingualRetriever(**parameters).open_index(tmp_path)
    assert_same(opened, CrossLingualRetriever(**parameters).fit(D, query_bank=BANK))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_an_empty_index_is_not_saved(kind, scoring, tmp_path):
    retriever = of_kind(kind, scoring=scoring).fit(D, query_bank=BANK).remove(range(300))
    with pytest.raises(ValueError, match="The index is empty, as all documents were removed"):
        retriever.save_index(tmp_path / "index")
    assert not (tmp_path / "index").exists()
    retriever.add(D[:150], ids=range(150)).save_index(tmp_path / "index")
    opened = of_kind(kind, scoring=scoring).open_index(tmp_path / "index", verify=True)
    assert_same(opened, of_kind(kind, scoring=scoring).fit(D[:150], query_bank=BANK))


@pytest.mark.parametrize(
    "parameters",
    [
        {"hub_neighbors": np.int64(3)},
        {"temperature": np.float32(0.1)},
        {"backend": "hnswlib", "backend_params": {"ef": np.int64(300)}},
    ],
)
def test_parameters_that_are_numbers_of_numpy(parameters, tmp_path):
    if "backend" in parameters:
        pytest.importorskip("hnswlib", reason="needs pip install langalign-sk[hnswlib]")
    retriever = CrossLingualRetriever(scoring="csls", **parameters).fit(D, query_bank=BANK)
    retriever.save_index(tmp_path)
    opened = CrossLingualRetriever(scoring="csls", **parameters).open_index(tmp_path)
    assert_same(opened, retriever)


@pytest.mark.parametrize("ids", [[(1, 2), "b"], [1.5, 2], [None, 1], [b"a", b"b"]])
def test_identifiers_that_no_folder_keeps(ids, tmp_path):
    retriever = CrossLingualRetriever(n_neighbors=1).fit(D[:2], ids=ids)
    assert retriever.search(D[:1])["id"].tolist() == ids[:1]
    with pytest.raises(TypeError, match="keeps str and int ids only"):
        retriever.save_index(tmp_path / "never-made")
    assert not (tmp_path / "never-made").exists()


# A save that fails


class Stop(BaseException):
    """Neither an Exception nor anything that a library would catch."""


@pytest.mark.parametrize("kind", ["exact", "flat", "hnswlib"])
@pytest.mark.parametrize("call", ["os.replace", "os.fsync"])
def test_a_save_that_fails_anywhere_leaves_the_old_index(kind, call, tmp_path, monkeypatch):
    old = of_kind(kind, scoring="csls").fit(D, query_bank=BANK)
    old.save_index(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    new = of_kind(kind, scoring="csls").fit(D[:100], query_bank=BANK[:20])
    whole, failed = getattr(os, call.removeprefix("os.")), 0
    for fails_at in range(10):
        calls = iter(range(100))

        def failing(*args, calls=calls, fails_at=fails_at):
            if next(calls) == fails_at:
                raise Stop
            return whole(*args)

        monkeypatch.setattr(call, failing)
        try:
            new.save_index(tmp_path)
        except Stop:
            failed += 1
        else:
            break
        now = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        if call == "os.replace" or now["index.json"] == before["index.json"]:
            assert now == before
    monkeypatch.undo()
    # Rows, documents, bank, level, a file of the backend, the manifest, and the folder with it.
    assert failed == (1 if call == "os.replace" else 6 + (kind != "exact"))
    assert_no_other_files(tmp_path)
    assert_same(of_kind(kind, scoring="csls").open_index(tmp_path, verify=True), new)


KILLED = """
import sys
import numpy as np
from langalign_sk import CrossLingualRetriever

rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
retriever = CrossLingualRetriever(scoring="csls").fit(rows, query_bank=rows[:500])
print("ready", flush=True)
while True:
    n = retriever.n_documents_
    retriever.remove(list(range(n - 50, n))) if n > 3500 else retriever.add(rows[n:])
    retriever.save_index(sys.argv[1])
"""


def test_a_process_that_is_killed_leaves_a_whole_index(tmp_path):
    rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
    for turn in range(3):
        command = [sys.executable, "-c", KILLED, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        while not (tmp_path / "index.json").exists():
            time.sleep(0.005)
        time.sleep(0.03 + 0.017 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        opened = CrossLingualRetriever(scoring="csls").open_index(tmp_path, verify=True)
        n = opened.n_documents_
        assert 3500 <= n <= 4000
        expected = CrossLingualRetriever(scoring="csls").fit(rows[:n], query_bank=rows[:500])
        assert_same(opened, expected, rows[:5])


# Damage


def saved(folder, kind="exact", scoring="csls"):
    of_kind(kind, scoring=scoring).fit(D, query_bank=BANK).save_index(folder)
    return folder


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
    before = answers(retriever)
    with pytest.raises(ValueError, match=re.escape(path.name)):
        retriever.open_index(folder, verify=True)
    if how == "flipped" and file == "rows":
        assert retriever.open_index(folder).n_documents_ == 300  # not read, as it is said
        return
    with pytest.raises(ValueError, match=re.escape(path.name)):
        retriever.open_index(folder)
    for now, then in zip(answers(retriever), before, strict=True):
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
    frozen = aligner().freeze()
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
    with pytest.raises(ValueError, match=r"index\.json' is damaged"):
        CrossLingualRetriever().open_index(tmp_path / "index")


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
    # Whoever can change a file can change its checksum.
    change_manifest(folder, lambda manifest: manifest["files"].update({file: _described(path)}))
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


# Another retriever


class Named(TextEncoder):
    """A model with an identity, as the handles of real ones have."""

    def __init__(self, name="toy", cache=None, verbose=False):
        self.name, self.cache, self.verbose = name, cache, verbose

    def _load(self):
        return Model(lambda texts, *_: ToyEncoder().encode(texts), 12, f"{self.name}@1")

    def _encode(self, model, texts):
        return model.encode(texts, None, 1)

    def _settings(self):
        return ""

    def _parameters(self):
        return {"name": self.name}


def test_another_aligner(tmp_path):
    CrossLingualRetriever(aligner().freeze()).fit(ENGLISH).save_index(tmp_path / "texts")
    CrossLingualRetriever().fit(D).save_index(tmp_path / "rows")
    others = aligner(PAIRS[:30]), aligner(method="procrustes"), aligner(output_space="target")
    japanese = [f"文のばんごう {i}" for i in range(200)]
    others += (aligner(list(zip(japanese, ENGLISH, strict=True)), target_lang="ja"),)
    for other in others:
        retriever = CrossLingualRetriever(other.freeze()).fit(ENGLISH[:20])
        before = retriever.search(ENGLISH[:3], 1)
        with pytest.raises(ValueError, match=r"built with another aligner.*saved beside the index"):
            retriever.open_index(tmp_path / "texts")
        assert retriever.search(ENGLISH[:3], 1).equals(before)
    with pytest.raises(ValueError, match="built with an aligner"):
        CrossLingualRetriever().open_index(tmp_path / "texts")
    with pytest.raises(ValueError, match="built without an aligner"):
        CrossLingualRetriever(aligner().freeze()).open_index(tmp_path / "rows")
    with pytest.raises(NotFittedError, match="open_index needs the fitted aligner"):
        CrossLingualRetriever(CrossLingualAligner()).open_index(tmp_path / "texts")


def test_another_encoder(tmp_path):
    frozen = aligner(encoder=Named("one")).freeze()
    CrossLingualRetriever(frozen).fit(ENGLISH).save_index(tmp_path)
    opened = CrossLingualRetriever(aligner(encoder=Named("one")).freeze()).open_index(tmp_path)
    assert opened.search(KOREAN[8], 1)["id"].tolist() == [8]
    with pytest.raises(ValueError, match=r"built with the encoder 'one@1'.*has 'two@1'"):
        CrossLingualRetriever(aligner(encoder=Named("two")).freeze()).open_index(tmp_path)


def test_other_parameters(tmp_path):
    saved(tmp_path / "cosine", scoring="cosine")
    with pytest.raises(ValueError, match=r'no query bank.*scoring="cosine"'):
        CrossLingualRetriever(scoring="csls").open_index(tmp_path / "cosine")
    with pytest.raises(ValueError, match="scoring must be one of"):
        CrossLingualRetriever(scoring="dot").open_index(tmp_path / "cosine")
    saved(tmp_path / "flat", "flat")
    for kind, folder, built, has in (
        ("exact", "flat", "backend='faiss'", "'exact'"),
        ("graph", "flat", "backend_params={'factory': 'Flat'}", "{'factory': 'HNSW"),
        ("flat", "cosine", "backend='exact'", "'faiss'"),
    ):
        match = f"was built with {re.escape(built)}, and the retriever has {re.escape(has)}"
        with pytest.raises(ValueError, match=match):
            of_kind(kind).open_index(tmp_path / folder)
    # What is written out is what is left to the default.
    default = CrossLingualRetriever(backend="faiss").open_index(tmp_path / "flat")
    assert default.n_documents_ == 300
    # How to search is left to whoever opens it.
    params = {"factory": "Flat", "search": ""}
    again = CrossLingualRetriever(backend="faiss", backend_params=params)
    assert again.open_index(tmp_path / "flat").n_documents_ == 300


def test_rows_of_another_width(tmp_path):
    folder = saved(tmp_path)
    retriever = CrossLingualRetriever(n_neighbors=1).fit(np.eye(3)).open_index(folder)
    assert retriever.n_features_in_ == 8
    assert retriever.kneighbors(D[:5])[1][:, 0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 8"):
        retriever.kneighbors(np.eye(3))

"""Saved indexes of the tests of index folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualAligner, CrossLingualRetriever
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


def saved(folder, kind="exact", scoring="csls"):
    of_kind(kind, scoring=scoring).fit(D, query_bank=BANK).save_index(folder)
    return folder

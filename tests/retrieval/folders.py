"""Saved indexes of the tests of index folders."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from tests.retrieval import references
from tests.retrieval.toy import of_kind

RNG = np.random.default_rng(0)
D, Q, BANK = (RNG.normal(size=(n, 8)).astype(np.float32) for n in (300, 12, 30))
IDS = [f"문서 {i}" if i % 2 else i for i in range(300)]


def assert_same(retriever, other, queries=Q, k=4):
    references.assert_same(retriever, other, queries, k)


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
    manifest = manifest if changed is None else changed
    if isinstance(manifest, dict):
        manifest["sha256"] = checksum(manifest)
    path.write_text(json.dumps(manifest))


def checksum(manifest):
    """Checksum of a manifest's fields, without those of files, which have their own."""
    fields = {name: manifest[name] for name in manifest if name not in ("sha256", "files")}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def rewrite(folder, kind, content):
    """Change a file, and what the manifest says about it."""
    path = file_of(folder, kind)
    path.write_bytes(content)
    described = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change_manifest(folder, lambda manifest: manifest["files"][kind].update(described))


def saved(folder, kind="exact", scoring="csls"):
    of_kind(kind, scoring=scoring).fit(D, query_bank=BANK).save_index(folder)
    return folder

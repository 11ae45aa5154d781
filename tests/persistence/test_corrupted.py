"""Damaged folders: refused, and nothing in them is executed."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk import (
    LinearAligner,
    load,
    save,
)
from tests.persistence.common import (
    CHECKED,
    MANIFEST,
    MODELS,
    X,
    Y,
    answer,
    change_manifest,
    checksum,
    described,
    manifest_of,
    only_in,
    places,
    restore,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def put(tree, path, value):
    for key in path[:-1]:
        tree = tree[key]
    if value is Ellipsis:
        del tree[path[-1]]
    else:
        tree[path[-1]] = copy.deepcopy(value)


WRONG = [None, True, -1, 0, 7, 10**6, 10**20, 1e308, float("inf"), float("nan"), "", "ko", "../x"]
WRONG += [[], [[]], [1, "a"], {}, {"a": 1}, {"$array": "coef_"}, {"$array": "x"}, {"$array": []}]
WRONG += [{"$diagonal": "coef_"}, {"$diagonal": "absent"}, {"$diagonal": 5}]
WRONG += [{"$eye": [6, "<f4"]}, {"$eye": [1e400, "<f4"]}, {"$eye": [10**9, "<f8"]}, {"$eye": 5}]
WRONG += [{"$object": "Path", "state": {}}, {"$object": "os.system", "state": {"x": 1}}]
WRONG += [{"$object": "LinearAligner", "state": {}}, {"$object": [], "state": []}]
WRONG += [{"$object": "Network", "state": {"coef": None, "intercept": None}}, {"$float": "x"}]
WRONG += [{"$tuple": 5}, {"$dict": []}, {"$names": [1]}, {"$given": "encoder"}, {"$given": "x"}]
WRONG += ["\ud800", "a" * 300, {"$dict": {"__class__": 1}}, {"$turned": "coef_"}]
REFUSALS = "damaged|missing|cut short|format version|holds no|would open|trust_remote_code=True"
NAMES = [
    "../x",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    "link",
    "a\\b",
    "C:x",
    "x\0",
    "\ud800",
    "n" * 300,
]
NAMES += ["README.md", MANIFEST, "nowhere", ".hidden", "a b"]


def damage(folder, rng, touched):
    """Damage a folder in one way; whether what is still loaded must be what was saved."""
    manifest = manifest_of(folder)
    files = manifest["files"]
    kind = str(rng.choice(list(files)))
    path = folder / files[kind]["name"]
    how = rng.choice(["bit", "cut", "lost", "wrong", "wrong", "name", "bytes", "pickle"])
    if how in ("bit", "cut"):
        path = path if rng.random() < 0.4 else folder / MANIFEST
        content = bytearray(path.read_bytes())
        at = int(rng.integers(len(content)))
        if how == "bit":
            content[at] ^= 1 << int(rng.integers(8))
        else:
            del content[at:]
        path.write_bytes(content)
        return True
    if how in ("lost", "wrong"):
        honest = rng.random() < 0.8
        where = list(places(manifest))
        at = where[rng.integers(len(where))]
        value = Ellipsis if how == "lost" else WRONG[rng.integers(len(WRONG))]
        change_manifest(folder, lambda manifest: put(manifest, at, value), honest)
        return not honest
    if how == "name":
        name = NAMES[rng.integers(len(NAMES))]
        (folder / "a").mkdir()
        (folder / "a" / "b").write_bytes(path.read_bytes())
        (folder.parent / "x").write_bytes(path.read_bytes())
        (folder / "link").symlink_to(folder.parent / "x")
        change_manifest(folder, lambda manifest: manifest["files"][kind].update(name=name))
        return True
    if how == "pickle":
        path.write_bytes(pickle.dumps(Evil(touched)))
    else:
        content = bytearray(path.read_bytes())
        for at in rng.integers(len(content), size=3):
            content[at] = rng.integers(256)
        path.write_bytes(content)
    change_manifest(folder, lambda manifest: manifest["files"].update({kind: described(path)}))
    return False


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("name", MODELS)
def test_damaged_folders_are_refused(name, models, tmp_path):
    rng = np.random.default_rng(MODELS.index(name))
    model, folder, touched = models[name], tmp_path / "parent" / "model", tmp_path / "touched"
    save(model, folder)
    right, refused = answer(load(folder)), 0
    assert_array_equal(right, answer(model))
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(200):
        whole = damage(folder, rng, touched)
        with only_in(folder):
            try:
                loaded = load(folder)
            except (FileNotFoundError, ValueError) as error:
                loaded, message = None, str(error)
        refused += loaded is None
        if loaded is None:
            assert re.search(REFUSALS, message)
        elif whole:
            assert_array_equal(answer(loaded), right)
        restore(folder, content)
    assert not touched.exists()
    assert refused > 150


@pytest.mark.parametrize("how", ["link", "large", "list", "version", "folder"])
def test_a_manifest_that_is_none(how, tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path / "model")
    path, match = tmp_path / "model" / MANIFEST, "is damaged"
    content = path.read_bytes()
    if how == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        match = "is a symbolic link, and links are not followed"
    elif how == "large":
        path.write_bytes(content + b" " * (1 << 24))
    elif how == "list":
        path.write_bytes(b"[]")
    elif how == "version":
        change_manifest(tmp_path / "model", lambda manifest: manifest.update(format_version=4))
        match = "has format version 4, and this langalign_sk reads version 1 or 2 or 3"
    else:
        path.unlink()
        path.mkdir()
        with pytest.raises(FileNotFoundError, match="holds no model"):
            load(tmp_path / "model")
        return
    with pytest.raises(ValueError, match=match):
        load(tmp_path / "model")


@pytest.mark.parametrize("depth", [100, 300, 500, 800, 950, 990, 2000, 100_000])
@pytest.mark.parametrize("node", ["[]", '{"$tuple": []}'])
def test_a_manifest_of_many_levels(depth, node, tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.update(estimator="here"))
    path, middle = tmp_path / MANIFEST, node.index("[") + 1
    nested = node[:middle] * depth + node[middle:] * depth
    text = path.read_text().replace('"here"', nested)
    fields = json.loads(path.read_bytes())
    plain = json.dumps({name: fields[name] for name in CHECKED}, sort_keys=True)
    digest = hashlib.sha256(plain.replace('"here"', nested).encode()).hexdigest()
    path.write_text(text.replace(fields["sha256"], digest))
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_change_of_no_effect(tmp_path):
    fitted = LinearAligner("ridge", alpha=1.0).fit(X, Y)
    save(fitted, tmp_path)
    change_manifest(tmp_path, lambda m: m.update(written_by="me", note=[1]), honest=False)
    (tmp_path / "README.md").unlink()
    assert_array_equal(load(tmp_path).transform(X), fitted.transform(X))


def test_the_checksum_of_the_manifest_is_that_of_its_fields(tmp_path):
    save(LinearAligner("ridge", alpha=1.0).fit(X, Y), tmp_path)
    manifest = manifest_of(tmp_path)
    assert manifest["sha256"] == checksum({name: manifest[name] for name in CHECKED})
    for file in manifest["files"].values():
        content = (tmp_path / file["name"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    change_manifest(tmp_path, lambda m: m["estimator"]["state"].update(alpha=2.0), honest=False)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)

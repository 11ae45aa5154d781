"""Models that tests of saving share, and what is the same before and after."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from langalign_sk import (
    CrossLingualAligner,
    CrossLingualRetriever,
    load,
    save,
)
from langalign_sk.classifier import AlignedClassifier
from tests.retrieval.folders import checksum as index_checksum
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

MANIFEST = "langalign_sk.json"
# Fields of the manifest that its checksum is of: a part of format 1.
CHECKED = ("kind", "given", "estimator", "index")
FORMAT_1 = Path(__file__).parent / "saved_format_1"
BEGIN, END = "<!-- langalign_sk: begin -->", "<!-- langalign_sk: end -->"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 6)).astype(np.float32)
Y = (X @ np.linalg.qr(RNG.normal(size=(6, 6)))[0] + 0.1 * RNG.normal(size=X.shape)).astype("f4")
ONE_EPOCH = {"max_epochs": 1}
MODELS = ("ridge", "contrastive", "adapter", "linear", "retriever", "views")
MIXED = [*KOREAN[:5], *ENGLISH[5:9]]
LABELS = np.array(["a", "b", "c"])[Y[:, :3].argmax(axis=1)]


def aligner(pairs=PAIRS, **parameters):
    defaults = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner(**defaults | parameters).fit(pairs)


def classifier(**parameters):
    """AlignedClassifier of a head on English rows, calibrated on target rows."""
    map_ = CrossLingualAligner(method="ridge", alpha=1.0, encoder="use-multilingual").fit(X, Y)
    defaults = {"calibration": "temperature", "class_prior": [1.0, 1.0, 2.0]}
    head = LogisticRegression().fit(Y, LABELS)
    return AlignedClassifier(head, map_.freeze(), **defaults | parameters).fit(X, LABELS)


def there_and_back(estimator, folder, **objects):
    """The estimator as it is saved and loaded again."""
    save(estimator, folder)
    again = load(folder, **objects)
    assert type(again) is type(estimator)
    assert_no_other_files(folder)
    return again


def manifest_of(folder):
    return json.loads((folder / MANIFEST).read_bytes())


def assert_no_other_files(folder):
    named = {file["name"] for file in manifest_of(folder)["files"].values()}
    assert {path.name for path in folder.iterdir()} == {MANIFEST, "README.md", *named}


def assert_same_parameters(one, other, without=()):
    one, other = one.get_params(deep=False), other.get_params(deep=False)
    assert one.keys() == other.keys()
    for name in one.keys() - set(without):
        assert repr(one[name]) == repr(other[name])


def assert_same_report(one, other):
    assert str(one) == str(other)
    assert repr(one) == repr(other)


def checksum(fields):
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def described(path):
    """Entry of a file in the manifest."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"name": path.name, "size": len(content), "sha256": digest}


def seal(fields):
    """Repair the checksum of the fields of a manifest, of a model or of an index."""
    of_model = {*CHECKED} <= {*fields}
    fields["sha256"] = (
        checksum({name: fields[name] for name in CHECKED}) if of_model else index_checksum(fields)
    )


def places(node, path=()):
    """All places in a tree of JSON."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def change_manifest(folder, change, honest=True):
    """Change a manifest and, if `honest`, its checksum too."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_bytes())
    change(manifest)
    if honest and isinstance(manifest, dict) and set(CHECKED) <= set(manifest):
        seal(manifest)
    path.write_text(json.dumps(manifest))


# Events of the interpreter: changes of files, and what runs code or opens connections.
_ON_FILES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
)
_RUN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess",
    "pickle.",
    "socket.",
    "ctypes.",
)
_opened: list[str] | None = None


def _hear(event, args):
    if _opened is None:
        return
    if event == "open" or event in _ON_FILES:
        _opened.append(str(args[0]))
    elif event in ("exec", "marshal.loads") or event.startswith(_RUN):
        _opened.append(event)


@contextmanager
def only_in(folder):
    """Assert that only files of the folder are opened, and that no pickle is read."""
    global _opened
    if not getattr(_hear, "installed", False):
        sys.addaudithook(_hear)  # there is no way to remove one
        _hear.installed = True
    repr(LogisticRegression())  # scikit-learn imports what a message with an estimator needs
    _opened = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("load", "loads", "Unpickler"):
            patch.setattr(pickle, name, no_pickle)
        try:
            yield
            heard = _opened
        finally:
            _opened = None
    outside = [path for path in heard if not Path(path).is_relative_to(folder)]
    assert not outside


def no_pickle(*args, **kwargs):
    raise AssertionError("a pickle was to be read")


def answer(model):
    """Rows that show whether one of the small models is whole."""
    if isinstance(model, CrossLingualRetriever):
        queries = X[:5] if len(model.report_.views) == 1 else [X[:5], Y[:5]]
        return np.concatenate(model.kneighbors(queries, 2))
    moved = model.transform(X[:5])
    return np.concatenate([moved, model.inverse_transform(moved)], axis=1)


def restore(folder, content):
    """Put the files of a folder back, and remove all others."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif path.name not in content or path.is_symlink():
            path.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)

"""Attack on folders of models and indexes: changed at random, and repaired so that checksums hold.

``python -m tests.persistence.attack 2600`` prints how the folders ended: refused with a clear error,
harmless, or with other numbers, which are finite. It raises for any other end: another kind of
error, an answer that is not finite, a file outside of the folder, a connection, code of a file, or
more memory. The models and indexes are of all kinds, backends and format versions.
"""

from __future__ import annotations

import copy
import io
import json
import os
import resource
import shutil
import socket
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as content_of
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from langalign_sk import (
    AdapterAligner,
    CrossLingualAligner,
    CrossLingualRetriever,
    KernelRidgeClassifier,
    LinearAligner,
    SentenceEncoder,
    load,
    save,
)
from langalign_sk.encoders import EndpointEncoder
from tests.persistence.common import LABELS, X, Y, classifier, described, only_in, places, seal

MEMORY = 512 << 20  # resident
SPACE = 1 << 30  # of addresses, beyond those of the process with all models
TEXTS = ["good day", "bad day", "good night", "bad night"] * 20
# Parameters of the indexes, by the name of the backend and of the format version.
INDEXES = {
    "exact, 1": {},
    "exact, 2": {"aligner": [None, None], "centre": True},
    "exact, 3": {},
    "faiss, 1": {"backend": "faiss"},
    "faiss HNSW, 2": {
        "backend": "faiss",
        "backend_params": {"factory": "HNSW8"},
        "aligner": [None, None],
    },
    "faiss IVF, 3": {"backend": "faiss", "backend_params": {"factory": "IVF2,Flat"}},
    "hnswlib, 1": {"backend": "hnswlib"},
    "hnswlib, 2": {"backend": "hnswlib", "aligner": [None, None], "centre": True},
    "hnswlib, 3": {"backend": "hnswlib"},
}
ENDPOINT = {"name": "m", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "HOME"}
LEAST = {"dimensions": None, "prompt": None, "batch_size": 1, "max_retries": 0, "timeout": 1.0}
VALUES = [
    None,
    True,
    False,
    -1,
    0,
    1,
    7,
    2**31,
    2**63,
    10**30,
    1e308,
    -1e308,
    1e-320,
    "",
    "ko",
    "x/y",
]
VALUES += ["/etc", "../x", "~", "a" * 300, "\ud800", "\0", [], [[]], {}, [1, "a"], {"a": 1}]
VALUES += [{"$eye": [16384, "<f8"]}, [{"$eye": [4096, "<f8"]}] * 12, {"$diagonal": "coef_"}]
VALUES += [{"$array": "coef_"}, {"$turned": "coef_"}, {"$array": []}, {"$float": "nan"}]
VALUES += [{"$float": "inf"}, {"$tuple": [1]}, {"$dict": {"checkpoint": "/x"}}, {"$names": ["a"]}]
VALUES += [{"$object": "EndpointEncoder", "state": {**ENDPOINT, **LEAST, "cache": None}}]
VALUES += [{"$object": "SentenceEncoder", "state": {**vars(SentenceEncoder("/etc"))}}]
VALUES += [{"$object": "LinearAligner", "state": {}}, {"$object": "Pipeline", "state": {}}]
VALUES += [{"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode", "__id__": 1}]
VALUES += [{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 1}]
NUMBERS = [np.nan, np.inf, -np.inf, 1e308, -1e308, 0.0, 1.0]


def models():
    """Small models and indexes, each with a function that opens it and one that asks it."""
    ridge = CrossLingualAligner(method="ridge", alpha=1.0, encoder="x/y", random_state=0).fit(X, Y)
    named = CrossLingualAligner(method="ridge", alpha=1.0, encoder=SentenceEncoder()).fit(X, Y)
    endpoint = CrossLingualAligner(method="ridge", alpha=1.0, encoder=EndpointEncoder(**ENDPOINT))
    linear = LinearAligner("spectral", alpha=1.0, shared=True).fit(X, Y)
    adapter = AdapterAligner(adapter_dim=6, max_epochs=1, random_state=0).fit(X, Y)
    of_one = CrossLingualRetriever(ridge.freeze(), scoring="csls", n_neighbors=3)
    of_two = CrossLingualRetriever([FrozenEstimator(linear), None], scoring="csls", centre=True)
    heads = LogisticRegression(), KernelRidgeClassifier(), SVC()
    yield "aligner", ridge
    yield "handle", named
    yield "endpoint", endpoint.fit(X, Y)
    yield "linear", linear
    yield "adapter", adapter
    yield "retriever", of_one.fit(Y[:30], query_bank=X)
    yield "views", of_two.fit([Y[:30], X[:30]], query_bank=[X, Y])
    yield "classifier", classifier()
    for head in heads:
        pipeline = make_pipeline(named.freeze(), head).fit(X, LABELS)
        yield f"pipeline of {type(head).__name__}", pipeline
    yield (
        "pipeline of texts",
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS),
    )
    for name, parameters in INDEXES.items():
        with suppress(ImportError):
            index = CrossLingualRetriever(scoring="csls", n_neighbors=3, **parameters)
            two = "aligner" in parameters
            ids = [(i, "a") for i in range(30)] if name.endswith("3") else None
            index.fit([Y[:30], X[:30]] if two else Y[:30], ids=ids, query_bank=[X, Y] if two else X)
            yield f"index of {name}", index
            if not name.endswith("1"):
                yield f"retriever of {name}", index


def is_index(name):
    return name.startswith("index of")


def opened(name, folder, model):
    if not is_index(name):
        return load(folder)
    return clone(model).open_index(folder, verify=True)


def answers(model):
    """Rows that a model answers."""
    if isinstance(model, CrossLingualRetriever):
        queries = X[:5] if len(model.report_.views) == 1 else [X[:5], Y[:5]]
        return np.concatenate([np.asarray(part, float) for part in model.kneighbors(queries, 2)])
    if isinstance(getattr(model, "steps", [(None, None)])[0][1], TfidfVectorizer):
        if len(model.steps) == 1:  # a change may take the head
            return model.transform(TEXTS[:4]).toarray()
        return model.predict_proba(TEXTS[:4])
    if hasattr(model, "decision_function") and not hasattr(model, "predict_proba"):
        return model.decision_function(X[:5])
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X[:5])
    moved = model.transform(X[:5])
    return np.concatenate([moved, model.inverse_transform(moved)], axis=1)


def change_tree(tree, rng):
    """Set, remove or add one value somewhere in a tree of JSON."""
    where = [*places(tree)]
    path = where[rng.integers(len(where))]
    for key in path[:-1]:
        tree = tree[key]
    value = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    how = rng.integers(6)
    if how == 0:
        del tree[path[-1]]
    elif how == 1 and isinstance(tree, dict):
        tree["zz"] = value
    elif how == 2 and isinstance(tree, dict) and where:
        tree[path[-1]] = [value] * 3
    else:
        tree[path[-1]] = value


def change_array(array, rng):
    """Another number in an array, or another shape or type."""
    array, how = np.array(array), rng.integers(6)
    if how < 3 and array.size and array.dtype.kind in "fiub":
        number = NUMBERS[rng.integers(len(NUMBERS))]
        with np.errstate(all="ignore"):
            array.flat[rng.integers(array.size)] = np.array(number).astype(array.dtype)
    elif how == 3 and array.ndim:
        array = array[:-1]
    elif how == 4:
        array = array.ravel()
    elif array.dtype.kind in "fiub":
        array = array.astype(["<f8", "<f4", "<i8", "u1"][rng.integers(4)])
    return array


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def change_zip(content, rng):
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    name = [*parts][rng.integers(len(parts))] if rng.random() < 0.3 else "schema.json"
    if name == "schema.json":
        schema = json.loads(parts[name])
        change_tree(schema, rng)
        parts[name] = json.dumps(schema).encode()
    elif name.endswith(".npy"):
        parts[name] = npy(change_array(np.load(io.BytesIO(parts[name])), rng))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part, data in parts.items():
            new.writestr(part, data)
    return out.getvalue()


def change_bytes(content, rng):
    """Other bytes, often among the first, where a header is; or fewer of them."""
    changed = bytearray(content)
    if rng.random() < 0.1:
        return bytes(changed[: rng.integers(len(changed))])
    last = min(len(changed), 96) if rng.random() < 0.5 else len(changed)
    for at in rng.integers(last, size=rng.integers(1, 5)):
        changed[at] = rng.choice([0, 1, 127, 255, rng.integers(256)])
    return bytes(changed)


def replace_file(path, rng):
    """Put a link, a pipe with a name, or a folder in the place of a file."""
    path.unlink()
    how = rng.integers(4)
    if how == 0:
        path.symlink_to("/dev/zero")
    elif how == 1:
        path.symlink_to("/etc/hostname")
    elif how == 2:
        os.mkfifo(path)
    else:
        path.mkdir()


def damage(folder, rng):
    """Change a folder in one way, and repair its checksums."""
    (manifest,) = (path for path in folder.glob("*.json"))
    fields = json.loads(manifest.read_bytes())
    if rng.random() < 0.5:
        change_tree(fields, rng)
    else:
        kind = str(rng.choice([*fields["files"]]))
        file = fields["files"][kind]
        path = folder / file["name"]
        content = path.read_bytes()
        if rng.random() < 0.04:
            replace_file(path, rng)
            return
        if rng.random() < 0.15:
            content = change_bytes(content, rng)
        elif path.suffix == ".safetensors" and arrays_of(content):
            arrays = arrays_of(content)
            name = str(rng.choice([*arrays]))
            arrays[name] = np.ascontiguousarray(change_array(arrays[name], rng))
            content = content_of(arrays)
        elif path.suffix == ".skops":
            content = change_zip(content, rng)
        elif path.suffix == ".npy":
            content = npy(change_array(np.load(io.BytesIO(content)), rng))
        else:
            content = change_bytes(content, rng)
        path.write_bytes(content)
        file.update(described(path))
    seal(fields)
    if manifest.name == "index.json" and rng.random() < 0.1:  # the first releases wrote none
        del fields["sha256"]
    manifest.write_text(json.dumps(fields))


def refused(*args, **kwargs):
    raise AssertionError("a connection was to be opened")


def attack(n, seed=0):
    """Ends of n changed folders, by kind of model and end."""
    rng, ends, failures = np.random.default_rng(seed), Counter(), []
    socket.socket.connect = socket.socket.connect_ex = refused
    with tempfile.TemporaryDirectory() as place:
        whole, made = {}, dict(models())
        for name, model in made.items():
            folder = Path(place, name, "folder")
            (model.save_index if is_index(name) else lambda f, m=model: save(m, f))(folder)
            if name == "endpoint":
                whole[name] = (folder, None)
                continue
            whole[name] = (folder, answers(opened(name, folder, model)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _limit_space()
        for i in range(n):
            name = [*made][i % len(made)]
            folder, right = whole[name]
            changed = Path(place, "changed")
            shutil.copytree(folder, changed)
            damage(changed, rng)
            try:
                ends[name, _end(name, changed, made[name], right, (i, seed))] += 1
            except AssertionError as error:
                failures.append(str(error))
            shutil.rmtree(changed)
        used = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if used > MEMORY:
        failures.append(f"{used >> 20} MiB more were used")
    if failures:
        raise AssertionError("\n".join([f"{len(failures)} failures", *failures[:40]]))
    return ends, used


def _limit_space():
    """Let this process have no more addresses than it has, and a given number."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _end(name, folder, model, right, which):
    try:
        with only_in(folder), warnings.catch_warnings():
            loaded = opened(name, folder, model)
    except (ValueError, FileNotFoundError) as error:
        if (
            type(error) is not FileNotFoundError
            and "folder" not in str(error)
            and str(folder) not in str(error)
        ):
            raise AssertionError(f"{which} {name}: an unclear error: {error}") from error
        return "refused"
    except Exception as error:
        raise AssertionError(f"{which} {name}: {type(error).__name__}: {error}") from error
    if right is None:
        if isinstance(loaded.encoder, EndpointEncoder):
            raise AssertionError(f"{which} {name}: an endpoint was loaded")
        return "harmless"
    try:
        with only_in(folder):
            now = answers(loaded)
    except Exception as error:
        raise AssertionError(f"{which} {name}: {type(error).__name__}: {error}") from error
    if not np.isfinite(now).all():
        raise AssertionError(f"{which} {name}: an answer that is not finite")
    same = now.shape == right.shape and np.array_equal(now, right)
    return "harmless" if same else "other numbers"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found, extra = attack(int(sys.argv[1]), *map(int, sys.argv[2:3]))
    for (kind, end), count in sorted(found.items()):
        print(f"{kind:30} {end:15} {count:6}")
    print(f"{sum(found.values())} folders, {extra >> 20} MiB more at most")

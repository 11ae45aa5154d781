"""What is fuzzed: a function of bytes per reader, which raises where a promise is broken.

A case is a file of ``cases/TARGET``. For readers, the suffix of its name is that of the format.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from langalign_sk import CrossLingualRetriever, LinearAligner, ParallelCorpus, load, save
from langalign_sk.encoders import FolderCache
from langalign_sk.languages import LanguageRouter
from langalign_sk.service import ServiceLimits, create_app
from tests.persistence.common import MANIFEST, described, only_in, seal
from tests.service.toy import Greeter

CASES = Path(__file__).parent / "cases"
SUFFIXES = (".tsv", ".csv", ".jsonl", ".json", ".tmx", ".tsv.gz", ".csv.zip")
LANGUAGES = ("ko", "ja", "zh")
FORMS = (None, "auto", "html", "NFKC")
LIMITS = ServiceLimits(max_body_bytes=5_000, max_rows=8, max_letters=100)
REFUSED = (FileNotFoundError, ValueError)
MEMORY = 2**29  # that a load may take
STATM = Path("/proc/self/statm")
_RNG = np.random.default_rng(0)
X, Y = (_RNG.normal(size=(20, 3)).astype(np.float32) for _ in range(2))
TEXTS = [f"text {i}" for i in range(12)]


def readers(data: bytes, suffix: str = ".tsv") -> None:
    """A file of pairs is read, or refused by a ValueError."""
    file = io.BytesIO(data)
    file.name = f"pairs{suffix}"
    try:
        corpus = ParallelCorpus.read(file, "ko")
    except ValueError:
        return
    assert corpus.n_pairs == len(corpus.target) == len(corpus.source) > 0
    assert all(type(text) is str for text in (*corpus.target, *corpus.source))


def routing(data: bytes) -> None:
    """Every row has a declared language, which does not depend on the rows beside it."""
    texts = data.decode("utf-16-le", "surrogatepass").split("\0") if len(data) % 2 == 0 else []
    for form in FORMS:
        router = LanguageRouter(LANGUAGES, on_unknown="english", normalize=form)
        codes, known = router(texts), router.identify(texts)
        assert len(codes) == len(known) == len(texts)
        assert set(codes) <= {"en", *LANGUAGES}
        assert all(code in (None, served) for code, served in zip(known, codes, strict=True))
        assert known == [router.identify([text])[0] for text in texts]


@cache
def _client() -> Any:
    from fastapi.testclient import TestClient

    return TestClient(create_app(Greeter(fails_on="poison"), limits=LIMITS, warm_up=()))


def service(data: bytes) -> None:
    """A body is answered row by row, or refused with a detail; nothing is an error of the server."""
    with _client() as client:
        headers = {"Content-Type": "application/json"}
        response = client.post("/predict", content=data, headers=headers)
        assert client.get("/health").status_code == 200
    out = response.json()
    if response.status_code != 200:
        assert response.status_code in (413, 422)
        assert list(out) == ["detail"]
        return
    n = len(json.loads(data)["texts"])
    assert sorted(out) == ["errors", "labels", "quality", "review"]
    assert all(len(values) == n for values in out.values())
    for label, quality, review, error in zip(
        *(out[key] for key in ("labels", "quality", "review", "errors")), strict=True
    ):
        assert 0 <= quality <= 1
        assert error is None or (label is None and quality == 0 and review)


# Folders: a case is a list of edits, see `edited`


@cache
def _saved_model() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        save(LinearAligner("ridge", alpha=1.0).fit(X, Y), folder)
        load(folder)  # whatever is imported late is imported
        return _contents(folder)


@cache
def _saved_index() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _retriever().save_index(folder)
        _retriever().open_index(folder).kneighbors(X[:3], 2)
        return _contents(folder)


@cache
def _saved_rows() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _rows_of(folder)
        return _contents(folder)


def _contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@contextmanager
def little_memory() -> Iterator[None]:
    """Let the process take half a gigabyte more than it has; MemoryError beyond."""
    if resource is None or not STATM.exists():
        yield
        return
    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(STATM.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def folders(data: bytes) -> None:
    """A model is refused, or is loaded and moves rows to finite ones.

    Nothing is executed, nothing outside is opened, and little memory is needed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        edited(folder, _saved_model(), MANIFEST, data)
        with little_memory():
            with only_in(folder):
                try:
                    model = load(folder)
                except REFUSED:
                    return
            rows = np.random.default_rng(0).normal(size=(5, model.n_features_in_))
            moved = model.transform(rows.astype(np.float32))
    assert moved.ndim == 2
    assert len(moved) == len(rows)
    assert np.isfinite(moved).all()


def indexes(data: bytes) -> None:
    """An index is opened and finds rows that it has, or is refused and changes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        edited(folder, _saved_index(), "index.json", data)
        retriever = _retriever()
        before = retriever.kneighbors(X[:3], 2)
        with little_memory(), only_in(folder):
            try:
                retriever.open_index(folder)
            except REFUSED:
                after = retriever.kneighbors(X[:3], 2)
                assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
                return
        distances, places = retriever.kneighbors(X[:3], 2)
        hits = retriever.search(X[:3], 2)
    assert distances.shape == places.shape == (3, 2)
    assert np.isfinite(distances).all()
    assert ((places >= 0) & (places < len(X))).all()
    assert len(hits) == 6
    assert np.isfinite(hits["score"].to_numpy(dtype=float)).all()


def _retriever() -> CrossLingualRetriever:
    return CrossLingualRetriever().fit(X, ids=[f"d{i}" for i in range(len(X))])


def cache_of_rows(data: bytes) -> None:
    """Rows are the right ones, whatever became of the database; or it is of another format."""
    with tempfile.TemporaryDirectory() as folder:
        edited(Path(folder), _saved_rows(), None, data)
        for _ in range(2):  # from what is there, and from what was kept
            try:
                rows = _rows_of(folder)
            except ValueError as error:
                if "has format" not in str(error):
                    raise
                return
            assert np.array_equal(rows, _true_rows(TEXTS))


def _rows_of(folder: str) -> Any:
    return FolderCache(folder).rows("encoder", TEXTS, 4, _true_rows, 5)


def _true_rows(texts: list[str]) -> Any:
    digests = b"".join(hashlib.sha256(text.encode()).digest()[:8] for text in texts)
    return np.frombuffer(digests, dtype="<i2").reshape(-1, 4).astype(np.float32)


def edited(folder: Path, content: dict[str, bytes], manifest: str | None, data: bytes) -> None:
    """Write files with the edits of a case, and repair sizes and checksums.

    An edit is ``{"path": [...], "value": ...}``, a value of the manifest, or ``{"file": i, "at": n,
    "bytes": hex, "cut": bool}``, bytes of the i-th file.
    """
    for name, old in content.items():
        (folder / name).write_bytes(old)
    edits = json.loads(data)
    for edit in edits:
        if "file" in edit:
            name = sorted(content)[edit["file"] % len(content)]
            old = bytearray((folder / name).read_bytes())
            new, at = bytes.fromhex(edit["bytes"]), edit["at"] % (len(old) + 1)
            old[at : None if edit["cut"] else at + len(new)] = new
            (folder / name).write_bytes(old)
    if manifest is None:
        return
    # What is left of the manifest may name no file, or be none.
    with suppress(ValueError, RecursionError, AttributeError, TypeError, OSError):
        fields = json.loads((folder / manifest).read_bytes())
        for file in fields["files"].values():
            file.update(described(folder / file["name"]))
        for edit in edits:
            if "path" in edit:
                _put(fields, edit["path"], edit["value"])
        if "sha256" in fields:
            seal(fields)
        (folder / manifest).write_text(json.dumps(fields))


def _put(tree: Any, path: list[Any], value: Any) -> None:
    *above, last = path
    with suppress(LookupError, TypeError):  # another edit took the place away
        for key in above:
            tree = tree[key]
        tree[last] = value


def places(node: Any, path: tuple = ()) -> Iterator[tuple]:
    """All places in a tree of JSON."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def places_in(target: str) -> list[list[Any]]:
    """Places in the manifest of a saved model or index."""
    content = _saved_model()[MANIFEST] if target == "folders" else _saved_index()["index.json"]
    return [list(place) for place in places(json.loads(content))]


TARGETS: dict[str, Callable[..., None]] = {
    "readers": readers,
    "folders": folders,
    "indexes": indexes,
    "cache": cache_of_rows,
    "service": service,
    "routing": routing,
}


@contextmanager
def kept(target: str, data: bytes, suffix: str = "") -> Iterator[None]:
    """Keep the case that fails in the block; the smallest one is the last."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    except Exception as error:
        path = CASES / target / f"found{suffix}"
        with suppress(OSError):
            path.write_bytes(data)
            error.add_note(
                f"The case is in {path}. Rename it by what is wrong in it, and mend that."
            )
        raise

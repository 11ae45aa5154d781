"""A saved index: a manifest and plain files beside it, replaced all at once."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .backends import make_index
from .exact import Rows
from .hubs import Hubs

__all__ = ["read_index", "write_index"]

_MANIFEST = "index.json"
_VERSION = 1
_CHUNK = 1 << 22
_PROBED = 16
_HUBS = ("scoring", "hub_neighbors", "temperature")


def write_index(retriever: Any, folder: str | os.PathLike[str]) -> None:
    """Write all files under new names, then let the manifest name them, then drop the old ones."""
    for key in retriever.ids_:
        if not isinstance(key, str | int):
            raise TypeError(
                f"The id {key!r} is {type(key).__name__}; a saved index keeps str and int ids only."
            )
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    before = set(_names(folder))
    token = secrets.token_hex(4)
    files: dict[str, dict[str, Any]] = {}

    def write(kind: str, suffix: str, parts: Iterable[bytes]) -> None:
        files[kind] = _write(folder / f"{kind}-{token}.{suffix}", parts)

    rows, hubs = retriever._rows, retriever._hubs
    try:
        write("rows", "npy", _npy(_live(rows), (retriever.n_documents_, rows.width)))
        write("documents", "jsonl", _lines(retriever.ids_, retriever.documents_))
        if hubs is not None:
            level = hubs.level[rows.alive]
            write("bank", "npy", _npy([hubs.bank], hubs.bank.shape))
            write("level", "npy", _npy([level], level.shape))
        index = retriever._index
        if index.file is not None:
            if not rows.alive.all():  # positions without the removed rows
                index = make_index(retriever.backend, retriever.backend_params)
                index.build(Rows([np.concatenate(list(_live(rows)))]))
            path = folder / f"{index.file}-{token}.bin"
            index.write(os.fspath(path))
            files[index.file] = _described(path)
        manifest = {
            "format": "langalign_sk retrieval index",
            "format_version": _VERSION,
            "n_documents": retriever.n_documents_,
            "width": rows.width,
            "is_text": retriever.documents_ is not None,
            "backend": retriever.backend,
            "backend_params": retriever.backend_params,
            **{name: getattr(retriever, name) for name in _HUBS},
            "aligner": _signature(retriever.aligner_),
            "files": files,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        _write(folder / f"{_MANIFEST}-{token}", [text.encode()])
        os.replace(folder / f"{_MANIFEST}-{token}", folder / _MANIFEST)
    except BaseException:
        for path in folder.glob(f"*-{token}*"):
            path.unlink()
        raise
    for name in before:
        with suppress(OSError):  # another process may have it open, where that forbids to delete
            (folder / name).unlink()


def read_index(retriever: Any, folder: str | os.PathLike[str], verify: bool) -> Any:
    """Fill a retriever from a folder, once everything in it was found to be right."""
    folder = Path(folder).expanduser()
    index = retriever._check_parameters()
    manifest = _manifest(folder)
    aligner = retriever.aligner
    if aligner is not None:
        check_is_fitted(
            aligner,
            msg="open_index needs the fitted aligner that the index was built with, and this "
            "%(name)s is not fitted. Pass the one you saved beside the index, such as "
            "aligner=retriever.aligner_.",
        )
    if manifest["backend"] != retriever.backend:
        raise ValueError(
            f"The index in {str(folder)!r} has backend={manifest['backend']!r}, and the retriever has "
            f"{retriever.backend!r}: use the same."
        )
    _compare_signatures(manifest["aligner"], _signature(aligner), folder)
    files, n, width = manifest["files"], manifest["n_documents"], manifest["width"]
    for kind, file in files.items():
        _check_file(folder, file, verify or kind != "rows")
    array = _load(folder, files["rows"], mmap_mode="r")
    _check_shape(array, (n, width), folder)
    ids, texts = _read_lines(folder / files["documents"]["name"], n, manifest["is_text"])
    rows = Rows([array])
    hubs = _read_hubs(retriever, manifest, folder, rows)
    if index.file is None:
        index.build(rows)
    elif index.file not in files or manifest["backend_params"] != retriever.backend_params:
        raise ValueError(
            f"The index in {str(folder)!r} was built with backend_params="
            f"{manifest['backend_params']!r}: use the same."
        )
    else:
        index.read(os.fspath(folder / files[index.file]["name"]), rows)
    if hubs is not None:
        hubs.activate(index)
    if aligner is None:
        retriever.n_features_in_ = width
    retriever.aligner_, retriever._rows = aligner, rows
    retriever._index, retriever._hubs = index, hubs
    retriever._set_documents(ids, texts)
    return retriever


def _read_hubs(retriever: Any, manifest: dict[str, Any], folder: Path, rows: Rows) -> Hubs | None:
    if retriever.scoring == "cosine":
        return None
    files = manifest["files"]
    if "bank" not in files:
        raise ValueError(
            f"The index in {str(folder)!r} has no query bank, which scoring={retriever.scoring!r} "
            'needs: open it with scoring="cosine", or build it anew.'
        )
    bank = _load(folder, files["bank"])
    _check_shape(bank, (len(bank), rows.width), folder)
    hubs = retriever._empty_hubs(bank)
    if all(manifest[name] == getattr(retriever, name) for name in _HUBS):
        hubs.level = _load(folder, files["level"])
        _check_shape(hubs.level, (len(rows.alive),), folder)
    else:
        hubs.append(rows.blocks[0])
    return hubs


def _names(folder: Path) -> list[str]:
    """Files of the index that is in the folder, if there is a readable one."""
    try:
        manifest = _manifest(folder)
    except (OSError, ValueError):
        return []
    return [file["name"] for file in manifest["files"].values()]


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(folder)!r} holds no index (no {_MANIFEST}): save_index makes one."
        )
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["format_version"]
        if version != _VERSION:
            raise ValueError(
                f"{str(path)!r} has format version {version!r}, and this langalign_sk reads version "
                f"{_VERSION}: install the release that wrote it, or build the index anew."
            )
        n, width, files = manifest["n_documents"], manifest["width"], manifest["files"]
        right = (
            isinstance(n, int) and isinstance(width, int) and {"rows", "documents"} <= set(files)
        )
        right = right and all(
            isinstance(f["size"], int)
            and isinstance(f["sha256"], str)
            and f["name"] == Path(f["name"]).name
            for f in files.values()
        )
        right = right and {*_HUBS, "backend", "backend_params", "aligner", "is_text"} <= set(
            manifest
        )
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError):
        right = False
    if not right:
        raise ValueError(f"{str(path)!r} is damaged. Build the index anew, or copy it again.")
    return manifest


def _check_file(folder: Path, file: dict[str, Any], verify: bool) -> None:
    path = folder / file["name"]
    if not path.is_file() or path.is_symlink():
        raise ValueError(f"{str(path)!r}, a part of the index, is missing. Copy the index again.")
    size = path.stat().st_size
    if size != file["size"]:
        raise ValueError(
            f"{str(path)!r} has {size:,} bytes and should have {file['size']:,}: it was cut short or "
            "written over. Copy the index again, or build it anew."
        )
    if verify and _described(path)["sha256"] != file["sha256"]:
        raise ValueError(
            f"{str(path)!r} is damaged: its checksum is another than when it was written. Copy the "
            "index again, or build it anew."
        )


def _load(folder: Path, file: dict[str, Any], mmap_mode: Any = None) -> NDArray:
    try:
        return np.load(folder / file["name"], mmap_mode=mmap_mode, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"{str(folder / file['name'])!r} is no array. Copy the index again, or build it anew."
        ) from error


def _check_shape(array: NDArray, shape: tuple[int, ...], folder: Path) -> None:
    if array.shape != shape or array.dtype != np.float32:
        raise ValueError(
            f"An array of the index in {str(folder)!r} has shape {array.shape} and dtype "
            f"{array.dtype}, where {shape} and float32 are due. Build the index anew."
        )


def _write(path: Path, parts: Iterable[bytes]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
        file.flush()
        os.fsync(file.fileno())
    return {"name": path.name, "size": size, "sha256": digest.hexdigest()}


def _described(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    return {"name": path.name, "size": path.stat().st_size, "sha256": digest.hexdigest()}


def _live(rows: Rows) -> Iterator[NDArray]:
    for first, piece in rows.pieces():
        yield piece[rows.alive[first : first + len(piece)]]


def _npy(arrays: Iterable[NDArray], shape: tuple[int, ...]) -> Iterator[bytes]:
    """The bytes of a .npy file of float32, without making one array of the parts."""
    from io import BytesIO

    header = BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    yield header.getvalue()
    for array in arrays:
        yield np.ascontiguousarray(array, dtype="<f4").tobytes()


def _lines(ids: list[Any], texts: list[str] | None) -> Iterator[bytes]:
    for i, key in enumerate(ids):
        row = [key] if texts is None else [key, texts[i]]
        # ASCII, as a text from a broken file may hold half a surrogate pair.
        yield json.dumps(row).encode("ascii") + b"\n"


def _read_lines(path: Path, n: int, is_text: bool) -> tuple[list[Any], list[str] | None]:
    with path.open(encoding="ascii") as file:
        rows = [json.loads(line) for line in file]
    if len(rows) != n or any(len(row) != 1 + is_text for row in rows):
        raise ValueError(f"{str(path)!r} does not hold {n} documents. Build the index anew.")
    return [row[0] for row in rows], [row[1] for row in rows] if is_text else None


def _signature(aligner: Any) -> dict[str, Any] | None:
    """What tells an aligner from another: its encoders, and where its maps send fixed rows."""
    if aligner is None:
        return None
    inner = getattr(aligner, "estimator", aligner)
    if not hasattr(inner, "language_map_"):
        return {"maps": {"": _probe(inner.transform, inner.n_features_in_)}}
    maps = inner.language_map_
    maps = maps if isinstance(maps, dict) else {inner.target_lang: maps}
    return {
        "output_space": inner.output_space,
        "encoders": [seen[1] if seen else None for seen in inner._models_seen],
        "maps": {
            language: _probe(lambda Z, m=m: inner._move(Z, m), m.n_features_in_)
            for language, m in maps.items()
        },
    }


def _probe(move: Any, width: int) -> list[float]:
    Z = np.random.default_rng(0).normal(size=(2, width)).astype(np.float32)
    return [float(v) for v in np.asarray(move(Z))[:, :_PROBED].ravel()]


def _compare_signatures(saved: Any, now: Any, folder: Path) -> None:
    advice = (
        "Pass the aligner that the index was built with, as it was saved beside the index, or "
        "build the index anew."
    )
    where = f"The index in {str(folder)!r}"
    if (saved is None) != (now is None):
        had = "without an aligner" if saved is None else "with an aligner"
        raise ValueError(f"{where} was built {had}, and the retriever differs. {advice}")
    if saved is None:
        return
    for old, new in zip(saved.get("encoders", ()), now.get("encoders", ()), strict=False):
        if old is not None and new is not None and old != new:
            raise ValueError(
                f"{where} was built with the encoder {old!r}, and the aligner has {new!r}. {advice}"
            )
    same = saved.get("output_space") == now.get("output_space")
    same = same and saved["maps"].keys() == now["maps"].keys()
    # Processors differ in the last digits.
    if not same or not all(
        len(values) == len(now["maps"][language])
        and np.allclose(values, now["maps"][language], rtol=1e-3, atol=1e-3)
        for language, values in saved["maps"].items()
    ):
        raise ValueError(f"{where} was built with another aligner. {advice}")

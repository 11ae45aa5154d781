"""DocumentIndex in a folder: a manifest and plain files beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.bundle import Bundle, BundleWriter
from .aligner_signature import difference
from .backends import Index, make_index
from .exact import Rows
from .hubness import Hubness
from .index import DocumentIndex

__all__ = [
    "NEEDED",
    "IndexContents",
    "checked_contents",
    "open_folder",
    "read_files",
    "write_files",
    "write_folder",
]


_MANIFEST = "index.json"
_VERSION = 1
NEEDED = {
    "n_documents": int,
    "next_id": int,
    "width": int,
    "is_text": bool,
    "backend": str,
    "backend_params": dict,
    "hubs": dict | None,
    "aligner": dict | None,
}


@dataclass(frozen=True)
class IndexContents:
    """Contents of a saved index, which `checked_contents` found to be writable.

    Attributes
    ----------
    index : DocumentIndex
        The documents.
    backend : Index
        Backend to be written, whose positions leave out removed rows.
    texts : list of str or None
        Texts of the documents; None for embeddings.
    signature : dict or None
        Signature of the aligner that moved them.
    """

    index: DocumentIndex
    backend: Index
    texts: list[str] | None
    signature: dict[str, Any] | None


def checked_contents(
    index: DocumentIndex, texts: list[str] | None, signature: dict[str, Any] | None
) -> IndexContents:
    """Contents of a saved index, or an error before anything is written.

    Raises
    ------
    TypeError
        If an identifier is neither a str nor an int.
    ValueError
        If there are no documents.
    """
    for key in index.ids:
        if not isinstance(key, str | int):
            raise TypeError(
                f"The id {key!r} is {type(key).__name__}; a saved index keeps str and int ids only."
            )
    if not index.n_documents:
        raise ValueError(
            "The index is empty, as all documents were removed: there is nothing to save."
        )
    backend = index.backend
    if backend.file is not None and not index.rows.alive.all():
        backend = make_index(backend.name, backend.params)
        backend.build(Rows([np.concatenate(list(index.rows.live_pieces()))]))
    return IndexContents(index, backend, texts, signature)


def write_folder(folder: str | os.PathLike[str], contents: IndexContents) -> None:
    """Write an index to a folder, whose former index stays whole until all files are there."""
    with BundleWriter(Path(folder).expanduser(), _MANIFEST) as new:
        new.fields = {
            "format": "langalign_sk retrieval index",
            "format_version": _VERSION,
            **write_files(new, contents),
        }


def write_files(new: BundleWriter, contents: IndexContents) -> dict[str, Any]:
    """Write the files of an index, and return its fields of the manifest."""
    index, backend = contents.index, contents.backend
    rows, hubness = index.rows, index.hubness
    new.write("rows", "npy", _npy(rows.live_pieces(), (index.n_documents, index.width)))
    new.write("documents", "jsonl", _lines(index.ids, contents.texts))
    if hubness is not None:
        level = hubness.level[rows.alive]
        new.write("bank", "npy", _npy([hubness.bank], hubness.bank.shape))
        new.write("level", "npy", _npy([level], level.shape))
    if backend.file is not None:
        new.let_write(backend.file, "bin", backend.write)
    return {
        "n_documents": index.n_documents,
        "next_id": index.next_id,
        "width": index.width,
        "is_text": contents.texts is not None,
        "backend": backend.name,
        "backend_params": {name: _plain(value) for name, value in backend.params.items()},
        "hubs": None if hubness is None else hubness.settings,
        "aligner": contents.signature,
    }


def open_folder(folder: str | os.PathLike[str]) -> Bundle:
    """Manifest of an index that `write_folder` wrote, to be passed to `read_files`.

    Raises
    ------
    FileNotFoundError
        If there is no index in the folder.
    ValueError
        If the manifest is damaged.
    """
    return Bundle(
        Path(folder).expanduser(),
        _MANIFEST,
        version=_VERSION,
        what="index, which save_index makes",
        needed=NEEDED,
        files=["rows", "documents"],
    )


def read_files(
    saved: Bundle,
    backend: Index,
    hubness_settings: dict[str, Any] | None,
    signature: dict[str, Any] | None,
    verify: bool,
) -> tuple[DocumentIndex, list[str] | None]:
    """Read an index from the files that a manifest names.

    Parameters
    ----------
    saved : Bundle
        The manifest.
    backend : Index
        Backend without rows, with the parameters that the index was built with.
    hubness_settings : dict or None
        As `Hubness.settings`. None: scores are cosines, and a saved query bank is not read.
    signature : dict or None
        Signature of the aligner that queries go through.
    verify : bool
        Whether to compare the checksum of the rows; the other files are always compared.

    Returns
    -------
    index : DocumentIndex
        The documents; rows are mapped from their file.
    texts : list of str or None
        Their texts.

    Raises
    ------
    ValueError
        If a file is damaged, or the index was built with another backend or aligner, or without a
        query bank.
    """
    _check_built_alike(saved, backend, signature)
    fields = saved.fields
    n_documents, width = fields["n_documents"], fields["width"]
    rows = Rows([_load(saved, "rows", (n_documents, width), verify=verify)])
    ids, texts = _read_lines(saved, n_documents, fields["is_text"])
    hubness = None if hubness_settings is None else _read_hubness(saved, rows, hubness_settings)
    if backend.file is None:
        backend.build(rows)
    elif backend.file not in saved.files:
        raise saved.damaged
    else:
        try:
            backend.read(os.fspath(saved.path(backend.file)), rows)
        except RuntimeError as error:
            raise saved.damaged from error
    if hubness is not None:
        hubness.find_active(backend)
    return DocumentIndex(ids, rows, backend, hubness, fields["next_id"]), texts


def _check_built_alike(saved: Bundle, backend: Index, signature: dict[str, Any] | None) -> None:
    """Raise ValueError if the index was built with another backend or another aligner."""
    fields, where = saved.fields, f"The index in {str(saved.folder)!r}"
    built_params = _build_params(fields["backend_params"], backend)
    for name, built, now in (
        ("backend", fields["backend"], backend.name),
        ("backend_params", built_params, _build_params(backend.params, backend)),
    ):
        if built != now:
            raise ValueError(
                f"{where} was built with {name}={built!r}, and the retriever has {now!r}: use the same."
            )
    try:
        built_otherwise = difference(fields["aligner"], signature)
    except (KeyError, TypeError, AttributeError):
        raise saved.damaged from None
    if built_otherwise:
        raise ValueError(
            f"{where} was built {built_otherwise}. Pass the aligner that it was built with, as it was "
            "saved beside the index, or build the index again."
        )


def _read_hubness(saved: Bundle, rows: Rows, settings: dict[str, Any]) -> Hubness:
    if saved.fields["hubs"] is None:
        raise ValueError(
            f"The index in {str(saved.folder)!r} has no query bank, which scoring="
            f'{settings["scoring"]!r} needs: open it with scoring="cosine", or build the index again.'
        )
    if not {"bank", "level"} <= set(saved.files):
        raise saved.damaged
    hubness = Hubness.of_bank(_load(saved, "bank", (None, rows.width)), **settings)
    if saved.fields["hubs"] == hubness.settings:
        hubness.level = _load(saved, "level", (len(rows.alive),))
    else:
        hubness.append(rows.blocks[0])
    return hubness


def _load(
    saved: Bundle, kind: str, shape: tuple[int | None, ...], *, verify: bool = True
) -> NDArray:
    """Float32 array of a shape, mapped from its file; nothing is unpickled."""
    path = saved.path(kind, verify=verify)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        array = None
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != len(shape):
        raise saved.damaged
    if any(expected not in (None, n) for expected, n in zip(shape, array.shape, strict=True)):
        raise saved.damaged
    return array


def _npy(arrays: Iterable[NDArray], shape: tuple[int, ...]) -> Iterator[bytes]:
    """Bytes of a float32 .npy file, without joining the parts into one array."""
    header = BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    yield header.getvalue()
    for array in arrays:
        yield np.ascontiguousarray(array, dtype="<f4").tobytes()


def _lines(ids: list[Any], texts: list[str] | None) -> Iterator[bytes]:
    for i, key in enumerate(ids):
        row = [key] if texts is None else [key, texts[i]]
        # ASCII escapes: a text from a broken file may hold half a surrogate pair.
        yield json.dumps(row).encode("ascii") + b"\n"


def _read_lines(saved: Bundle, n: int, is_text: bool) -> tuple[list[Any], list[str] | None]:
    try:
        with saved.path("documents").open(encoding="ascii") as file:
            rows = [json.loads(line) for line in file]
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise saved.damaged from error
    kinds = [str | int, str] if is_text else [str | int]
    for row in rows:
        if not isinstance(row, list) or len(row) != len(kinds):
            raise saved.damaged
        if not all(isinstance(cell, kind) for cell, kind in zip(row, kinds, strict=True)):
            raise saved.damaged
    if len(rows) != n:
        raise saved.damaged
    return [row[0] for row in rows], [row[1] for row in rows] if is_text else None


def _build_params(params: dict[str, Any], backend: Index) -> dict[str, Any]:
    return {
        name: _plain(value) for name, value in params.items() if name not in backend.search_params
    }


def _plain(value: Any) -> Any:
    """Value as JSON keeps it: NumPy numbers become Python's."""
    return value.item() if isinstance(value, np.generic) else value

"""A saved index: a manifest and plain files beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._utils.bundle import Bundle, BundleWriter
from ..aligner._frozen import thawed
from ..aligner._route import models_seen, route_of
from .backends import Index, make_index
from .exact import Rows
from .hubness import Hubs

__all__ = ["NEEDED", "checked_index", "read_files", "read_index", "write_files", "write_index"]


_MANIFEST = "index.json"
_VERSION = 1
_PROBED = 16
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


def write_index(retriever: Any, folder: str | os.PathLike[str]) -> None:
    """Write an index; what was in the folder stays whole until all of it is there."""
    index = checked_index(retriever)
    with BundleWriter(Path(folder).expanduser(), _MANIFEST) as new:
        new.fields = {
            "format": "langalign_sk retrieval index",
            "format_version": _VERSION,
            **write_files(new, retriever, index),
        }


def checked_index(retriever: Any) -> Index:
    """The index to be written, of live rows only, or an error before anything is written."""
    for key in retriever.ids_:
        if not isinstance(key, str | int):
            raise TypeError(
                f"The id {key!r} is {type(key).__name__}; a saved index keeps str and int ids only."
            )
    if not retriever.n_documents_:
        raise ValueError(
            "The index is empty, as all documents were removed: there is nothing to save."
        )
    rows, index = retriever._rows, retriever._index
    if index.file is not None and not rows.alive.all():  # positions without the removed rows
        index = make_index(index.backend, index.params)
        index.build(Rows([np.concatenate(list(_live(rows)))]))
    return index


def write_files(new: BundleWriter, retriever: Any, index: Index) -> dict[str, Any]:
    """Write the files of an index, and return what the manifest says of them."""
    rows, hubs = retriever._rows, retriever._hubs
    new.write("rows", "npy", _npy(_live(rows), (retriever.n_documents_, rows.width)))
    new.write("documents", "jsonl", _lines(retriever.ids_, retriever.documents_))
    if hubs is not None:
        level = hubs.level[rows.alive]
        new.write("bank", "npy", _npy([hubs.bank], hubs.bank.shape))
        new.write("level", "npy", _npy([level], level.shape))
    if index.file is not None:
        new.let_write(index.file, "bin", index.write)
    return {
        "n_documents": retriever.n_documents_,
        "next_id": retriever._next_id,
        "width": rows.width,
        "is_text": retriever.documents_ is not None,
        "backend": index.backend,
        "backend_params": {name: _plain(value) for name, value in index.params.items()},
        "hubs": None if hubs is None else _settings(hubs),
        "aligner": _signature(retriever.aligner_),
    }


def read_index(retriever: Any, folder: str | os.PathLike[str], verify: bool) -> Any:
    """Fill a retriever from a folder, once everything in it was found to be right."""
    saved = Bundle(
        Path(folder).expanduser(),
        _MANIFEST,
        version=_VERSION,
        what="index, which save_index makes",
        needed=NEEDED,
        files=["rows", "documents"],
    )
    return read_files(retriever, saved, verify)


def read_files(retriever: Any, saved: Bundle, verify: bool) -> Any:
    """Fill a retriever from the files that the manifest of an index names."""
    index = retriever._check_parameters()
    aligner = retriever.aligner
    if aligner is not None:
        check_is_fitted(
            aligner,
            msg="open_index needs the fitted aligner that the index was built with, and this "
            "%(name)s is not fitted. Pass the one you saved beside the index, such as "
            "aligner=retriever.aligner_.",
        )
    fields, where = saved.fields, f"The index in {str(saved.folder)!r}"
    for name in ("backend", "backend_params"):
        built, now = fields[name], getattr(index, name.removeprefix("backend_"))
        if name == "backend_params":
            built, now = _built_with(built, index), _built_with(now, index)
        if built != now:
            raise ValueError(
                f"{where} was built with {name}={built!r}, and the retriever has {now!r}: use the same."
            )
    try:
        difference = _difference(fields["aligner"], _signature(aligner))
    except (KeyError, TypeError, AttributeError):
        raise saved.damaged from None
    if difference:
        raise ValueError(
            f"{where} was built {difference}. Pass the aligner that it was built with, as it was saved "
            "beside the index, or build the index anew."
        )
    n, width = fields["n_documents"], fields["width"]
    rows = Rows([_load(saved, "rows", (n, width), verify=verify)])
    ids, texts = _read_lines(saved, n, fields["is_text"])
    hubs = _read_hubs(retriever, saved, rows)
    if index.file is None:
        index.build(rows)
    elif index.file not in saved.files:
        raise saved.damaged
    else:
        try:
            index.read(os.fspath(saved.path(index.file)), rows)
        except RuntimeError as error:
            raise saved.damaged from error
    if hubs is not None:
        hubs.activate(index)
    if aligner is None:
        retriever.n_features_in_ = width
    retriever.aligner_, retriever._rows = aligner, rows
    retriever._index, retriever._hubs = index, hubs
    retriever._set_documents(ids, texts, fields["next_id"])
    return retriever


def _settings(hubs: Hubs) -> dict[str, Any]:
    return {
        "scoring": hubs.scoring,
        "n_neighbors": int(hubs.n_neighbors),
        "temperature": float(hubs.temperature),
    }


def _read_hubs(retriever: Any, saved: Bundle, rows: Rows) -> Hubs | None:
    if retriever.scoring == "cosine":
        return None
    if saved.fields["hubs"] is None:
        raise ValueError(
            f"The index in {str(saved.folder)!r} has no query bank, which scoring="
            f'{retriever.scoring!r} needs: open it with scoring="cosine", or build it anew.'
        )
    if not {"bank", "level"} <= set(saved.files):
        raise saved.damaged
    hubs = retriever._empty_hubs(_load(saved, "bank", (None, rows.width)))
    if saved.fields["hubs"] == _settings(hubs):
        hubs.level = _load(saved, "level", (len(rows.alive),))
    else:
        hubs.append(rows.blocks[0])
    return hubs


def _load(
    saved: Bundle, kind: str, shape: tuple[int | None, ...], *, verify: bool = True
) -> NDArray:
    """An array that is mapped from its file, and no pickle."""
    path = saved.path(kind, verify=verify)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError):
        array = None
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != len(shape):
        raise saved.damaged
    if any(due not in (None, n) for due, n in zip(shape, array.shape, strict=True)):
        raise saved.damaged
    return array


def _live(rows: Rows) -> Iterator[NDArray]:
    for first, piece in rows.pieces():
        yield piece[rows.alive[first : first + len(piece)]]


def _npy(arrays: Iterable[NDArray], shape: tuple[int, ...]) -> Iterator[bytes]:
    """The bytes of a .npy file of float32, without making one array of the parts."""
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


def _built_with(params: dict[str, Any], index: Index) -> dict[str, Any]:
    return {name: _plain(value) for name, value in params.items() if name not in index.free}


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python, which JSON knows."""
    return value.item() if isinstance(value, np.generic) else value


def _signature(aligner: Any) -> dict[str, Any] | None:
    """What tells an aligner from another: its encoders, and where its maps send fixed rows."""
    if aligner is None:
        return None
    inner = thawed(aligner)
    if not hasattr(inner, "language_map_"):
        return {"maps": {"": _probe(inner.transform, inner.n_features_in_)}}
    route = route_of(inner)
    return {
        "output_space": route.output_space,
        "encoders": [seen[1] if seen else None for seen in models_seen(inner)],
        "maps": {
            language: _probe(partial(route.there, language=language), fitted.n_features_in_)
            for language, fitted in route.maps.items()
        },
    }


def _probe(move: Any, width: int) -> list[float]:
    Z = np.random.default_rng(0).normal(size=(2, width)).astype(np.float32)
    return [float(v) for v in np.asarray(move(Z))[:, :_PROBED].ravel()]


def _difference(saved: Any, now: Any) -> str | None:
    """How the aligner of the index differs from another, in words."""
    if saved is None and now is None:
        return None
    if saved is None or now is None:
        without = "without an aligner, and the retriever has one"
        return without if saved is None else "with an aligner, and the retriever has none"
    encoders = saved.get("encoders", []), now.get("encoders", [])
    for old, new in zip(*encoders, strict=False):
        if old is not None and new is not None and old != new:
            return f"with the encoder {old!r}, and the aligner has {new!r}"
    same = saved.get("output_space") == now.get("output_space")
    same = same and saved["maps"].keys() == now["maps"].keys()
    # Processors differ in the last digits.
    same = same and all(
        len(values) == len(now["maps"][language])
        and np.allclose(values, now["maps"][language], rtol=1e-3, atol=1e-3)
        for language, values in saved["maps"].items()
    )
    return None if same else "with another aligner"

"""Index of a retriever in a folder: a manifest and plain files beside it.

A view alone, neither centred nor fused, is written in format version 1, which the first releases
read. Whatever else there is, is written in version 2: a list of views, of which each has files of
its own, and the documents once. Version 3 is version 2 with identifiers that are neither str nor int.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.bundle import Bundle, BundleWriter, checksum
from .._utils.files import folder_path
from .._utils.validation import warn_user
from .aligner_signature import difference, signature_of
from .backends import Index, make_index
from .build import correct_hubness
from .centring import Centring
from .exact import Rows
from .fusion import Fusion, Joined, coefficients_of
from .hubness import Hubness
from .identifiers import from_json, is_plain, to_json
from .index import DocumentIndex
from .lexical import LexicalIndex
from .report import SearchReport
from .view import QueryRows, SearchView, centred, name_of

__all__ = [
    "IndexContents",
    "OpenedIndex",
    "Opening",
    "checked_contents",
    "index_within",
    "manifest_of",
    "open_folder",
    "read_files",
    "write_files",
    "write_folder",
]


_MANIFEST = "index.json"
_VERSIONS = (1, 2, 3)
_UNCHECKED = ("sha256", "files")  # each file has a checksum of its own
_NEEDED = {
    "n_documents": int,
    "next_id": int,
    "is_text": bool,
    "backend": str,
    "backend_params": dict,
    "hubs": dict | None,
}
_OF_VIEW = {"width": int, "aligner": dict | None}
_LATER_OF_VIEW = {**_OF_VIEW, "reason": str, "languages": list, "centring": dict | None}
_LATER = {**_NEEDED, "views": list, "fusion": dict | None}
_OF_FUSION = {"weights": list, "spreads": list, "lexical": bool, "lexical_weight": float}
_OF_CENTRING = {"prior": list, "documents": list, "counts": dict}
_MOST_QUERIES = 1 << 53  # that a float64 counts
_MOST_DOCUMENTS = 1 << 40
_MOST_BITS = 200  # of the next identifier, which a manifest holds in decimal digits
_WIDEST = 1 << 16
_MOST_ALIKE = 1000  # identifiers with the hash of another
_LONG_LINE = 1 << 16
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_BLOCK = 1 << 22  # numbers that are looked at together
_UNIT = ("rows", "bank")  # beginnings of the names of files of unit rows
_LONGEST = 2.0  # of a number in a unit row, however it was rounded


@dataclass(frozen=True)
class IndexContents:
    """Contents of a saved index, which `checked_contents` found to be writable.

    Attributes
    ----------
    views : list of SearchView
        The views.
    backends : list of Index
        Backends to be written, whose positions leave out removed rows.
    fusion : Fusion or None
        Fusion of the views.
    banks : list of QueryRows or None
        Bank of queries in every view, not centred.
    report : SearchReport
        What was chosen.
    texts : list of str or None
        Texts of the documents; None for embeddings.
    signatures : list of dict or None
        Signatures of the aligners.
    """

    views: list[SearchView]
    backends: list[Index]
    fusion: Fusion | None
    banks: list[QueryRows | None]
    report: SearchReport
    texts: list[str] | None
    signatures: list[dict[str, Any] | None]

    @property
    def version(self) -> int:
        """Least format version that holds it."""
        if not all(map(is_plain, self.views[0].index.ids)):
            return 3
        alone = len(self.views) == 1 and self.fusion is None
        return 1 if alone and self.views[0].centring is None else 2


@dataclass(frozen=True)
class Opening:
    """Parameters that a saved index is opened with.

    Attributes
    ----------
    aligners : list
        Fitted aligners that queries go through, one per view.
    make_backend : callable
        Returns a backend without rows, with the parameters that the index was built with.
    hubness : dict or None
        As `Hubness.settings`. None: scores are cosines, and a saved bank of queries is not read.
    make_fusion : callable
        Returns the fusion of views by their coefficients.
    weights : ndarray of shape (n_views,) or None
        Weights of the views; None takes the saved ones.
    centre : {"auto", True, False}
        Whether all views, or none, must be centred.
    verify : bool
        Whether to compare the checksums of the rows; the other files are always compared.
    trusted : tuple of str
        Backends whose files are read although their library does not check them.
    """

    aligners: list[Any]
    make_backend: Callable[[], Index]
    hubness: dict[str, Any] | None
    make_fusion: Callable[[NDArray[np.float64]], Fusion]
    weights: NDArray[np.float64] | None
    centre: Any
    verify: bool
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenedIndex:
    """Views that `read_files` returned.

    Attributes
    ----------
    views : list of SearchView
        The views; rows are mapped from their files.
    fusion : Fusion or None
        Their fusion.
    banks : list of QueryRows or None
        Bank of queries in every view, not centred; None where it was not read.
    texts : list of str or None
        Texts of the documents.
    reasons : list of str
        Why each view is centred, or is not.
    fused : dict
        Weights, spreads and coefficients of the views; empty without a fusion.
    """

    views: list[SearchView]
    fusion: Fusion | None
    banks: list[QueryRows | None]
    texts: list[str] | None
    reasons: list[str]
    fused: dict[str, NDArray[np.float64]]


def checked_contents(
    views: Sequence[SearchView],
    fusion: Fusion | None,
    banks: Sequence[QueryRows | None],
    report: SearchReport,
    texts: list[str] | None,
) -> IndexContents:
    """Contents of a saved index, or an error before anything is written.

    Parameters
    ----------
    views, fusion, banks, report, texts
        As the attributes of `IndexContents`.

    Raises
    ------
    TypeError
        If an identifier is of a kind that could not be restored.
    ValueError
        If there are no documents.
    """
    index = views[0].index
    for key in index.ids:
        to_json(key)  # the index of an old pickle may have others
    if index.next_id.bit_length() > _MOST_BITS:
        raise ValueError(
            f"The largest id has {index.next_id.bit_length():,} bits, and a saved index holds numbers "
            f"of at most {_MOST_BITS}: pass str(id)."
        )
    if not index.n_documents:
        raise ValueError(
            "The index is empty, as all documents were removed: there is nothing to save."
        )
    backends = [_without_removed(view.index) for view in views]
    signatures = [signature_of(view.aligner) for view in views]
    return IndexContents(list(views), backends, fusion, list(banks), report, texts, signatures)


def _without_removed(index: DocumentIndex) -> Index:
    """Backend whose positions leave out removed rows."""
    backend = index.backend
    if backend.file is not None and not index.rows.alive.all():
        backend = make_index(backend.name, backend.params)
        backend.build(Rows([np.concatenate(list(index.rows.live_pieces()))]))
    return backend


def manifest_of(folder: str | os.PathLike[str]) -> Path:
    """Path of the manifest of an index in a folder."""
    return folder_path(folder) / _MANIFEST


def write_folder(folder: str | os.PathLike[str], contents: IndexContents) -> None:
    """Write an index to a folder, whose former index stays whole until all files are there."""
    with BundleWriter(folder_path(folder), _MANIFEST) as new:
        fields = {
            "format": "langalign_sk retrieval index",
            "format_version": contents.version,
            **write_files(new, contents),
        }
        new.fields = {**fields, "sha256": checksum(fields)}


def write_files(new: BundleWriter, contents: IndexContents) -> dict[str, Any]:
    """Write the files of an index, and return its fields of the manifest."""
    index = contents.views[0].index
    hubness = index.hubness if contents.fusion is None else contents.fusion.hubness
    if contents.version == 1:
        return _written_alone(new, contents, hubness)
    new.write("documents", "jsonl", _lines(index.ids, contents.texts))
    if hubness is not None:
        level = hubness.level[index.rows.alive]
        new.write("level", "npy", _npy([level], level.shape))
    views = [_written_view(new, contents, i, hubness) for i in range(len(contents.views))]
    fusion, reports = None, contents.report.views
    if contents.fusion is not None:
        fusion = {
            "weights": [report.weight for report in reports],
            "spreads": [report.spread for report in reports],
            "lexical": contents.fusion.lexical is not None,
            "lexical_weight": float(contents.fusion.lexical_weight),
        }
    return {**_fields_of(contents, hubness), "views": views, "fusion": fusion}


def _written_alone(
    new: BundleWriter, contents: IndexContents, hubness: Hubness | None
) -> dict[str, Any]:
    """Fields of a view alone, whose files are written; in format version 1."""
    index, backend = contents.views[0].index, contents.backends[0]
    rows = index.rows
    new.write("rows", "npy", _npy(rows.live_pieces(), (index.n_documents, index.width)))
    new.write("documents", "jsonl", _lines(index.ids, contents.texts))
    if hubness is not None:
        level = hubness.level[rows.alive]
        new.write("bank", "npy", _npy([hubness.bank], hubness.bank.shape))
        new.write("level", "npy", _npy([level], level.shape))
    if backend.file is not None:
        new.let_write(backend.file, "bin", backend.write)
    fields = _fields_of(contents, hubness)
    names = ("n_documents", "next_id", "width", "is_text", "backend", "backend_params", "hubs")
    return {
        **{name: index.width if name == "width" else fields[name] for name in names},
        "aligner": contents.signatures[0],
    }


def _fields_of(contents: IndexContents, hubness: Hubness | None) -> dict[str, Any]:
    """Fields that all views have in common."""
    index, backend = contents.views[0].index, contents.backends[0]
    return {
        "n_documents": index.n_documents,
        "next_id": index.next_id,
        "is_text": contents.texts is not None,
        "backend": backend.name,
        "backend_params": {name: _plain(value) for name, value in backend.params.items()},
        "hubs": None if hubness is None else hubness.settings,
    }


def _written_view(
    new: BundleWriter, contents: IndexContents, i: int, hubness: Hubness | None
) -> dict[str, Any]:
    """Fields of one view of several, or of a centred one, whose files are written."""
    view, backend = contents.views[i], contents.backends[i]
    rows, n_documents, width = view.index.rows, view.index.n_documents, view.index.width
    bank = None if hubness is None else contents.banks[i]
    languages: set[str] = set() if bank is None else {*bank.languages}
    if view.languages is not None:
        languages |= {*view.languages.tolist()}
    codes = sorted(languages)
    new.write(f"rows_{i}", "npy", _npy(rows.live_pieces(), (n_documents, width)))
    if backend.file is not None:
        new.let_write(f"{backend.file}_{i}", "bin", backend.write)
    if bank is not None:
        new.write(f"bank_{i}", "npy", _npy([bank.rows], bank.rows.shape))
        new.write(f"bank_languages_{i}", "npy", _places_of(bank.languages, codes))
    centring = None
    if view.centring is not None:
        if view.lengths is None or view.languages is None:
            raise RuntimeError("A centred view has neither lengths nor languages: fit it again.")
        lengths = view.lengths[rows.alive]
        new.write(f"lengths_{i}", "npy", _npy([lengths], lengths.shape))
        of_documents = view.languages[rows.alive].tolist()
        new.write(f"languages_{i}", "npy", _places_of(of_documents, codes))
        prior, documents = view.centring.prior, view.centring.of_documents
        counts, sums = view.centring.counts, view.centring.sums
        vectors = [*prior.values(), *documents.values(), *(sums[code] for code in counts)]
        new.write(f"means_{i}", "npy", _npy(vectors, (len(vectors), width), "<f8"))
        centring = {"prior": [*prior], "documents": [*documents], "counts": counts}
    return {
        "width": width,
        "aligner": contents.signatures[i],
        "reason": contents.report.views[i].centring,
        "languages": codes,
        "centring": centring,
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
    saved = Bundle(
        folder_path(folder),
        _MANIFEST,
        versions=_VERSIONS,
        what="index, which save_index makes",
        needed=_NEEDED,
        files=["documents"],
    )
    fields = {name: value for name, value in saved.fields.items() if name not in _UNCHECKED}
    # The first releases wrote none.
    if saved.fields.get("sha256", checksum(fields)) != checksum(fields):
        raise saved.damaged
    if (saved.fields["format_version"] > 1) != ("views" in saved.fields):
        raise saved.damaged
    _require_views(saved)
    return saved


def index_within(saved: Bundle, field: str) -> Bundle:
    """Manifest of an index that `write_files` wrote as a field of another manifest.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    part = saved.within(field, _NEEDED, ["documents"])
    _require_views(part)
    return part


def _require_views(saved: Bundle) -> None:
    """Raise ValueError unless the manifest describes a view alone, or a list of views."""
    fields = saved.fields
    if not 0 < fields["n_documents"] < _MOST_DOCUMENTS or fields["next_id"] < 0:
        raise saved.damaged
    if "views" not in fields:
        saved.require(fields, _OF_VIEW, ["rows"])
        _require_width(saved, fields)
        return
    saved.require(fields, _LATER, [])
    for i, part in enumerate(fields["views"]):
        saved.require(part, _LATER_OF_VIEW, [f"rows_{i}"])
        _require_width(saved, part)
        if not all(isinstance(code, str) for code in part["languages"]):
            raise saved.damaged
        if part["centring"] is not None:
            _require_centring(saved, part["centring"])
    n_views, fusion = len(fields["views"]), fields["fusion"]
    if n_views < 1 or (n_views > 1 and fusion is None):
        raise saved.damaged
    if fusion is not None:
        saved.require(fusion, _OF_FUSION, [])
        numbers = [*fusion["weights"], *fusion["spreads"], fusion["lexical_weight"]]
        finite = all(isinstance(x, float) and math.isfinite(x) and x >= 0 for x in numbers)
        right = len(fusion["weights"]) == len(fusion["spreads"]) == n_views
        if not finite or not right or not any(fusion["weights"]):
            raise saved.damaged


def _require_width(saved: Bundle, part: dict[str, Any]) -> None:
    if not 0 < part["width"] < _WIDEST:
        raise saved.damaged


def _require_centring(saved: Bundle, centring: Any) -> None:
    """Raise ValueError unless these are the languages of a centring."""
    saved.require(centring, _OF_CENTRING, [])
    prior, documents, counts = (centring[name] for name in _OF_CENTRING)
    for codes in (prior, documents):
        if not all(isinstance(code, str) for code in codes) or len({*codes}) < len(codes):
            raise saved.damaged
    # Without pairs the means are those of queries that were seen, and of documents they ask for.
    if not prior and not (documents and counts):
        raise saved.damaged
    if not all(type(n) is int and 0 < n < _MOST_QUERIES for n in counts.values()):
        raise saved.damaged


def read_files(saved: Bundle, opening: Opening) -> OpenedIndex:
    """Read an index from the files that a manifest names.

    Parameters
    ----------
    saved : Bundle
        The manifest.
    opening : Opening
        Parameters of the retriever that opens it.

    Returns
    -------
    OpenedIndex
        The views.

    Raises
    ------
    ValueError
        If a file is damaged, or the index was built with another backend or other aligners, or
        without a query bank.
    """
    fields = saved.fields
    described = fields.get("views", [fields])
    _check_built_alike(saved, described, opening)
    ids, texts = _read_lines(saved, fields["n_documents"], fields["is_text"])
    views = [_read_view(saved, i, ids, opening) for i in range(len(described))]
    banks: list[QueryRows | None] = [None] * len(views)
    if opening.hubness is not None:
        banks = [*_read_banks(saved, opening.hubness)]
    fusion, fused, same = None, {}, True
    if fields.get("fusion") is not None:
        built, spreads = (np.array(fields["fusion"][name]) for name in ("weights", "spreads"))
        weights = built if opening.weights is None else opening.weights
        fusion = opening.make_fusion(coefficients_of(weights, spreads))
        if fusion.by_rank:
            fusion.coefficients = coefficients_of(weights, spreads, by_rank=True)
        coefficients = fusion.coefficients
        same = np.array_equal(coefficients, coefficients_of(built, spreads, fusion.by_rank))
        fusion.lexical_weight = fields["fusion"]["lexical_weight"]
        if fields["fusion"]["lexical"]:
            if texts is None:
                raise saved.damaged
            fusion.lexical = LexicalIndex(texts)
        fused = {"weights": weights, "spreads": spreads, "coefficients": coefficients}
    if opening.hubness is not None:
        level = None
        if same and fields["hubs"] == opening.hubness:
            level = _load(saved, "level", (fields["n_documents"],))
        _correct(fusion, views, banks, opening.hubness, level)
    reasons = [part.get("reason", "as saved") for part in described]
    return OpenedIndex(views, fusion, banks, texts, reasons, fused)


def _check_built_alike(saved: Bundle, described: list[Any], opening: Opening) -> None:
    """Raise ValueError if the index was built with other parameters, which the search cannot change."""
    fields, where = saved.fields, f"The index in {str(saved.folder)!r}"
    if len(described) != len(opening.aligners):
        raise ValueError(
            f"{where} was built with {len(described)} aligners, and the retriever has "
            f"{len(opening.aligners)}: pass all that it was built with, in the same order."
        )
    backend = opening.make_backend()
    built_params = _build_params(fields["backend_params"], backend)
    for name, built, now in (
        ("backend", fields["backend"], backend.name),
        ("backend_params", built_params, _build_params(backend.params, backend)),
    ):
        if built != now:
            raise ValueError(
                f"{where} was built with {name}={built!r}, and the retriever has {now!r}: use the same."
            )
    for i, (part, aligner) in enumerate(zip(described, opening.aligners, strict=True)):
        try:
            built_otherwise = difference(part["aligner"], signature_of(aligner))
        except (KeyError, TypeError, AttributeError):
            raise saved.damaged from None
        if built_otherwise:
            view = where if len(described) == 1 else f"View {i} of the index in {where[13:]}"
            raise ValueError(
                f"{view} was built {built_otherwise}. Pass the aligner that it was built with, as it "
                "was saved beside the index, or build the index again."
            )
        is_centred = part.get("centring") is not None
        if opening.centre != "auto" and bool(opening.centre) != is_centred:
            raise ValueError(
                f"{where} was built with centre={is_centred}, and the retriever has "
                f"{opening.centre!r}: use the same, or 'auto'."
            )


def _read_view(saved: Bundle, i: int, ids: list[Any], opening: Opening) -> SearchView:
    """View of the documents, from its files."""
    fields, suffix = saved.fields, _suffix(saved, i)
    part = fields["views"][i] if suffix else fields
    n_documents, width = fields["n_documents"], part["width"]
    rows = Rows([_load(saved, f"rows{suffix}", (n_documents, width), verify=opening.verify)])
    backend = opening.make_backend()
    if backend.file is None:
        backend.build(rows)
    elif backend.file + suffix not in saved.files:
        raise saved.damaged
    elif backend.checks_file or backend.name in opening.trusted:
        _read_backend(saved, backend, backend.file + suffix, rows)
    else:
        saved.path(backend.file + suffix)
        _build_again(saved, backend, rows)
    index = DocumentIndex(ids, rows, backend, None, fields["next_id"])
    view = SearchView(name_of(opening.aligners[i], i), opening.aligners[i], index)
    if part.get("centring") is None:
        return view
    view.centring = _read_centring(saved, i, part["centring"], width)
    view.lengths = _load(saved, f"lengths_{i}", (n_documents,))
    if not ((view.lengths >= 0) & (view.lengths <= 2 * _LONGEST)).all():
        raise saved.damaged
    view.languages = np.array(
        _read_languages(saved, f"languages_{i}", part["languages"], n_documents)
    )
    return view


def _read_backend(saved: Bundle, backend: Index, kind: str, rows: Rows) -> None:
    """Read a backend from its file, and search it once: it finds rows that there are."""
    path = os.fspath(saved.path(kind))
    try:
        backend.read(path, rows)
        query = np.full((1, rows.width), rows.width**-0.5, dtype=np.float32)
        positions, cosines = backend.search(query, min(3, len(rows.alive)))
    except Exception as error:  # the libraries raise errors of all kinds for what is not theirs
        raise saved.damaged from error
    found = positions >= 0
    if (positions >= len(rows.alive)).any() or not np.isfinite(cosines[found]).all():
        raise saved.damaged


def _build_again(saved: Bundle, backend: Index, rows: Rows) -> None:
    """Build a backend from the rows, whose library does not check the files that it reads."""
    if not all(_is_below(block, _LONGEST) for block in rows.blocks):
        raise saved.damaged
    start = time.monotonic()
    backend.build(rows)
    if not backend.exact:
        warn_user(
            f"The {backend.name} index in {str(saved.folder)!r} was built again from its rows, in "
            f"{time.monotonic() - start:.0f} s, as the library does not check the files that it reads. "
            f"If you trust whoever saved it, read its file by allow={backend.name!r}."
        )


def _suffix(saved: Bundle, i: int) -> str:
    """End of the names of a view's files."""
    return f"_{i}" if "views" in saved.fields else ""


def _read_centring(saved: Bundle, i: int, described: dict[str, Any], width: int) -> Centring:
    prior, documents, counts = (described[name] for name in _OF_CENTRING)
    codes = [*prior, *documents, *counts]
    vectors = np.array(_load(saved, f"means_{i}", (len(codes), width), np.float64))
    # Means of unit rows, and sums of as many as are counted.
    most = [_LONGEST] * (len(prior) + len(documents)) + [_LONGEST * n for n in counts.values()]
    if (np.abs(vectors) > np.array(most)[:, None]).any():
        raise saved.damaged
    ends = np.cumsum([len(prior), len(documents)])
    means, own, sums = np.split(vectors, ends)
    centring = Centring(
        dict(zip(prior, means, strict=True)), dict(zip(documents, own, strict=True))
    )
    centring.sums, centring.counts = dict(zip(counts, sums, strict=True)), dict(counts)
    return centring


def _read_banks(saved: Bundle, settings: dict[str, Any]) -> Iterator[QueryRows]:
    """Bank of queries in every view."""
    fields, n_queries = saved.fields, None
    if fields["hubs"] is None:
        raise ValueError(
            f"The index in {str(saved.folder)!r} has no query bank, which scoring="
            f'{settings["scoring"]!r} needs: open it with scoring="cosine", or build the index again.'
        )
    for i, part in enumerate(fields.get("views", [fields])):
        suffix = _suffix(saved, i)
        rows = _load(saved, f"bank{suffix}", (n_queries, part["width"]))
        n_queries, languages = len(rows), [""] * len(rows)
        if suffix:
            languages = _read_languages(
                saved, f"bank_languages{suffix}", part["languages"], n_queries
            )
        yield QueryRows(rows, languages)


def _read_languages(saved: Bundle, kind: str, codes: list[str], n: int) -> list[str]:
    places = _load(saved, kind, (n,), np.uint16)
    if n and int(places.max()) >= len(codes):
        raise saved.damaged
    return [codes[place] for place in places.tolist()]


def _correct(
    fusion: Fusion | None,
    views: list[SearchView],
    banks: list[QueryRows | None],
    settings: dict[str, Any],
    level: NDArray | None,
) -> None:
    """Correct the hubness of the documents, by their saved levels if there are any."""
    if level is None:
        correct_hubness(fusion, views, banks, partial(Hubness.of_bank, **settings))
        return
    rows = [centred(view.centring, bank) for view, bank in zip(views, banks, strict=True) if bank]
    joined = None if fusion is None else Joined(fusion, [view.index for view in views])
    bank = rows[0] if joined is None else joined.rows(rows)
    hubness = Hubness.of_bank(bank, **settings)
    hubness.level = level
    hubness.find_active(views[0].index.finder if joined is None else joined)
    if fusion is None:
        views[0].index.hubness = hubness
    else:
        fusion.hubness = hubness


def _load(
    saved: Bundle,
    kind: str,
    shape: tuple[int | None, ...],
    dtype: Any = np.float32,
    *,
    verify: bool = True,
) -> NDArray:
    """Array of a shape, mapped from its file; nothing is unpickled."""
    if kind not in saved.files:
        raise saved.damaged
    path = saved.path(kind, verify=verify)
    try:
        with np.errstate(all="ignore"):  # of a shape beyond all numbers
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # a header is read by Python's own parser, which raises errors of all kinds
        array = None
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != len(shape):
        raise saved.damaged
    if any(expected not in (None, n) for expected, n in zip(shape, array.shape, strict=True)):
        raise saved.damaged
    if verify and array.dtype.kind == "f":
        most = _LONGEST if kind.startswith(_UNIT) else np.inf
        if not _is_below(array, most):
            raise saved.damaged
    return array


def _is_below(array: NDArray, most: float) -> bool:
    """Whether all numbers of a mapped array are finite and not beyond a limit.

    Block by block, as it may be large.
    """
    step = max(1, _BLOCK // max(1, array[:1].size))
    for start in range(0, len(array), step):
        size = np.abs(array[start : start + step])
        if not (np.isfinite(size).all() and (size <= most).all()):
            return False
    return True


def _npy(arrays: Iterable[NDArray], shape: tuple[int, ...], dtype: str = "<f4") -> Iterator[bytes]:
    """Bytes of a .npy file, without joining the parts into one array."""
    header = BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    yield header.getvalue()
    for array in arrays:
        yield np.ascontiguousarray(array, dtype=dtype).tobytes()


def _places_of(languages: Sequence[str], codes: list[str]) -> Iterator[bytes]:
    """Bytes of a .npy file of the places of languages in a list of them."""
    place = {code: i for i, code in enumerate(codes)}
    places = np.array([place[code] for code in languages], dtype="<u2")
    return _npy([places], places.shape, "<u2")


def _lines(ids: list[Any], texts: list[str] | None) -> Iterator[bytes]:
    for i, key in enumerate(ids):
        row = [to_json(key)] if texts is None else [to_json(key), texts[i]]
        # ASCII escapes: a text from a broken file may hold half a surrogate pair.
        yield json.dumps(row).encode("ascii") + b"\n"


def _read_lines(saved: Bundle, n: int, is_text: bool) -> tuple[list[Any], list[str] | None]:
    path, rows = saved.path("documents"), []
    try:
        with path.open("rb") as file:
            for line in file:
                rows.append(_read_line(line))
                if len(rows) > n:
                    raise ValueError("there are more documents")
    except (ValueError, RecursionError) as error:
        raise saved.damaged from error
    for row in rows:
        if not isinstance(row, list) or len(row) != 1 + is_text:
            raise saved.damaged
        if not all(isinstance(text, str) for text in row[1:]):
            raise saved.damaged
    if len(rows) != n:
        raise saved.damaged
    try:
        ids = [from_json(row[0]) for row in rows]
        # A table of numbers that were chosen to have one hash takes the square of their count.
        distinct = len({*map(hash, ids)}) > len(ids) - _MOST_ALIKE and len({*ids}) == len(ids)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise saved.damaged from error
    if not distinct:
        raise saved.damaged
    return ids, [row[1] for row in rows] if is_text else None


def _read_line(line: bytes) -> Any:
    """Row of the documents: JSON in ASCII, of an identifier and a text, and of little else."""
    # A list costs many times its two characters, and a text may be of any length.
    if len(line) > _LONG_LINE and len(_STRING.sub(b"", line)) > _LONG_LINE:
        raise ValueError("there are too many values")
    return json.loads(line.decode("ascii"))


def _build_params(params: dict[str, Any], backend: Index) -> dict[str, Any]:
    return {
        name: _plain(value) for name, value in params.items() if name not in backend.search_params
    }


def _plain(value: Any) -> Any:
    """Value as JSON keeps it: NumPy numbers become Python's."""
    return value.item() if isinstance(value, np.generic) else value

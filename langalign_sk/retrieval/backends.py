"""Indexes of unit rows: exact, FAISS and hnswlib behind one interface."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._utils.optional import import_extra
from .exact import Rows, nearest

__all__ = ["BACKENDS", "Index", "make_index"]


class Index(Protocol):
    """What a retriever asks of an index; positions are those of `Rows`."""

    backend: str
    params: dict[str, Any]
    exact: bool
    file: str | None  # name of its file in a saved index
    free: tuple[str, ...]  # parameters that may be others when it is read again

    def build(self, rows: Rows) -> None:
        """Index all rows that are not removed."""

    def append(self, rows: NDArray, first: int) -> None:
        """Index rows whose positions begin at `first`."""

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        """Find these rows no more; `rows` has them removed."""

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and cosines of the k nearest rows, best first; -1 where none was found."""

    def write(self, path: str) -> None:
        """Put the index, without the rows that it was built from, into a file."""

    def read(self, path: str, rows: Rows) -> None:
        """Take it from a file again."""


class _Exact:
    """All rows, block by block."""

    backend = "exact"
    exact = True
    file = None
    free = ()

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = _take(params, {}, self.backend)

    def build(self, rows: Rows) -> None:
        self._rows = rows

    def append(self, rows: NDArray, first: int) -> None:
        """The rows are in `Rows` already."""

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        """They are marked in `Rows` already."""

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        return nearest(Q, self._rows, [(k, None)])[0]

    def write(self, path: str) -> None:
        raise NotImplementedError

    def read(self, path: str, rows: Rows) -> None:
        raise NotImplementedError


class _Faiss:
    """Whatever FAISS's index factory makes; "Flat" is exact."""

    backend = "faiss"
    file = "faiss"
    free = ("search",)

    def __init__(self, params: dict[str, Any]) -> None:
        self._faiss = _package("faiss")
        self.params = _take(params, {"factory": "Flat", "search": ""}, self.backend)
        self._factory = str(self.params["factory"])
        self.exact = self._factory == "Flat"

    def __getstate__(self) -> dict[str, Any]:
        # A module does not pickle.
        return {**self.__dict__, "_faiss": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _faiss=_package("faiss"))

    def build(self, rows: Rows) -> None:
        faiss = self._faiss
        try:
            index = faiss.index_factory(rows.width, self._factory, faiss.METRIC_INNER_PRODUCT)
            if not index.is_trained:
                index.train(np.concatenate([piece for _, piece in rows.pieces()])[rows.alive])
        except RuntimeError as error:
            raise ValueError(
                f"FAISS cannot make an index {self._factory!r} of {np.count_nonzero(rows.alive)} rows "
                f"of width {rows.width} ({_last_words(error)}): give backend_params={{'factory': ...}} "
                "a string of its index factory, such as 'Flat', 'HNSW32' or 'IVF1024,Flat'."
            ) from error
        # Own numbers, as a removal would shift FAISS's. An IVF index keeps numbers itself.
        self._index = index if self._factory.startswith("IVF") else faiss.IndexIDMap2(index)
        self._set_search()
        for first, piece in rows.pieces():
            alive = rows.alive[first : first + len(piece)]
            self._add(piece[alive], first + np.flatnonzero(alive))

    def _set_search(self) -> None:
        words = str(self.params["search"])
        try:
            if words:
                self._faiss.ParameterSpace().set_index_parameters(self._index, words)
        except RuntimeError as error:
            raise ValueError(
                f"FAISS does not know how to search {self._factory!r} with {words!r} "
                f"({_last_words(error)}): 'nprobe=16' goes with IVF, 'efSearch=64' with HNSW."
            ) from error

    def _add(self, rows: NDArray, positions: NDArray) -> None:
        self._index.add_with_ids(np.ascontiguousarray(rows), positions.astype(np.int64))

    def append(self, rows: NDArray, first: int) -> None:
        self._add(rows, first + np.arange(len(rows)))

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        try:
            self._index.remove_ids(positions.astype(np.int64))
        except RuntimeError:  # graphs cannot drop a row
            self.build(rows)

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        cosines, positions = self._index.search(np.ascontiguousarray(Q), k)
        cosines[positions < 0] = -np.inf
        return positions.astype(np.intp), cosines

    def write(self, path: str) -> None:
        self._faiss.write_index(self._index, path)

    def read(self, path: str, rows: Rows) -> None:
        self._index = self._faiss.read_index(path)
        self._set_search()


class _Hnswlib:
    """Navigable small-world graph (Malkov and Yashunin, arXiv 1603.09320)."""

    backend = "hnswlib"
    exact = False
    file = "hnsw"
    free = ("ef",)

    def __init__(self, params: dict[str, Any]) -> None:
        self._hnswlib = _package("hnswlib")
        known = {"M": 16, "ef_construction": 200, "ef": 100, "random_state": 0}
        self.params = _take(params, known, self.backend)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_hnswlib": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _hnswlib=_package("hnswlib"))

    def build(self, rows: Rows) -> None:
        # "ip" and not "cosine": the rows have unit length already.
        self._index = self._hnswlib.Index(space="ip", dim=rows.width)
        self._index.init_index(
            max_elements=len(rows.alive),
            M=self.params["M"],
            ef_construction=self.params["ef_construction"],
            random_seed=self.params["random_state"],
        )
        for first, piece in rows.pieces():
            alive = rows.alive[first : first + len(piece)]
            self._add(piece[alive], first + np.flatnonzero(alive))

    def _add(self, rows: NDArray, positions: NDArray) -> None:
        if len(rows):
            self._index.add_items(rows, positions)

    def append(self, rows: NDArray, first: int) -> None:
        self._index.resize_index(first + len(rows))
        self._add(rows, first + np.arange(len(rows)))

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        for position in positions:
            self._index.mark_deleted(int(position))

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        self._index.set_ef(max(self.params["ef"], k))
        found = np.full((len(Q), k), -1, dtype=np.intp)
        cosines = np.full((len(Q), k), -np.inf, dtype=np.float32)
        n = k
        while n:
            try:
                found[:, :n], distances = self._index.knn_query(Q, k=n)
            except RuntimeError:  # a query reaches fewer rows than it was asked for
                n //= 2
            else:
                cosines[:, :n] = 1 - distances
                break
        return found, cosines

    def write(self, path: str) -> None:
        self._index.save_index(path)

    def read(self, path: str, rows: Rows) -> None:
        self._index = self._hnswlib.Index(space="ip", dim=rows.width)
        self._index.load_index(path, max_elements=len(rows.alive))


_MAKERS: dict[str, Any] = {"exact": _Exact, "faiss": _Faiss, "hnswlib": _Hnswlib}
BACKENDS = tuple(_MAKERS)


def make_index(backend: str, params: dict[str, Any] | None) -> Index:
    """An index without rows, or an error that names what may be asked for."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}.")
    return _MAKERS[backend](dict(params or {}))


def _take(params: dict[str, Any], known: dict[str, Any], backend: str) -> dict[str, Any]:
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise ValueError(
            f"backend_params has {unknown}, which backend={backend!r} does not know. It takes "
            f"{sorted(known) or 'none'}."
        )
    return {**known, **params}


def _last_words(error: RuntimeError) -> str:
    """What FAISS says behind the place in its own source."""
    return str(error).splitlines()[0].rsplit(": ", 1)[-1].strip()


def _package(name: str) -> Any:
    return import_extra(name, f'backend="{name}" needs a package that is not installed', name)

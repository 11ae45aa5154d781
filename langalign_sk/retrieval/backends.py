"""Backends of an index of unit rows: exact, FAISS and hnswlib, behind one protocol."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .._utils.optional import import_extra
from .._utils.validation import ensured
from .exact import Rows, nearest

__all__ = ["BACKENDS", "CompleteSearch", "Index", "make_index"]


_WIDENING = 4  # factor by which an approximate search that finds too few rows looks at more
_LONGEST = 2.0  # of a number in a unit row, however it was rounded
# Rows that were added, or removed, since an index of a library was built or copied, at most, and as a
# share of its rows: to compare them with every query takes less time than a copy for each of them.
_MOST_PENDING = 1_024
_PENDING_SHARE = 1 / 16
_GONE_SHARE = 1 / 4  # of an index that must be built again without removed rows
_MORE = 16  # rows that are asked for beside k where some may be removed ones
# Header of a file of hnswlib 0.8: offset of level 0, rows that there is space for, rows, bytes per
# row, offsets of the label and of the data in it, highest level, first row of a search, links per
# row above level 0 and in it, and three numbers for building.
_GRAPH = np.dtype(
    [
        ("level_0", "<u8"),
        ("space", "<u8"),
        ("n", "<u8"),
        ("size", "<u8"),
        ("label", "<u8"),
        ("data", "<u8"),
        ("levels", "<i4"),
        ("start", "<u4"),
        ("most", "<u8"),
        ("most_0", "<u8"),
        ("M", "<u8"),
        ("mult", "<f8"),
        ("ef_construction", "<u8"),
    ]
)


class Index(Protocol):
    """Backend of a document index (protocol).

    A backend finds rows by their positions in `Rows`; it knows neither identifiers nor texts.
    `build` or `read` comes before all other methods.

    Attributes
    ----------
    name : str
        Value of the parameter `backend` that chooses it.
    params : dict
        All of its parameters, defaults included.
    exact : bool
        Whether `search` finds the same rows as `exact.nearest`.
    file : str or None
        Name of its file in a saved index. None: it is built from the saved rows.
    search_params : tuple of str
        Parameters that concern the search only, and may differ when the file is read.
    checks_file : bool
        Whether `read` refuses every file that could lead the library out of its memory.
    """

    name: str
    params: dict[str, Any]
    exact: bool
    file: str | None
    search_params: tuple[str, ...]
    checks_file: bool

    def build(self, rows: Rows) -> None:
        """Index all rows that are not removed."""

    def append(self, rows: NDArray, first: int) -> None:
        """Find rows, too, which `Rows` has taken in at the positions from `first` on."""

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        """Stop finding these rows, which `rows` has marked as removed."""

    def copied(self, rows: Rows) -> Index:
        """Backend of a copy of the rows, whose changes leave this one as it is."""

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and cosines of the k nearest rows, best first; -1 and -inf if it finds fewer."""

    def write(self, path: str) -> None:
        """Write the index to a file, without the rows that it was built from."""

    def read(self, path: str, rows: Rows) -> None:
        """Read what `write` wrote; raise RuntimeError if it is found to be damaged."""


class CompleteSearch:
    """Search of a backend that finds all k rows of every query.

    An approximate index may find fewer than k rows for a query, be it in a cell with few rows or in a
    part of a graph that is cut off. Such queries, and no others, are compared with every row.

    Parameters
    ----------
    backend : Index
        Backend that was built on the rows, or read for them.
    rows : Rows
        The rows.
    """

    def __init__(self, backend: Index, rows: Rows) -> None:
        self._backend, self._rows = backend, rows
        self.exact = backend.exact

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and cosines of the k nearest rows, best first.

        Parameters
        ----------
        Q : ndarray of shape (n_queries, width), float32
            Unit rows.
        k : int
            At most the number of rows that are not removed.

        Returns
        -------
        positions : ndarray of shape (n_queries, k), dtype int
            Positions, all of them at least 0.
        cosines : ndarray of shape (n_queries, k), float32
            Their cosines.
        """
        positions, cosines = self._backend.search(Q, k)
        few = np.flatnonzero((positions < 0).any(axis=1))
        if len(few):
            positions[few], cosines[few] = nearest(Q[few], self._rows, [(k, None)])[0]
        return positions, cosines


# Pickles hold the names of these three classes and of their attributes.


class _Exact:
    """Exact search over all rows, block by block."""

    name = "exact"
    exact = True
    file = None
    search_params = ()
    checks_file = True

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = _checked_params(params, {}, self.name)

    def build(self, rows: Rows) -> None:
        self._rows = rows

    def append(self, rows: NDArray, first: int) -> None:
        """Do nothing: `Rows` has the rows already."""

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        """Do nothing: `Rows` has marked them already."""

    def copied(self, rows: Rows) -> _Exact:
        out = copy.copy(self)
        out._rows = rows
        return out

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        return nearest(Q, self._rows, [(k, None)])[0]

    def write(self, path: str) -> None:
        raise NotImplementedError

    def read(self, path: str, rows: Rows) -> None:
        raise NotImplementedError


class _OfLibrary(ABC):
    """Base class of the backends of libraries, whose indexes do not change once they are searched.

    Threads may search an index while documents are added to a copy of it, and to copy all of it for
    every document would be slow. So rows that were added are compared with each query, and rows
    that were removed are left out of what the library finds. When there are many of them, the
    index is copied once, takes in what was added, and drops what was removed.
    """

    params: dict[str, Any]
    _index: Any  # of the library
    # Pickles of earlier releases have none of these: all rows are in the index.
    _rows: Rows | None = None
    _n_indexed: int = 0  # rows from this position on are not in the index
    _gone: NDArray[np.intp] = np.empty(0, dtype=np.intp)  # positions of removed rows that are in it

    @abstractmethod
    def _new_index(self, rows: Rows) -> Any:
        """Index of the library, without rows."""

    @abstractmethod
    def _copied_index(self, n: int) -> Any:
        """Copy of the index with space for n positions."""

    @abstractmethod
    def _insert(self, rows: NDArray, positions: NDArray[np.intp]) -> None:
        """Put rows into the index."""

    @abstractmethod
    def _drop(self, positions: NDArray[np.intp]) -> None:
        """Drop rows from the index; raise RuntimeError if it cannot."""

    @abstractmethod
    def _found(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and cosines of the k nearest rows in the index; -1 and -inf if it finds fewer."""

    @abstractmethod
    def _write_index(self, path: str) -> None:
        """Write the index to a file."""

    @property
    def _can_drop(self) -> bool:
        """Whether rows can be dropped, and the index need not be built again."""
        return True

    @property
    def _keeps_rows(self) -> bool:
        """Whether the index keeps whole rows, so that its cosines are those of the rows."""
        return True

    def build(self, rows: Rows) -> None:
        self._index = self._new_index(rows)
        self._take_rows(rows)
        for first, piece in rows.pieces():
            alive = rows.alive[first : first + len(piece)]
            self._insert(piece[alive], first + np.flatnonzero(alive))

    def _take_rows(self, rows: Rows) -> None:
        """Note rows, all of which are in the index."""
        self._rows, self._n_indexed = rows, len(rows.alive)
        self._gone = np.empty(0, dtype=np.intp)

    def copied(self, rows: Rows) -> Self:
        out = copy.copy(self)
        if self._rows is None:
            out._take_rows(rows)
        out._rows = rows
        return out

    def append(self, rows: NDArray, first: int) -> None:
        n_pending = first + len(rows) - self._n_indexed
        if n_pending > self._most_pending or not self._keeps_rows:
            self._insert_pending()

    @property
    def _most_pending(self) -> float:
        return min(_MOST_PENDING, _PENDING_SHARE * self._n_indexed)

    def _insert_pending(self) -> None:
        """Put rows that were added into a copy of the index."""
        rows = ensured(self._rows, "rows")
        first, n = self._n_indexed, len(rows.alive)
        added = rows.since(first)
        positions = np.flatnonzero(added.alive)
        self._index, self._n_indexed = self._copied_index(n), n
        self._insert(added.take(positions), first + positions)

    def remove(self, positions: NDArray[np.intp], rows: Rows) -> None:
        gone = np.concatenate([self._gone, positions[positions < self._n_indexed]])
        if not self._can_drop:
            if len(gone) > _GONE_SHARE * self._n_indexed:
                self.build(rows)
                return
        elif len(gone) > self._most_pending:
            self._index = self._copied_index(len(rows.alive))
            try:
                self._drop(gone)
            except RuntimeError:
                self.build(rows)
                return
            gone = gone[:0]
        self._gone = gone

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        rows, first = self._rows, self._n_indexed
        if rows is None or (len(rows.alive) == first and not len(self._gone)):
            return self._found(Q, k)
        positions, cosines = self._found_alive(Q, k, rows.alive[:first])
        few = (positions < 0).any(axis=1)
        added = rows.since(first)
        n = min(k, int(np.count_nonzero(added.alive)))
        if n:
            more, cosines_of_more = nearest(Q, added, [(n, None)])[0]
            positions = np.concatenate([positions, first + more], axis=1)
            cosines = np.concatenate([cosines, cosines_of_more], axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        out = np.full((len(Q), k), -1, dtype=np.intp), np.full((len(Q), k), -np.inf, np.float32)
        out[0][:, : order.shape[1]] = np.take_along_axis(positions, order, axis=1)
        out[1][:, : order.shape[1]] = np.take_along_axis(cosines, order, axis=1)
        out[0][few, -1], out[1][few, -1] = -1, -np.inf  # added rows may stand for nearer ones
        return out

    def _found_alive(
        self, Q: NDArray, k: int, alive: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and cosines of the nearest rows in the index, at most k, without removed ones."""
        n, n_gone = int(np.count_nonzero(alive)), len(self._gone)
        k = min(k, n)
        if not k:
            return np.empty((len(Q), 0), dtype=np.intp), np.empty((len(Q), 0), dtype=np.float32)
        positions, cosines = self._found(Q, k + min(n_gone, max(k, _MORE)))
        gone = (positions < 0) | ~alive[positions]
        positions[gone], cosines[gone] = -1, -np.inf
        order = np.argsort(gone, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(positions, order, axis=1), np.take_along_axis(
            cosines, order, axis=1
        )

    def write(self, path: str) -> None:
        whole = copy.copy(self)
        if whole._rows is not None and len(whole._rows.alive) > whole._n_indexed:
            whole._insert_pending()
        whole._write_index(path)


class _Faiss(_OfLibrary):
    """Index made by FAISS's index factory; "Flat" is exact."""

    name = "faiss"
    file = "faiss"
    search_params = ("search",)
    checks_file = False

    def __init__(self, params: dict[str, Any]) -> None:
        self._faiss = _import_library("faiss")
        self.params = _checked_params(params, {"factory": "Flat", "search": ""}, self.name)
        self._factory = str(self.params["factory"])
        self.exact = self._factory == "Flat"

    def __getstate__(self) -> dict[str, Any]:
        # Modules cannot be pickled.
        return {**self.__dict__, "_faiss": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _faiss=_import_library("faiss"))

    def _new_index(self, rows: Rows) -> Any:
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
        # A removal would shift FAISS's own numbers, so that each row gets its position as a number;
        # IVF indexes take such numbers themselves.
        if not self._factory.startswith("IVF"):
            index = faiss.IndexIDMap2(index)
        self._set_search(index)
        return index

    def _set_search(self, index: Any) -> None:
        setting = str(self.params["search"])
        try:
            if setting:
                self._faiss.ParameterSpace().set_index_parameters(index, setting)
        except RuntimeError as error:
            raise ValueError(
                f"FAISS does not know how to search {self._factory!r} with {setting!r} "
                f"({_last_words(error)}): 'nprobe=16' goes with IVF, 'efSearch=64' with HNSW."
            ) from error

    def _copied_index(self, n: int) -> Any:
        return self._faiss.clone_index(self._index)

    def _insert(self, rows: NDArray, positions: NDArray[np.intp]) -> None:
        self._index.add_with_ids(np.ascontiguousarray(rows), positions.astype(np.int64))

    def _drop(self, positions: NDArray[np.intp]) -> None:
        self._index.remove_ids(positions.astype(np.int64))

    @property
    def _inner(self) -> Any:
        """Index of FAISS that holds the rows."""
        return self._faiss.downcast_index(getattr(self._index, "index", self._index))

    @property
    def _can_drop(self) -> bool:
        # A graph raises, and a transformation would end the process.
        kinds = self._faiss.IndexHNSW, self._faiss.IndexNSG, self._faiss.IndexPreTransform
        return not isinstance(self._inner, kinds)

    @property
    def _keeps_rows(self) -> bool:
        faiss = self._faiss
        kinds = faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSWFlat
        return isinstance(self._inner, kinds)

    def _found(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        Q = np.ascontiguousarray(Q)
        cosines, positions = self._index.search(Q, k)
        for wider in self._wider_searches(k):
            few = np.flatnonzero((positions < 0).any(axis=1))
            if not len(few):
                break
            cosines[few], positions[few] = self._index.search(Q[few], k, params=wider)
        cosines[positions < 0] = -np.inf
        return positions.astype(np.intp), cosines

    def _wider_searches(self, k: int) -> Iterator[Any]:
        """Parameters of searches that look at more and more rows, where FAISS has such parameters."""
        faiss, inner = self._faiss, self._inner
        if isinstance(inner, faiss.IndexIVF):
            n_probed = inner.nprobe
            while n_probed < inner.nlist:
                n_probed = min(_WIDENING * n_probed, inner.nlist)
                yield faiss.SearchParametersIVF(nprobe=n_probed)
        elif isinstance(inner, faiss.IndexHNSW):
            width = _WIDENING * max(k, inner.hnsw.efSearch)
            yield faiss.SearchParametersHNSW(efSearch=min(width, inner.ntotal))

    def _write_index(self, path: str) -> None:
        self._faiss.write_index(self._index, path)

    def read(self, path: str, rows: Rows) -> None:
        index = self._faiss.read_index(path)
        found = [self._faiss.vector_to_array(index.id_map)] if hasattr(index, "id_map") else []
        n = len(rows.alive)
        if (index.d, index.ntotal) != (rows.width, n) or any(
            len(ids) != n or ids.min() < 0 or ids.max() >= n for ids in found
        ):
            raise RuntimeError("the index is of other rows")
        self._index = index
        self._take_rows(rows)
        self._set_search(index)


class _Hnswlib(_OfLibrary):
    """Hierarchical navigable small-world graph (Malkov and Yashunin, arXiv 1603.09320)."""

    name = "hnswlib"
    exact = False
    file = "hnsw"
    search_params = ("ef",)
    checks_file = True

    def __init__(self, params: dict[str, Any]) -> None:
        self._hnswlib = _import_library("hnswlib")
        defaults = {"M": 16, "ef_construction": 200, "ef": 100, "random_state": 0}
        self.params = _checked_params(params, defaults, self.name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_hnswlib": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _hnswlib=_import_library("hnswlib"))
        if "_index" in state:  # of an earlier release, whose searches set `ef`
            self._set_search(self._index)

    def _new_index(self, rows: Rows) -> Any:
        # "ip" and not "cosine": the rows have unit length already.
        index = self._hnswlib.Index(space="ip", dim=rows.width)
        index.init_index(
            max_elements=len(rows.alive),
            M=self.params["M"],
            ef_construction=self.params["ef_construction"],
            random_seed=self.params["random_state"],
        )
        self._set_search(index)
        return index

    def _copied_index(self, n: int) -> Any:
        # A copy draws levels from its seed anew: with the same seed, all documents that are added to
        # copies one by one would get the same level.
        state = {**self._index.__getstate__()[0]}
        state["seed"] = self.params["random_state"] + n
        index = self._hnswlib.Index.__new__(self._hnswlib.Index)
        index.__setstate__((state,))
        index.resize_index(n)
        self._set_search(index)
        return index

    def _insert(self, rows: NDArray, positions: NDArray[np.intp]) -> None:
        if len(rows):
            self._index.add_items(rows, positions)

    def _drop(self, positions: NDArray[np.intp]) -> None:
        for position in positions:
            self._index.mark_deleted(int(position))

    def _set_search(self, index: Any) -> None:
        # Once, as threads share it; a search for more rows than `ef` looks at as many as it wants.
        index.set_ef(self.params["ef"])

    def _found(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        positions = np.full((len(Q), k), -1, dtype=np.intp)
        cosines = np.full((len(Q), k), -np.inf, dtype=np.float32)
        parts = [np.arange(len(Q))] if len(Q) else []
        while parts:
            part = parts.pop()
            try:
                found, distances = self._index.knn_query(Q[part], k=k)
            except RuntimeError:  # one of these queries reaches fewer than k rows
                if len(part) > 1:
                    parts += np.array_split(part, 2)
            else:
                positions[part], cosines[part] = found, 1 - distances
        return positions, cosines

    def _write_index(self, path: str) -> None:
        self._index.save_index(path)

    def read(self, path: str, rows: Rows) -> None:
        for name, value in self.params.items():
            if not isinstance(value, Integral) or not 0 <= int(value) < 1 << 31:
                raise RuntimeError(f"{name} is not a number that the library takes")
        _check_graph(path, len(rows.alive), rows.width, self.params)
        self._index = self._hnswlib.Index(space="ip", dim=rows.width)
        self._index.load_index(path, max_elements=len(rows.alive))
        labels = np.array(self._index.get_ids_list(), dtype=np.int64)
        if not np.array_equal(np.sort(labels), np.arange(len(rows.alive))):
            raise RuntimeError("the index is of other rows")
        self._take_rows(rows)
        self._set_search(self._index)


def _check_graph(path: str, n: int, width: int, params: dict[str, Any]) -> None:
    """Raise RuntimeError unless a file of hnswlib is of so many rows, and all links lead to rows.

    hnswlib follows links and offsets without looking whether they lead out of its memory, and adds
    rows with the numbers of links that the file says.
    """
    raw = np.fromfile(path, dtype=np.uint8)
    if len(raw) < _GRAPH.itemsize:
        raise RuntimeError("the graph is cut short")
    head = raw[: _GRAPH.itemsize].view(_GRAPH)[0]
    most, most_0 = int(head["most"]), int(head["most_0"])
    links_0, links = 4 * most_0 + 4, 4 * most + 4
    expected = {
        "level_0": 0,
        "n": n,
        "size": links_0 + 4 * width + 8,
        "label": links_0 + 4 * width,
        "data": links_0,
    }
    end = _GRAPH.itemsize + n * expected["size"]
    right = all(int(head[name]) == value for name, value in expected.items()) and end <= len(raw)
    if not right or not 0 < most_0 < 1 << 16 or not 0 <= head["start"] < n:
        raise RuntimeError("the graph is of other rows")
    m, ef = params["M"], max(params["M"], params["ef_construction"])
    built = (m, 2 * m, m, ef)
    with np.errstate(divide="ignore"):
        scale = 1 / np.log(float(m))
    if (most, most_0, int(head["M"]), int(head["ef_construction"])) != built:
        raise RuntimeError("the graph is built by other parameters")
    if not np.isclose(head["mult"], scale):
        raise RuntimeError("the graph is built by other parameters")
    rows = raw[_GRAPH.itemsize : end].reshape(n, expected["size"])
    _check_links(np.ascontiguousarray(rows[:, :links_0]).view(np.uint32), n)
    numbers = np.ascontiguousarray(rows[:, links_0 : links_0 + 4 * width]).view(np.float32)
    if not (np.abs(numbers) <= _LONGEST).all():  # of NaN too
        raise RuntimeError("the graph is of rows of another length")
    at, levels = end, np.zeros(n, dtype=int)
    upper = []
    for i in range(n):
        size = int.from_bytes(raw[at : at + 4].tobytes(), "little")
        at += 4 + size
        if size % links or at > len(raw):
            raise RuntimeError("the graph is cut short")
        levels[i] = size // links
        if size:
            upper.append(raw[at - size : at].reshape(-1, links))
    if at != len(raw) or levels.max() != head["levels"] or levels[head["start"]] != levels.max():
        raise RuntimeError("the graph has other levels")
    if not upper:
        return
    lists = np.ascontiguousarray(np.concatenate(upper)).view(np.uint32)
    level = np.concatenate([np.arange(1, count + 1) for count in levels[levels > 0]])
    targets = _check_links(lists, n)
    too_low = (targets >= 0) & (levels[targets] < level[:, None])
    if too_low.any():
        raise RuntimeError("the graph leads to a row that is not in the level")


def _check_links(lists: NDArray[np.uint32], n: int) -> NDArray[np.int64]:
    """Rows that lists of links lead to, -1 where there is no link; all of them are below n."""
    counts = lists[:, 0]  # the upper bits would mark removed rows, which are not saved
    used = np.arange(lists.shape[1] - 1) < counts[:, None]
    if (counts >= lists.shape[1]).any() or (lists[:, 1:][used] >= n).any():
        raise RuntimeError("the graph leads out of its rows")
    return np.where(used, lists[:, 1:].astype(np.int64), -1)


_MAKERS: dict[str, Any] = {"exact": _Exact, "faiss": _Faiss, "hnswlib": _Hnswlib}
BACKENDS = tuple(_MAKERS)


def make_index(backend: str, params: dict[str, Any] | None) -> Index:
    """Backend without rows, by its name and parameters; an error says what is allowed."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {BACKENDS}, got {backend!r}.")
    return _MAKERS[backend](dict(params or {}))


def _checked_params(
    params: dict[str, Any], defaults: dict[str, Any], backend: str
) -> dict[str, Any]:
    """Parameters with defaults filled in."""
    unknown = sorted(set(params) - set(defaults))
    if unknown:
        raise ValueError(
            f"backend_params has {unknown}, which backend={backend!r} does not know. It takes "
            f"{sorted(defaults) or 'none'}."
        )
    return {**defaults, **params}


def _last_words(error: RuntimeError) -> str:
    """Message of FAISS, without the place in its source code."""
    return str(error).splitlines()[0].rsplit(": ", 1)[-1].strip()


def _import_library(name: str) -> Any:
    return import_extra(name, f'backend="{name}" needs a package that is not installed', name)

"""Cache of encoded rows in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Encode, checked_size, info_frame, keys_of

__all__ = ["MemoryCache"]


_MEMORY_BYTES = 128 * 2**20


class MemoryCache:
    """Cache of encoded rows in the memory of this process.

    A clone of an encoder shares the cache; a pickle holds the limit but not the rows.

    Parameters
    ----------
    max_bytes : int, default=134217728
        Size of the rows to keep, in bytes; the oldest rows are dropped first.

    Examples
    --------
    >>> from langalign_sk.encoders import MemoryCache, SentenceEncoder
    >>> cache = MemoryCache(max_bytes=1_000_000)
    >>> rows = SentenceEncoder("use-multilingual", cache=cache).encode(["one", "two", "one"])
    >>> cache.info()[["rows", "bytes"]].values.tolist()
    [[2, 4096]]
    """

    def __init__(self, max_bytes: int = _MEMORY_BYTES) -> None:
        self.max_bytes = checked_size(max_bytes)
        self._rows: OrderedDict[bytes, tuple[str, NDArray]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def rows(
        self, encoder: str, texts: list[str], width: int, encode: Encode, block: int
    ) -> NDArray:
        """Rows of distinct texts; missing rows are encoded and kept block by block.

        Parameters
        ----------
        encoder : str
            Identity of the model and all settings that change its rows.
        texts : list of str
            Distinct texts.
        width : int
            Width of a row.
        encode : callable
            ``encode(list of str)`` returns rows of shape (n_texts, width), float32.
        block : int
            Number of texts that are encoded before their rows are kept.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            In the order of the texts.
        """
        keys = keys_of(encoder, texts)
        with self._lock:
            found = [self._rows.get(key) for key in keys]
        out = np.empty((len(texts), width), dtype=np.float32)
        for i, entry in enumerate(found):
            if entry is not None:
                out[i] = entry[1]
        missing = [i for i, entry in enumerate(found) if entry is None]
        for start in range(0, len(missing), block):
            chunk = missing[start : start + block]
            out[chunk] = encode([texts[i] for i in chunk])
            self._keep(encoder, [(keys[i], out[i].copy()) for i in chunk])
        return out

    def _keep(self, encoder: str, entries: list[tuple[bytes, NDArray]]) -> None:
        with self._lock:
            for key, row in entries:
                before = self._rows.pop(key, None)
                self._rows[key] = encoder, row
                self._bytes += row.nbytes - (0 if before is None else before[1].nbytes)
            while self._bytes > self.max_bytes:
                self._bytes -= self._rows.popitem(last=False)[1][1].nbytes

    def info(self) -> Any:
        """Contents of the cache.

        Returns
        -------
        pandas.DataFrame
            Columns encoder, rows, bytes; one row per encoder.
        """
        sizes: dict[str, list[int]] = {}
        with self._lock:
            for encoder, row in self._rows.values():
                entry = sizes.setdefault(encoder, [0, 0])
                entry[0] += 1
                entry[1] += row.nbytes
        return info_frame([(name, n, size) for name, (n, size) in sizes.items()])

    def purge(self, encoder: str | None = None) -> int:
        """Delete all rows, or those of one encoder.

        Parameters
        ----------
        encoder : str, default=None
            As named in `info`; None deletes the rows of all encoders.

        Returns
        -------
        int
            Number of deleted rows.
        """
        with self._lock:
            gone = [k for k, (name, _) in self._rows.items() if encoder in (None, name)]
            for key in gone:
                self._bytes -= self._rows.pop(key)[1].nbytes
        return len(gone)

    def __repr__(self) -> str:
        return f"MemoryCache(max_bytes={self.max_bytes})"

    def __copy__(self) -> MemoryCache:
        return self

    def __deepcopy__(self, memo: Any) -> MemoryCache:
        return self  # sklearn.base.clone copies parameters

    def __reduce__(self) -> Any:
        return MemoryCache, (self.max_bytes,)

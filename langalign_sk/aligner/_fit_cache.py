"""Cache of fitted maps, so that the folds of a search fit each of them once."""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import check_number

__all__ = ["FitCache", "FitCacheInfo", "fit_cache", "key_of"]


class FitCacheInfo(NamedTuple):
    """Statistics of a cache of fitted maps.

    Attributes
    ----------
    hits, misses : int
        Fits that were taken from the cache, and fits that were made, since the last `clear`.
    n_fits : int
        Fits that are kept.
    n_bytes : int
        Their size.

    Examples
    --------
    >>> from langalign_sk.model_selection import FitCacheInfo
    >>> FitCacheInfo(hits=4, misses=1, n_fits=1, n_bytes=1_050_000)
    FitCacheInfo(hits=4, misses=1, n_fits=1, n_bytes=1050000)
    """

    hits: int
    misses: int
    n_fits: int
    n_bytes: int


class FitCache:
    """Fitted language maps in the memory of this process, by their pairs and settings.

    Every fold of a search over a Pipeline fits an aligner on the same pairs. A
    CrossLingualAligner with an int as `random_state` fits each distinct map once and takes copies
    of it afterwards. ``langalign_sk.model_selection.fit_cache`` is the cache of the process; worker
    processes have one each.

    Parameters
    ----------
    max_bytes : int, default=134217728
        Size of the fits to keep, in bytes; those that were not used for longest go first.

    Attributes
    ----------
    max_bytes : int
        The limit, which may be set at any time. 0 switches the cache off.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner
    >>> from langalign_sk.model_selection import fit_cache
    >>> fit_cache.clear()
    >>> for _ in range(2):
    ...     aligner = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
    >>> fit_cache.info().hits > 0
    True
    >>> fit_cache.clear()
    """

    def __init__(self, max_bytes: int = 128 * 2**20) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._n_bytes = 0
        self.clear()
        self.max_bytes = max_bytes

    @property
    def max_bytes(self) -> int:
        """Size of the fits to keep, in bytes; 0 switches the cache off."""
        return self._max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        check_number("max_bytes", value, Integral, lambda v: v >= 0, "a non-negative int")
        with self._lock:
            self._max_bytes = int(value)
            self._shrink()

    def info(self) -> FitCacheInfo:
        """Hits, misses, number and size of the fits that are kept.

        Returns
        -------
        FitCacheInfo
            A named tuple.
        """
        with self._lock:
            return FitCacheInfo(self._hits, self._misses, len(self._kept), self._n_bytes)

    def clear(self) -> None:
        """Forget all fits, and count hits and misses from 0."""
        with self._lock:
            self._kept.clear()
            self._n_bytes = self._hits = self._misses = 0

    def fetch(self, key: bytes, fit: Callable[[], Any]) -> Any:
        """What `fit` returns, or a copy of what it returned for the same key.

        Parameters
        ----------
        key : bytes
            Digest of all that the fit depends on.
        fit : callable
            Takes no arguments; what it returns can be pickled.

        Returns
        -------
        object
            Of the caller's own: nothing that is done to it changes what is kept.
        """
        with self._lock:
            content = self._kept.get(key)
            if content is not None:
                self._kept.move_to_end(key)
                self._hits += 1
            else:
                self._misses += 1
        if content is not None:
            return pickle.loads(content)  # nosec B301 # bytes of this object only
        result = fit()
        if self.max_bytes:
            content = pickle.dumps(result)
            with self._lock:
                self._n_bytes += len(content) - len(self._kept.pop(key, b""))
                self._kept[key] = content
                self._shrink()
        return result

    def _shrink(self) -> None:
        while self._n_bytes > self._max_bytes:
            self._n_bytes -= len(self._kept.popitem(last=False)[1])

    def __repr__(self) -> str:
        return f"FitCache(max_bytes={self.max_bytes})"


def key_of(settings: Any, arrays: Iterable[NDArray] = (), texts: Iterable[str] = ()) -> bytes:
    """Digest of settings, arrays and texts.

    Parameters
    ----------
    settings : object
        With a repr that tells different settings apart.
    arrays : iterable of ndarray
        Compared by shape, dtype and bytes.
    texts : iterable of str
        Compared one by one.

    Returns
    -------
    bytes
        20 of them.
    """
    digest = hashlib.blake2b(repr(settings).encode("utf-8", "surrogatepass"), digest_size=20)
    for array in arrays:
        digest.update(repr((array.shape, array.dtype)).encode())
        digest.update(np.ascontiguousarray(array).data)
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(content) + content)
    return digest.digest()


fit_cache = FitCache()

"""Cache behind the parameter `cache` of an encoder."""

from __future__ import annotations

import os
from typing import Any

from .base import RowStore
from .folder import FolderCache
from .memory import MemoryCache

__all__ = ["as_cache", "shared_memory_cache"]


def as_cache(cache: Any) -> RowStore | None:
    """Cache behind the parameter `cache` of an encoder.

    Parameters
    ----------
    cache : None, "memory", path, MemoryCache or FolderCache
        "memory" is one cache for all encoders of the process.

    Returns
    -------
    object or None
        With ``rows(encoder, texts, width, encode, block)``.

    Raises
    ------
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from langalign_sk.encoders.cache.lookup import as_cache
    >>> as_cache("rows/")
    FolderCache('rows/')
    """
    if cache is None or isinstance(cache, MemoryCache | FolderCache):
        return cache
    if isinstance(cache, str | os.PathLike):
        return shared_memory_cache if cache == "memory" else FolderCache(cache)
    raise TypeError(
        'cache must be None, "memory", a folder, a MemoryCache or a FolderCache, got '
        f"{type(cache).__name__}."
    )


shared_memory_cache = MemoryCache()

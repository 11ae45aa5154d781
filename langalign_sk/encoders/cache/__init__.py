"""Caches of encoded rows."""

from .folder import FolderCache
from .lookup import as_cache
from .memory import MemoryCache

__all__ = ["FolderCache", "MemoryCache", "as_cache"]

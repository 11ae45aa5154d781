"""Alias of encoders.cache.folder: an address in saved models."""

from .cache.folder import FolderCache

__all__ = ["FolderCache"]

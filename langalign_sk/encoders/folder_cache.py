"""An address that stands in saved models; the classes are in encoders.cache.folder."""

from .cache.folder import FolderCache

__all__ = ["FolderCache"]

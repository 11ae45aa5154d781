"""Frozen sentence encoders: by name, over HTTP, and a user's own objects; and caches of rows."""

from .cache import MemoryCache
from .endpoint import EndpointEncoder
from .folder_cache import FolderCache
from .handles import EncodingSession, SentenceEncoder, as_encoder
from .presets import list_encoders

__all__ = [
    "EncodingSession",
    "EndpointEncoder",
    "FolderCache",
    "MemoryCache",
    "SentenceEncoder",
    "as_encoder",
    "list_encoders",
]

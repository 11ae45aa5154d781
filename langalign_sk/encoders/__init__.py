"""Frozen sentence encoders, by name, over HTTP or from a user's own object, and their caches."""

from .cache.folder import FolderCache
from .cache.memory import MemoryCache
from .endpoint import EndpointEncoder
from .models.presets import list_encoders
from .objects import as_encoder
from .sentence import SentenceEncoder
from .session import EncodingSession

__all__ = [
    "EncodingSession",
    "EndpointEncoder",
    "FolderCache",
    "MemoryCache",
    "SentenceEncoder",
    "as_encoder",
    "list_encoders",
]

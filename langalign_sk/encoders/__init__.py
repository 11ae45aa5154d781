"""Frozen sentence encoders: handles by name, and adapters around a user's own objects."""

from .handles import EncodingSession, SentenceEncoder, as_encoder
from .registry import list_encoders

__all__ = ["EncodingSession", "SentenceEncoder", "as_encoder", "list_encoders"]

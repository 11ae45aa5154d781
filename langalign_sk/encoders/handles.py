"""Alias of the modules that hold these names now: an address in saved models."""

from .objects import as_encoder
from .sentence import SentenceEncoder
from .session import EncodingSession

__all__ = ["EncodingSession", "SentenceEncoder", "as_encoder"]

"""Alias of the modules that hold these names now: an address in saved models and pickles."""

from .objects import _ObjectEncoder, _TransformerEncoder, as_encoder
from .sentence import SentenceEncoder
from .session import EncodingSession

__all__ = [
    "EncodingSession",
    "SentenceEncoder",
    "_ObjectEncoder",
    "_TransformerEncoder",
    "as_encoder",
]

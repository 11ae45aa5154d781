"""An address that stands in saved models; the classes are in encoders."""

from . import EncodingSession, SentenceEncoder, as_encoder

__all__ = ["EncodingSession", "SentenceEncoder", "as_encoder"]

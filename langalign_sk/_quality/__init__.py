"""Row quality: conformal p-values of rows against those of a fit."""

from .texts import TextModel, TextQuality
from .vectors import VectorModel, VectorQuality

__all__ = ["TextModel", "TextQuality", "VectorModel", "VectorQuality"]

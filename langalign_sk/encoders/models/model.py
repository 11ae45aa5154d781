"""Loaded models, and the specification of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .limit import Limit

__all__ = ["LayerError", "Model", "Spec", "folder_identity"]

_SAMPLE_BYTES = 65_536
_N_SAMPLES = 16  # enough to tell the weights of different training runs apart


class LayerError(ValueError):
    """Error about a hidden layer that a model does not have."""


@dataclass(frozen=True)
class Spec:
    """Specification of a model: its name, and how it is loaded."""

    name: str
    revision: str | None = None
    pooling: str | None = None
    layer: tuple[int, ...] | None = None
    max_length: int | None = None
    device: str | tuple[str, ...] | None = None
    dtype: str | None = None
    backend: str = "torch"
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes
    ----------
    encode : callable
        ``encode(texts, prompt, batch_size)`` returns floats of shape (n_texts, width).
    width : int
        Width of a row.
    identity : str
        The name, with a version, a commit or a hash of the files.
    to_module : callable
        ``to_module()`` returns the SentenceTransformer of the model; None for a model of another
        kind.
    limit : Limit
        How much of a text is read; None where it is not known, or is the whole text.
    """

    encode: Callable[[list[str], str | None, int], NDArray]
    width: int
    identity: str
    to_module: Callable[[], Any] | None = None
    limit: Limit | None = None


def folder_identity(folder: str) -> str:
    """Name of a folder and a hash of its files; large files are sampled."""
    root = Path(folder)
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(root).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            last = max(0, size - _SAMPLE_BYTES)
            for start in np.linspace(0, last, _N_SAMPLES).astype(int):
                file.seek(start)
                digest.update(file.read(_SAMPLE_BYTES))
    return f"{root.resolve().name}@{digest.hexdigest()}"

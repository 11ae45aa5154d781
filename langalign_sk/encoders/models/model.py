"""A loaded model, and what decides which one is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Model", "Spec"]


_BLOCK = 65_536


@dataclass(frozen=True)
class Spec:
    """All that decides which model is loaded, and how."""

    name: str
    revision: str | None = None
    pooling: str | None = None
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
        Of a row.
    identity : str
        The name and what was found under it: a version, a commit or a hash of the files.
    """

    encode: Callable[[list[str], str | None, int], NDArray]
    width: int
    identity: str


def folder_identity(folder: str) -> str:
    """Name of a folder and a hash of its files: of all bytes, or of samples of large files."""
    root = Path(folder)
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(root).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            # Sixteen blocks tell weights of different training runs apart.
            for start in np.linspace(0, max(0, size - _BLOCK), 16).astype(int):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return f"{root.resolve().name}@{digest.hexdigest()}"

"""Loaded models, and the specification of a model."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .elsewhere import hub_version, named_elsewhere
from .file_hashes import hash_of_file
from .limit import Limit

__all__ = [
    "LayerError",
    "Model",
    "Spec",
    "folder_identity",
    "identity_elsewhere",
    "is_sampled",
    "sampled_identity",
]

_SAMPLED = re.compile(r".*@[0-9a-f]{16}", re.DOTALL)
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
    former_identity : callable
        ``former_identity()`` returns the identity that earlier releases gave the model; None where
        it is the same.
    """

    encode: Callable[[list[str], str | None, int], NDArray]
    width: int
    identity: str
    to_module: Callable[[], Any] | None = None
    limit: Limit | None = None
    former_identity: Callable[[], str] | None = None

    def is_known_as(self, identity: str) -> bool:
        """Whether this release, or an earlier one, gives the model an identity."""
        if identity == self.identity:
            return True
        if self.former_identity is None or not is_sampled(identity):
            return False
        return identity == self.former_identity()


def folder_identity(folder: str) -> str:
    """Name of a folder and a hash of all of its files, each of them whole.

    A model elsewhere that its files name, such as the base model of an adapter of PEFT, counts as
    well: a folder by its files, and a model of the hub by its commit in the local cache.

    Parameters
    ----------
    folder : str
        Path of the folder.

    Returns
    -------
    str
        Such as "folder@sha256-" and 32 hexadecimal digits.
    """
    root = Path(folder)
    return f"{root.resolve().name}@sha256-{_content_hash(root, set())[:32]}"


def identity_elsewhere(folder: str) -> str:
    """Identity of the models elsewhere that a folder's files name; empty if there are none."""
    root, digest, n = Path(folder), hashlib.sha256(), 0
    for line in _lines_elsewhere(root, sorted(_files_in(root)), {os.path.realpath(root)}):
        digest.update(line)
        n += 1
    return f"sha256-{digest.hexdigest()[:32]}" if n else ""


def _content_hash(root: Path, seen: set[str]) -> str:
    """Hash of the files of a folder, and of the models that they name."""
    seen.add(os.path.realpath(root))
    files, digest = sorted(_files_in(root)), hashlib.sha256()
    for path in files:
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\n{hash_of_file(path)}\n".encode("utf-8", "surrogateescape"))
    for line in _lines_elsewhere(root, files, seen):
        digest.update(line)
    return digest.hexdigest()


def _lines_elsewhere(root: Path, files: list[Path], seen: set[str]) -> Iterator[bytes]:
    """Names and versions of the models elsewhere that files name, each folder once."""
    for name in named_elsewhere(root, files):
        if os.path.isdir(name):
            if os.path.realpath(name) in seen:
                continue
            version = _content_hash(Path(name), seen)
        else:
            version = hub_version(name)
        yield f"{os.path.basename(name)}\n{version}\n".encode("utf-8", "surrogateescape")


def _files_in(root: Path) -> Iterator[Path]:
    """Files of a folder, and of folders that it links to."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(folder))
        # A link to a folder above would never end.
        folders[:] = [f for f in folders if os.path.realpath(os.path.join(folder, f)) not in seen]
        yield from (path for path in (Path(folder, name) for name in files) if path.is_file())


def is_sampled(identity: str) -> bool:
    """Whether an identity is that of a folder in earlier releases, see `sampled_identity`."""
    return _SAMPLED.fullmatch(identity) is not None


def sampled_identity(folder: str) -> str:
    """Identity of a folder in earlier releases: large files are sampled.

    Models that were saved by them hold it, and nothing new is known by it: most of the weights of a
    large file can differ.
    """
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

"""Rows of any number of texts, written to a file in constant memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._utils.texts import check_texts

if TYPE_CHECKING:
    from .base import TextEncoder

__all__ = ["write_rows"]

_HEADER_BYTES = 128  # of a .npy file whose shape is not known yet; numpy pads to multiples of 64
_DTYPE = np.dtype("<f4")


class _Progress:
    """How many rows are written, and which texts they are of."""

    def __init__(self, path: Path, encoder: str) -> None:
        self.path, self.encoder = path, encoder
        self.n, self.digest = 0, hashlib.blake2b(digest_size=16)
        self._expected: str | None = None
        self.left = 0  # rows that a run before wrote
        if path.exists():
            try:
                state = json.loads(path.read_text())
            except ValueError as error:
                raise ValueError(
                    f"{os.fspath(path)!r} is damaged. Delete it and the .part file, and begin anew."
                ) from error
            if state["encoder"] != encoder:
                raise ValueError(
                    f"{os.fspath(path)!r} belongs to a run with {state['encoder']}, and this encoder "
                    f"is {encoder}. Delete it and the .part file, or give another path."
                )
            self.left, self._expected = state["n"], state["texts"]

    def add(self, texts: list[str]) -> None:
        for text in texts:
            content = text.encode("utf-8", "surrogatepass")
            self.digest.update(len(content).to_bytes(8, "little") + content)
        self.n += len(texts)

    def check_texts(self) -> None:
        if self.n != self.left or self.digest.hexdigest() != self._expected:
            raise ValueError(
                f"The first {self.left} texts are not those that {os.fspath(self.path)!r} was begun "
                "with. Delete it and the .part file, or give another path."
            )

    def save(self) -> None:
        state = {"encoder": self.encoder, "n": self.n, "texts": self.digest.hexdigest()}
        temporary = self.path.with_name(self.path.name + ".new")
        with temporary.open("w") as file:
            file.write(json.dumps(state))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)


def write_rows(
    encoder: TextEncoder,
    texts: Iterable[str],
    path: str | os.PathLike[str],
    *,
    chunk_size: int,
    n_texts: int | None,
) -> NDArray:
    """See :meth:`TextEncoder.encode_to_file`."""
    path = Path(path)
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")
    if path.exists():
        raise ValueError(f"{os.fspath(path)!r} is there already. Delete it, or give another path.")
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {os.fspath(path.parent)!r}. Make it first.")
    model = encoder._checked_model()
    part = path.with_name(path.name + ".part")
    progress = _Progress(
        path.with_name(path.name + ".progress.json"), f"{model.identity} {encoder._settings()}"
    )
    quiet = _quiet(encoder)
    if isinstance(texts, str):
        raise TypeError("texts is one str: pass an iterable of texts, such as [text].")
    remaining = iter(texts)
    written = part.stat().st_size if part.exists() else 0
    if progress.left and written < _HEADER_BYTES + progress.left * model.width * _DTYPE.itemsize:
        raise ValueError(
            f"{os.fspath(part)!r} holds less than {os.fspath(progress.path)!r} says, or is gone. "
            "Delete both, and begin anew."
        )
    mode = "r+b" if progress.left else "w+b"
    with part.open(mode) as file, _bar(encoder, n_texts) as bar:
        for chunk in _chunks(remaining, progress.left, chunk_size):
            progress.add(chunk)
            bar(len(chunk))
        if progress.left:
            progress.check_texts()
        # Rows beyond the last note of progress were written by a run that was killed.
        file.truncate(_HEADER_BYTES + progress.n * model.width * _DTYPE.itemsize)
        file.seek(0, os.SEEK_END)
        for chunk in _chunks(remaining, None, chunk_size):
            file.write(quiet.encode(chunk).astype(_DTYPE, copy=False).tobytes())
            file.flush()
            os.fsync(file.fileno())
            progress.add(chunk)
            progress.save()
            bar(len(chunk))
        file.seek(0)
        file.write(_header(progress.n, model.width))
    os.replace(part, path)
    progress.path.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r") if progress.n else np.load(path)


def _chunks(texts: Iterator[str], n: int | None, size: int) -> Iterator[list[str]]:
    """Lists of up to `size` texts, `n` texts in all."""
    limited, before = texts if n is None else islice(texts, n), 0
    while chunk := list(islice(limited, size)):
        yield check_texts(chunk, "texts,", may_be_empty=True, first=before)
        before += len(chunk)


def _quiet(encoder: TextEncoder) -> Any:
    """The encoder without a bar of its own for every chunk."""
    from sklearn.base import clone

    return clone(encoder).set_params(verbose=False) if encoder.verbose else encoder


@contextlib.contextmanager
def _bar(encoder: TextEncoder, n_texts: int | None) -> Iterator[Any]:
    if not encoder.verbose:
        yield lambda n: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=n_texts, unit="text", desc=str(encoder.name)) as bar:
        yield bar.update


def _header(n: int, width: int) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": _DTYPE.str, "fortran_order": False, "shape": (n, width)}
    np.lib.format.write_array_header_1_0(buffer, header)
    content = buffer.getvalue()
    assert len(content) == _HEADER_BYTES
    return content

"""Encoding of any number of texts into a file, in constant memory."""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._utils.files import replacing
from .._utils.texts import check_texts
from .long_texts import LongTextsOfStream
from .progress import ProgressBar

__all__ = ["check_chunk_size", "check_target", "write_rows"]

_HEADER_BYTES = 128  # of a .npy file whose shape is not known yet; numpy pads to multiples of 64
_DTYPE = np.dtype("<f4")


def check_chunk_size(chunk_size: int) -> None:
    """Raise ValueError unless a chunk has at least one text."""
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")


def check_target(path: Path) -> None:
    """Raise ValueError, before a model is loaded, if a file cannot be made."""
    if path.exists():
        raise ValueError(f"{os.fspath(path)!r} is there already. Delete it, or give another path.")
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {os.fspath(path.parent)!r}. Make it first.")


def write_rows(
    texts: Iterable[str],
    path: Path,
    *,
    encode: Callable[[list[str]], NDArray],
    width: int,
    encoder: str,
    chunk_size: int,
    bar: ProgressBar,
) -> NDArray:
    """Rows of texts in a ``.npy`` file; a run that was stopped is continued.

    Parameters
    ----------
    texts : iterable of str
        Read as needed.
    path : pathlib.Path
        The file, which does not exist yet. Until it is complete, the rows are in ``<path>.part``.
    encode : callable
        From a list of texts to rows of shape (n_texts, width).
    width : int
        Width of a row.
    encoder : str
        Identity and settings of the encoder: a run is continued with the same ones only.
    chunk_size : int
        Texts between two writes.
    bar : ProgressBar
        Shown from the first text on.

    Returns
    -------
    memmap of shape (n_texts, width), float32
        The file, mapped for reading.

    Raises
    ------
    ValueError
        If the files of a stopped run are damaged, or belong to another encoder or other texts.
    """
    part = path.with_name(path.name + ".part")
    progress = _Progress(path.with_name(path.name + ".progress.json"), encoder)
    row_bytes = width * _DTYPE.itemsize
    written = part.stat().st_size if part.exists() else 0
    if progress.n_before and written < _HEADER_BYTES + progress.n_before * row_bytes:
        raise ValueError(
            f"{os.fspath(part)!r} holds less than {os.fspath(progress.path)!r} says, or is gone. "
            "Delete both, and begin anew."
        )
    remaining = iter(texts)
    mode = "r+b" if progress.n_before else "w+b"
    with part.open(mode) as file, bar:
        bar.start()
        for chunk in _chunks(remaining, progress.n_before, chunk_size):
            progress.add(chunk)
            bar.update(len(chunk))
        if progress.n_before:
            progress.check_same_texts()
        # A killed run may have written rows after its last note of progress.
        file.truncate(_HEADER_BYTES + progress.n * row_bytes)
        file.seek(0, os.SEEK_END)
        long = LongTextsOfStream()
        long.skip(progress.n)
        for chunk in _chunks(remaining, None, chunk_size, progress.n):
            file.write(long.encoded(encode, chunk).astype(_DTYPE, copy=False).tobytes())
            file.flush()
            os.fsync(file.fileno())
            progress.add(chunk)
            progress.save()
            bar.update(len(chunk))
        file.seek(0)
        file.write(_header(progress.n, width))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    progress.remove()
    long.warn()
    return np.load(path, mmap_mode="r") if progress.n else np.load(path)


class _Progress:
    """Number and digest of the texts whose rows are written, kept in a file beside the rows."""

    def __init__(self, path: Path, encoder: str) -> None:
        self.path, self.encoder = path, encoder
        self.n, self.digest = 0, hashlib.blake2b(digest_size=16)
        self.n_before, self._digest_before = 0, ""  # of a run that was stopped
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
            self.n_before, self._digest_before = state["n"], state["texts"]

    def add(self, texts: list[str]) -> None:
        """Count texts, and add them to the digest."""
        for text in texts:
            content = text.encode("utf-8", "surrogatepass")
            self.digest.update(len(content).to_bytes(8, "little") + content)
        self.n += len(texts)

    def check_same_texts(self) -> None:
        """Raise ValueError unless the stopped run had the texts that were added."""
        if self.n != self.n_before or self.digest.hexdigest() != self._digest_before:
            raise ValueError(
                f"The first {self.n_before} texts are not those that {os.fspath(self.path)!r} was "
                "begun with. Delete it and the .part file, or give another path."
            )

    def save(self) -> None:
        """Write the file, whole or not at all."""
        state = {"encoder": self.encoder, "n": self.n, "texts": self.digest.hexdigest()}
        with replacing(self.path) as part:
            part.write_text(json.dumps(state))

    def remove(self) -> None:
        """Remove the file, and what killed runs left of its replacement."""
        self.path.unlink(missing_ok=True)
        for part in self.path.parent.glob(f"{glob.escape(self.path.name)}-*.part"):
            part.unlink()


def _chunks(texts: Iterator[str], n: int | None, size: int, before: int = 0) -> Iterator[list[str]]:
    """Lists of up to `size` texts, of the next `n` texts or of all, after those of `before`."""
    limited = texts if n is None else islice(texts, n)
    while chunk := list(islice(limited, size)):
        yield check_texts(chunk, "texts,", may_be_empty=True, first=before)
        before += len(chunk)


def _header(n: int, width: int) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": _DTYPE.str, "fortran_order": False, "shape": (n, width)}
    np.lib.format.write_array_header_1_0(buffer, header)
    content = buffer.getvalue()
    if len(content) != _HEADER_BYTES:
        raise RuntimeError(
            f"numpy {np.__version__} writes {len(content)} bytes of header, not {_HEADER_BYTES}."
        )
    return content

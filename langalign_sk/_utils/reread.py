"""Reading of a folder that another process or thread may replace meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["read_again"]


_TRIES = 20  # saves that may come between, one after the other
_MOST_BYTES = 1 << 24
Result = TypeVar("Result")


def read_again(manifest: Path, read: Callable[[], Result]) -> Result:
    """Result of reading a folder; where its manifest is replaced meanwhile, it is read again.

    A save replaces the manifest and removes the files that the former one names, so that whoever
    has read the former one may not find them. Each manifest names files of its own, which are never
    written again: what is read belongs together.

    Parameters
    ----------
    manifest : Path
        The manifest.
    read : callable
        Reads the folder, the manifest first, and changes nothing where it raises.

    Returns
    -------
    object
        What `read` returned.

    Raises
    ------
    Exception
        The error of `read`, if the manifest is still the one that was there before.
    """
    for _ in range(_TRIES):
        before = _content(manifest)
        try:
            return read()
        except Exception:
            if _content(manifest) == before:
                raise
    return read()


def _content(manifest: Path) -> bytes | None:
    try:
        if not manifest.is_file():  # a pipe would wait
            return None
        with manifest.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return None

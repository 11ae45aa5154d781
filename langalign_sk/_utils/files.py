"""Paths of folders as users pass them, and replacement of a file, whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["as_allowed", "folder_path", "replacing"]


def folder_path(folder: Any) -> Path:
    """Path of a folder that a user passed, with the home folder in place of "~".

    Parameters
    ----------
    folder : str or path
        The folder; it need not exist.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    TypeError
        If it is neither a str nor a path of str.
    ValueError
        If it is empty or holds a null character.

    Examples
    --------
    >>> from langalign_sk._utils.files import folder_path
    >>> folder_path("models/korean").name
    'korean'
    """
    text = os.fspath(folder) if isinstance(folder, os.PathLike) else folder
    if not isinstance(text, str):
        raise TypeError(
            f"folder must be a str or a path, got {type(folder).__name__}: pass the name of a folder, "
            'such as "models/korean".'
        )
    if not text or "\0" in text:
        raise ValueError(f"folder must be the name of a folder, got {text!r}.")
    return Path(text).expanduser()


def as_allowed(allow: Any) -> tuple[str, ...]:
    """Values of the parameter `allow`, as a tuple.

    Raises
    ------
    TypeError
        If it is neither a str nor an iterable of str.
    """
    values = (allow,) if isinstance(allow, str | Path) else tuple(allow or ())
    if not all(isinstance(value, str | Path) for value in values):
        raise TypeError(f"allow must be a str or a list of str, got {allow!r}.")
    return tuple(map(str, values))


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Path of a temporary file that replaces a file when the block ends.

    The file is flushed to the disk before it is renamed, so that a process or a machine that
    stops leaves the old file or the new one, whole. A block that raises leaves the old one. The
    new file has the permissions of the old one.

    Parameters
    ----------
    path : path
        The file to replace; it need not exist. If it is a symbolic link, the link is replaced,
        and the file that it leads to stays as it is.

    Yields
    ------
    pathlib.Path
        Where to write, in the same folder.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}-{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        with suppress(OSError):  # no old file, or a file system without permissions
            shutil.copymode(path, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    # A renamed file survives a power failure once its folder is on the disk. Windows cannot open
    # folders.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

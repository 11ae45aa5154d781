"""Model folders that nobody else can write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .._utils.validation import shorten

__all__ = ["check_owner", "user_folder"]

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def user_folder(name: str) -> Path:
    """Folder for a model below the data folder of the user; it is not made.

    Parameters
    ----------
    name : str
        Name of the model, a single component of a path.

    Returns
    -------
    pathlib.Path
        Below ``$XDG_DATA_HOME``, ``~/.local/share`` or, on Windows, ``%LOCALAPPDATA%``.

    Raises
    ------
    ValueError
        If the name is a path.

    Examples
    --------
    >>> from langalign_sk.service import user_folder
    >>> user_folder("help-desk").parts[-3:]
    ('langalign_sk', 'models', 'help-desk')
    """
    if not name or name in (".", "..") or any(c in name for c in "/\\:\0"):
        raise ValueError(f"name must be a single component of a path, got {shorten(repr(name))}.")
    given = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_DATA_HOME", "")
    # A relative path would depend on where the service is started from.
    base = Path(given) if os.path.isabs(given) else Path.home() / ".local" / "share"
    return base / "langalign_sk" / "models" / name


def check_owner(folder: str | os.PathLike[str]) -> None:
    """Raise PermissionError if another user of the machine can write a folder, or replace it.

    The folder, its files and the folders above it must belong to the user of this process or to root
    and must not be writable by others. A folder above it that is writable by all, such as that of
    temporary files, is accepted if its sticky bit keeps others from replacing what is in it.
    Symbolic links inside the folder are refused. On Windows nothing is checked.

    Parameters
    ----------
    folder : path
        The folder of a saved model.

    Raises
    ------
    PermissionError
        If another user can write or replace it. The message names the path and the remedy.
    FileNotFoundError
        If there is no such folder.
    NotADirectoryError
        If the path is a file.

    Examples
    --------
    >>> import tempfile
    >>> from langalign_sk.service import check_owner
    >>> check_owner(tempfile.mkdtemp())
    """
    path = Path(os.path.abspath(folder))
    if not path.exists():
        raise FileNotFoundError(
            f"There is no model folder {path}; save a fitted model to it first."
        )
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is a file; name the folder of a saved model.")
    if os.name == "nt":
        return
    # Links above the folder are followed by the reader, so both ways to it count.
    for parent in {*path.parents, *path.resolve().parents}:
        _check(parent, sticky_helps=True)
    for each in {path, path.resolve()}:
        _check(each, sticky_helps=False)
    for inside in _below(path):
        _check(inside, sticky_helps=False)


def _below(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink():
            raise PermissionError(
                f"{entry.path} is a symbolic link. Put the file itself into the folder of the model."
            )
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))


def _check(path: Path, *, sticky_helps: bool) -> None:
    status = os.lstat(path)
    if status.st_uid not in (0, os.geteuid()):
        raise PermissionError(
            f"{path} belongs to another user ({status.st_uid}), who decides what the model answers. "
            "Copy the model to a folder of your own, such as langalign_sk.service.user_folder(name)."
        )
    if stat.S_ISLNK(status.st_mode):  # its mode means nothing, and its target is checked as well
        return
    if status.st_mode & _OTHERS and not (sticky_helps and status.st_mode & stat.S_ISVTX):
        raise PermissionError(
            f"{path} can be written by other users, who could replace the model. "
            f"Run: chmod go-w '{path}'"
        )

"""Model folders that nobody else can write."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from .._utils.validation import shorten

__all__ = ["check_owner", "user_folder"]

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_LISTS = ("system.posix_acl_access", "system.nfs4_acl")
_MOST_LINKS = 40  # as Linux


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
    and must not be writable by others. A group may write if it is the private one of the owner, which
    has the owner's name and no other member, and if there is no access control list. A folder above
    that is writable by all, such as that of temporary files, is accepted if its sticky bit keeps
    others from replacing what is in it. Symbolic links on the way to the folder are followed, and
    every folder that they lead through counts; links inside it are refused. On Windows nothing is
    checked.

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
    # Not os.path.abspath, which takes "link/.." for the folder that holds the link.
    path = Path.cwd() / folder
    if not path.exists():
        raise FileNotFoundError(
            f"There is no model folder {path}; save a fitted model to it first."
        )
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is a file; name the folder of a saved model.")
    if os.name == "nt":
        return
    *above, last = _way(path)
    for each in above:
        _check(each, sticky_helps=True)
    _check(last, sticky_helps=False)
    for inside in _below(last):
        _check(inside, sticky_helps=False)


def _way(path: Path) -> Iterator[Path]:
    """What is passed on the way to an absolute path, links and their targets included."""
    todo, current, n_links = [*reversed(path.parts[1:])], Path(path.anchor), 0
    yield current
    while todo:
        part = todo.pop()
        if part == "..":
            current = current.parent
            continue
        step = current / part
        yield step
        if not step.is_symlink():
            current = step
            continue
        n_links += 1
        if n_links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
        target = Path(os.readlink(step))
        if target.is_absolute():
            current = Path(target.anchor)
        todo += [name for name in reversed(target.parts) if name != target.anchor]
    # Where ".." ends the path, the folder was passed before.
    yield current


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
    others = status.st_mode & _OTHERS
    if others & stat.S_IWGRP and _is_private(path, status):
        others &= ~stat.S_IWGRP
    if others and not (sticky_helps and status.st_mode & stat.S_ISVTX):
        raise PermissionError(
            f"{path} can be written by other users, who could replace the model. "
            f"Run: chmod go-w {shlex.quote(os.fspath(path))}"
        )


def _is_private(path: Path, status: os.stat_result) -> bool:
    """Whether nobody but its owner is in the group of a path."""
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    if (group.gr_name, group.gr_gid) != (owner.pw_name, owner.pw_gid):
        return False
    if any(user != owner.pw_name for user in group.gr_mem):
        return False
    if any(user.pw_gid == group.gr_gid and user.pw_uid != owner.pw_uid for user in pwd.getpwall()):
        return False
    # With such a list, the bits of the group are what it lets anybody in it do.
    return not _has_list(path)


def _has_list(path: Path) -> bool:
    if not hasattr(os, "listxattr"):  # only Linux tells
        return True
    try:
        return any(name in _LISTS for name in os.listxattr(path, follow_symlinks=False))
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EOPNOTSUPP):
            return False
        raise

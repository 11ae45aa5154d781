"""Hashes of whole files, each computed once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..._utils.files import replacing

__all__ = ["hash_of_file", "kept_hashes"]


_SMALL = 1 << 20  # bytes of a file that is read again each time
_CHUNK = 1 << 20
# Seconds after a change in which another one might leave the times of a file as they are.
_RECENT = 3.0
_MOST_BYTES = 4096  # of an entry
_PART = re.compile(r"[0-9a-f]{32}\.json-[0-9a-f]{8}\.part")  # of a process that was killed


def hash_of_file(path: Path) -> str:
    """Hash of the whole content of a file.

    That of a large file is kept beside its path, size, times and number in the file system, in a
    folder that only the user can write: never beside the file, where whoever made the file would
    decide what its hash is.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.
    """
    path = path.resolve()
    stamp = _stamp(path)
    if stamp[0] < _SMALL:
        return _computed(path)
    entry = _entry_of(path)
    known = _read(entry)
    if known is not None and known[:-1] == [str(path), *stamp]:
        return str(known[-1])
    digest = _computed(path)
    changed = max(stamp[1], stamp[2]) / 1e9
    if _stamp(path) == stamp and time.time() - changed > _RECENT:
        _write(entry, [str(path), *stamp, digest])
    return digest


def kept_hashes() -> Path:
    """Folder of the hashes that were computed: ``langalign_sk/hashes`` in the user's cache folder."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "langalign_sk" / "hashes"


def _stamp(path: Path) -> list[int]:
    """Size, times of the last change of content and of anything, and number of a file.

    A program can set the first time back, and not the second.
    """
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _computed(path: Path) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(buffer):
            digest.update(buffer[:n])
    return digest.hexdigest()


def _entry_of(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return kept_hashes() / f"{name}.json"


def _read(entry: Path) -> list[object] | None:
    """Content of an entry; None where it is not there, damaged or of another user."""
    try:
        if not entry.is_file() or entry.stat().st_size > _MOST_BYTES:
            return None
        if hasattr(os, "getuid") and entry.stat().st_uid != os.getuid():
            return None
        known = json.loads(entry.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    sound = isinstance(known, list) and len(known) == 6 and isinstance(known[-1], str)
    return known if sound else None


def _write(entry: Path, known: list[object]) -> None:
    # Without a folder to write to, the file is hashed again next time.
    with suppress(OSError, UnicodeEncodeError):
        entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A process that is still writing one computes the hash again next time.
        for path in entry.parent.iterdir():
            if _PART.fullmatch(path.name):
                path.unlink(missing_ok=True)
        with replacing(entry) as part:
            part.write_text(json.dumps(known), encoding="ascii")

"""Folder of files and a manifest that names them, replaced all at once."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .files import replacing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "STEMS",
    "SUFFIXES",
    "Bundle",
    "BundleWriter",
    "DamagedError",
    "checksum",
    "read_json",
]


# Beginnings and ends of the names of all files that are ever written into a bundle: no other file
# is removed. A number may follow the beginning.
STEMS = (
    "arrays",
    "bank",
    "bank_languages",
    "documents",
    "faiss",
    "hnsw",
    "languages",
    "lengths",
    "level",
    "means",
    "model",
    "rows",
)
SUFFIXES = ("safetensors", "skops", "npy", "jsonl", "bin")
_CHUNK = 1 << 22
_MAX_MANIFEST = 1 << 24
_MOST_NODES = 200_000  # values in a manifest
_MOST_LEVELS = 64
_LONGEST_NUMBER = 64  # characters; float64 needs at most 25
_NAME = re.compile(r"(?!\.+$)[\w.-]{1,200}", re.ASCII)  # of a file in the folder itself
# The second half of a token is made of the first, so that no file of others is taken for one that a
# killed writer left: rows-20260131.npy is not. Earlier releases had no second half.
_WRITTEN = re.compile(
    rf"(?:{'|'.join(STEMS)})(?:_[0-9]{{1,6}})?"
    rf"-([0-9a-f]{{8}})([0-9a-f]{{8}})?\.(?:{'|'.join(SUFFIXES)})"
)
_MANIFESTS = ("langalign_sk.json", "index.json")
_PART = re.compile(r"(?:langalign_sk\.json|index\.json|README\.md)-[0-9a-f]{8}\.part")


class DamagedError(ValueError):
    """Error about files that are not as they were written."""


class BundleWriter:
    """Writer of a folder: files under new names, then a manifest that names them.

    The old files are removed once the new manifest is in place, and with them what killed writers
    left. If the block raises, the new ones are removed, and the old bundle stays. Only files whose
    names are of the pattern of a bundle are ever removed. Writers of one folder wait for each
    other, where the system has locks.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    manifest : str
        Name of the manifest.

    Raises
    ------
    NotADirectoryError
        If the folder, or a part of its path, is a file.
    """

    def __init__(self, folder: Path, manifest: str) -> None:
        self.folder = folder
        self._manifest = manifest
        half = secrets.token_hex(4)
        self._token = half + _second_half(half)
        self._lock: int | None = None
        self._beside: list[Callable[[], None]] = []
        self._files: dict[str, dict[str, Any]] = {}
        self.fields: dict[str, Any] = {}

    def write(self, kind: str, suffix: str, parts: Iterable[bytes]) -> None:
        """Write a file of these bytes."""
        self._files[kind] = _write(self._new(kind, suffix), parts)

    def let_write(self, kind: str, suffix: str, write: Callable[[str], None]) -> None:
        """Let a library write a file to the path that it is given."""
        path = self._new(kind, suffix)
        write(os.fspath(path))
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        self._files[kind] = _described(path)

    def _new(self, kind: str, suffix: str) -> Path:
        """Path of a new file, by whose name a later writer knows it again."""
        name = f"{kind}-{self._token}.{suffix}"
        if _WRITTEN.fullmatch(name) is None:
            raise ValueError(
                f"{name!r} is not of the pattern of a bundle: add to STEMS or SUFFIXES."
            )
        return self.folder / name

    def write_beside(self, write: Callable[[], None]) -> None:
        """Let a function replace a file that the manifest does not name, after the manifest."""
        self._beside.append(write)

    def __enter__(self) -> BundleWriter:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise NotADirectoryError(
                f"{str(self.folder)!r} cannot be made, as it, or a part of its path, is a file: name "
                "another folder."
            ) from None
        if (self.folder / self._manifest).is_dir():
            raise IsADirectoryError(
                f"{str(self.folder / self._manifest)!r} is a folder, and a file is to be written "
                "there: remove it, or name another folder."
            )
        self._lock = _locked(self.folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        before = _names(self.folder / self._manifest) or set()
        try:
            if kind is None:
                text = _readable({**self.fields, "files": self._files}, self._manifest)
                with replacing(self.folder / self._manifest) as part:
                    part.write_bytes(text)
                for write in self._beside:
                    write()
        finally:
            try:
                self._clean(before, written=kind is None)
            finally:
                _unlock(self._lock)
                self._lock = None

    def _clean(self, before: set[str], written: bool) -> None:
        """Remove the files of the former bundle, or of this one, and what killed writers left.

        Without a lock, files that are in no bundle may be those of another writer, and stay.
        """
        there = {path.name for path in self.folder.iterdir()}
        manifests = {name: _names(self.folder / name) for name in there if name.endswith(".json")}
        # Where a manifest cannot be read, its files may be all that is left of it.
        readable = all(manifests.get(name, set()) is not None for name in _MANIFESTS)
        candidates = {name for name in there if name in before and _WRITTEN.fullmatch(name)}
        candidates |= {name for name in there if f"-{self._token}." in name}
        if written and readable and self._lock is not None:
            candidates |= {name for name in there if _is_leftover(name)}
        candidates -= set().union(*(named or () for named in manifests.values()))
        for name in candidates:
            path = self.folder / name
            # Windows removes no file that another process has open.
            with suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()


class Bundle:
    """Reader of a folder that a BundleWriter wrote; its manifest is checked at once.

    Parameters
    ----------
    folder : Path
        The folder.
    manifest : str
        Name of the manifest.
    versions : tuple of int
        The format versions that are read.
    what : str
        Content of the folder and what writes it, for messages, such as "index (save_index makes
        one)".
    needed : mapping of str to type or tuple of types
        Fields that the manifest must have.
    files : sequence of str
        Files that it must name.
    links_into : Path, default=None
        Links to files in this folder are followed, others are not: the cache of the Hugging Face
        Hub is made of such links.

    Attributes
    ----------
    fields, files : dict
        Fields of the manifest, and its entries of files.
    damaged : DamagedError
        Error for the caller to raise if the content turns out to be damaged.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If it is damaged or of another version.
    """

    def __init__(
        self,
        folder: Path,
        manifest: str,
        *,
        versions: tuple[int, ...],
        what: str,
        needed: dict[str, Any],
        files: Iterable[str],
        links_into: Path | None = None,
    ) -> None:
        self.folder, self._links_into = folder, links_into
        path = folder / manifest
        if not path.is_file():
            raise FileNotFoundError(f"{str(folder)!r} holds no {what}: there is no {manifest}.")
        self._name = repr(str(path))
        self.damaged = damaged = DamagedError(
            f"{self._name} is damaged. Copy the folder again, or save it anew."
        )
        if self._leads_out(path):
            raise self._link(path)
        try:
            fields = read_json(_content_of(path))
        except (ValueError, RecursionError):
            raise damaged from None
        if not isinstance(fields, dict) or type(fields.get("format_version")) is not int:
            raise damaged
        if fields["format_version"] not in versions:
            raise ValueError(
                f"{self._name} has format version {fields['format_version']}, and this langalign_sk "
                f"reads version {' or '.join(map(str, versions))}: install the release that wrote it, "
                "or save it anew."
            )
        named: dict[str, Any] = fields.get("files")  # type: ignore[assignment]
        if not _sound(named):
            raise damaged
        self.fields, self.files = fields, named
        self.require(fields, needed, files)

    def within(self, field: str, needed: dict[str, Any], files: Iterable[str]) -> Bundle:
        """Bundle of the same files, described by a field of the manifest."""
        part = copy.copy(self)
        part.fields = self.fields[field]
        self.require(part.fields, needed, files)
        return part

    def require(self, fields: Any, needed: dict[str, Any], files: Iterable[str]) -> None:
        """Raise unless a part of the manifest has fields of these types, and it names the files."""
        if not isinstance(fields, dict) or not set(needed) <= set(fields):
            raise self.damaged
        if any(not _is_a(fields[name], kind) for name, kind in needed.items()):
            raise self.damaged
        if not set(files) <= set(self.files):
            raise self.damaged

    def path(self, kind: str, *, verify: bool = True) -> Path:
        """Path of a file, after its size and, with `verify`, its checksum were compared.

        Raises
        ------
        ValueError
            If the file is missing, was cut short or is damaged.
        """
        path = self._sized(kind)
        if verify and _described(path)["sha256"] != self.files[kind]["sha256"]:
            raise self._changed(path)
        return path

    def content(self, kind: str) -> bytes:
        """Bytes of a file, whose size and checksum were compared.

        Raises
        ------
        ValueError
            As `path`.
        """
        path = self._sized(kind)
        with path.open("rb") as file:
            content = file.read(self.files[kind]["size"] + 1)
        if hashlib.sha256(content).hexdigest() != self.files[kind]["sha256"]:
            raise self._changed(path)
        return content

    def _sized(self, kind: str) -> Path:
        """Path of a file that is there, in the size that it was written in."""
        file = self.files[kind]
        path = self.folder / file["name"]
        if self._leads_out(path):
            raise self._link(path)
        if not path.is_file():
            raise DamagedError(
                f"{str(path)!r}, which {self._name} names, is missing. Copy the folder again."
            )
        size = path.stat().st_size
        if size != file["size"]:
            raise DamagedError(
                f"{str(path)!r} has {size:,} bytes and should have {file['size']:,}: it was cut short "
                "or overwritten. Copy the folder again, or save it anew."
            )
        return path

    def _changed(self, path: Path) -> DamagedError:
        return DamagedError(
            f"{str(path)!r} is damaged: its checksum differs from when it was written. Copy the "
            "folder again, or save it anew."
        )

    def _link(self, path: Path) -> DamagedError:
        return DamagedError(
            f"{str(path)!r} is missing: in its place is a symbolic link, and links are not followed. "
            "Copy the folder with the files themselves, as cp -L does."
        )

    def _leads_out(self, path: Path) -> bool:
        if not path.is_symlink():
            return False
        into = self._links_into
        return into is None or not path.resolve().is_relative_to(into.resolve())


def _is_a(value: Any, kind: Any) -> bool:
    # isinstance takes True for an int.
    return isinstance(value, kind) and not (isinstance(value, bool) and kind in (int, float))


def _sound(files: Any) -> bool:
    return isinstance(files, dict) and all(
        isinstance(file, dict)
        and _is_a(file.get("size"), int)
        and isinstance(file.get("sha256"), str)
        and isinstance(file.get("name"), str)
        and _NAME.fullmatch(file["name"]) is not None
        for file in files.values()
    )


def read_json(content: bytes) -> Any:
    """Value of JSON of limited size, whose numbers are finite.

    Parameters
    ----------
    content : bytes
        UTF-8.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ValueError
        If it is not JSON, has more than 200,000 values or 64 levels, a number of more than 64
        characters, NaN or infinity, or a name twice in one object.
    """
    # Before anything is built: a list costs many times its two characters.
    if content.count(b",") + content.count(b"[") + content.count(b"{") > 10 * _MOST_NODES:
        raise ValueError("there are too many values")
    value = json.loads(
        content,
        parse_int=_short_int,
        parse_float=_finite,
        parse_constant=_finite,
        object_pairs_hook=_distinct,
    )
    level, n_nodes = [value], 1
    for _ in range(_MOST_LEVELS):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inner += node.values()
            elif isinstance(node, list):
                inner += node
        n_nodes += len(inner)
        if n_nodes > _MOST_NODES:
            raise ValueError("there are too many values")
        if not inner:
            return value
        level = inner
    raise ValueError("there are too many levels")


def _content_of(manifest: Path) -> bytes:
    """Bytes of a manifest; ValueError if there are too many, even if the file grows meanwhile."""
    with manifest.open("rb") as file:
        content = file.read(_MAX_MANIFEST + 1)
    if len(content) > _MAX_MANIFEST:
        raise ValueError("the manifest is too large")
    return content


def _readable(fields: dict[str, Any], manifest: str) -> bytes:
    """Content of a manifest, which a `Bundle` reads again.

    Raises
    ------
    ValueError
        If it is beyond the limits of reading; the former bundle stays then.
    """
    content = json.dumps(fields, indent=1, ensure_ascii=False).encode()
    try:
        if len(content) > _MAX_MANIFEST:
            raise ValueError("the manifest is too large")
        read_json(content)
    except ValueError as error:
        raise ValueError(
            f"{manifest} would be beyond what can be read again: {error}. Shorten the texts and lists "
            "among the parameters, or dump the estimator by joblib. Nothing was changed."
        ) from error
    return content


def _second_half(half: str) -> str:
    return hashlib.sha256(b"langalign_sk " + half.encode()).hexdigest()[:8]


def _is_leftover(name: str) -> bool:
    """Whether a writer of this package made a file of this name, and no one else would."""
    written = _WRITTEN.fullmatch(name)
    if written is not None:
        return written[2] is not None and written[2] == _second_half(written[1])
    return _PART.fullmatch(name) is not None


def checksum(fields: Any) -> str:
    """Checksum of fields of a manifest."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _short_int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text: str) -> float:
    if len(text) > _LONGEST_NUMBER or not math.isfinite(float(text)):
        raise ValueError("a number is too long, or not finite")
    return float(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ValueError("a name is there twice")
    return out


def _names(manifest: Path) -> set[str] | None:
    """Names of the files that a manifest names; None if it cannot be read."""
    try:
        if not stat.S_ISREG(manifest.stat().st_mode):
            return None
        files = read_json(_content_of(manifest))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return {file["name"] for file in files.values()} if _sound(files) else None


def _locked(folder: Path) -> int | None:
    """Descriptor of a folder whose lock this process has; None where there are no such locks."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # some network file systems
        os.close(descriptor)
        return None
    return descriptor


def _unlock(descriptor: int | None) -> None:
    if descriptor is not None:
        try:
            # A forked process may have the descriptor too: closing it would not end the lock.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)


def _write(path: Path, parts: Iterable[bytes]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
        file.flush()
        os.fsync(file.fileno())
    return {"name": path.name, "size": size, "sha256": digest.hexdigest()}


def _described(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    return {"name": path.name, "size": path.stat().st_size, "sha256": digest.hexdigest()}

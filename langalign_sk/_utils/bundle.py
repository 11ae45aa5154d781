"""Folder of files and a manifest that names them, replaced all at once."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .files import replacing

__all__ = ["Bundle", "BundleWriter", "DamagedError"]


_CHUNK = 1 << 22
_MAX_MANIFEST = 1 << 24
_NAME = re.compile(r"(?!\.+$)[\w.-]{1,200}", re.ASCII)  # of a file in the folder itself


class DamagedError(ValueError):
    """Error about files that are not as they were written."""


class BundleWriter:
    """Writer of a folder: files under new names, then a manifest that names them.

    The old files are removed once the new manifest is in place. If the block raises, the new ones
    are removed, and the old bundle stays.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    manifest : str
        Name of the manifest.
    """

    def __init__(self, folder: Path, manifest: str) -> None:
        self.folder = folder
        self._manifest = manifest
        self._token = secrets.token_hex(4)
        self._files: dict[str, dict[str, Any]] = {}
        self.fields: dict[str, Any] = {}

    def write(self, kind: str, suffix: str, parts: Iterable[bytes]) -> None:
        """Write a file of these bytes."""
        self._files[kind] = _write(self.folder / f"{kind}-{self._token}.{suffix}", parts)

    def let_write(self, kind: str, suffix: str, write: Callable[[str], None]) -> None:
        """Let a library write a file to the path that it is given."""
        path = self.folder / f"{kind}-{self._token}.{suffix}"
        write(os.fspath(path))
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        self._files[kind] = _described(path)

    def __enter__(self) -> BundleWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        before = _names(self.folder, self._manifest)
        try:
            if kind is None:
                text = json.dumps(
                    {**self.fields, "files": self._files}, indent=1, ensure_ascii=False
                )
                with replacing(self.folder / self._manifest) as part:
                    part.write_bytes(text.encode())
        finally:
            # The manifest names the files of either bundle: those of the other one are removed.
            mine = [path.name for path in self.folder.glob(f"*-{self._token}.*")]
            for name in {*before, *mine}.difference(_names(self.folder, self._manifest)):
                with suppress(OSError):  # Windows removes no file that another process has open
                    (self.folder / name).unlink()


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
        try:
            if self._leads_out(path) or path.stat().st_size > _MAX_MANIFEST:
                raise damaged
            fields = json.loads(path.read_bytes())
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
        file = self.files[kind]
        path = self.folder / file["name"]
        if not path.is_file() or self._leads_out(path):
            raise DamagedError(
                f"{str(path)!r}, which {self._name} names, is missing. Copy the folder again."
            )
        size = path.stat().st_size
        if size != file["size"]:
            raise DamagedError(
                f"{str(path)!r} has {size:,} bytes and should have {file['size']:,}: it was cut short "
                "or overwritten. Copy the folder again, or save it anew."
            )
        if verify and _described(path)["sha256"] != file["sha256"]:
            raise DamagedError(
                f"{str(path)!r} is damaged: its checksum differs from when it was written. Copy "
                "the folder again, or save it anew."
            )
        return path

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


def _names(folder: Path, manifest: str) -> list[str]:
    """Files of the bundle that is in the folder, if there is a readable one."""
    try:
        files = json.loads((folder / manifest).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [file["name"] for file in files.values()] if _sound(files) else []


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

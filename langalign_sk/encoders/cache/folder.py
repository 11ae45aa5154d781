"""Cache of encoded rows in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._utils.validation import warn_user
from .base import Encode, checked_size, info_frame, keys_of

__all__ = ["FolderCache"]


_FOLDER_BYTES = 10 * 2**30
_KEYS_PER_QUERY = 500  # SQLite before 3.32 takes at most 999 values in one statement
_PAGE_BYTES = 16_384
_FORMAT = 1
_BUSY_SECONDS = 60
# One transaction, so that a killed process leaves all of it or nothing.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS encoders (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS rows (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,
    encoder INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    row BLOB NOT NULL
);
PRAGMA user_version={_FORMAT};
COMMIT;
"""
# Result codes of SQLite for failures that leave the file undamaged: no permission, busy, locked, out
# of memory, read-only, disk error, full, cannot be opened.
_UNDAMAGED = {3, 5, 6, 7, 8, 10, 13, 14}


class FolderCache:
    """Cache of encoded rows in a folder, which several processes may use at once.

    The rows are in an SQLite database in write-ahead mode: a process that is killed leaves all rows
    that it had finished. Every row has a checksum. Processes that need the same texts at the same
    time encode them once: while one encodes a block of up to 2,048 texts, the others wait.

    Parameters
    ----------
    folder : path
        Folder on a local disk, since write-ahead mode does not work over a network file system.
        It is made if it does not exist.
    max_bytes : int, default=10737418240
        Size of the database, in bytes; the oldest rows are dropped first.

    Raises
    ------
    ValueError
        At first use, if the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from langalign_sk.encoders import FolderCache, SentenceEncoder
    >>> cache = FolderCache(tempfile.mkdtemp())
    >>> rows = SentenceEncoder("use-multilingual", cache=cache).encode(["one", "two", "one"])
    >>> cache.info()["rows"].tolist()
    [2]
    >>> cache.purge()
    2
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int = _FOLDER_BYTES) -> None:
        self.folder = os.fspath(folder)
        self.max_bytes = checked_size(max_bytes)

    def rows(
        self, encoder: str, texts: list[str], width: int, encode: Encode, block: int
    ) -> NDArray:
        """Rows of distinct texts; missing rows are encoded and kept block by block.

        Parameters
        ----------
        encoder : str
            Identity of the model and all settings that change its rows.
        texts : list of str
            Distinct texts.
        width : int
            Width of a row.
        encode : callable
            ``encode(list of str)`` returns rows of shape (n_texts, width), float32.
        block : int
            Number of texts that are encoded before their rows are kept.

        Returns
        -------
        ndarray of shape (n_texts, width), float32
            In the order of the texts.
        """
        self.check()
        keys = keys_of(encoder, texts)
        out = np.empty((len(texts), width), dtype=np.float32)
        missing, works = self._read(keys, range(len(keys)), out, warn=True)
        with self._held_open() if missing else contextlib.nullcontext():
            for start in range(0, len(missing), block):
                chunk = missing[start : start + block]
                if not works:  # one warning is enough
                    out[chunk] = encode([texts[i] for i in chunk])
                    continue
                with self._encoding(encoder):
                    # Another process may have encoded them while this one waited.
                    left, works = self._read(keys, chunk, out)
                    if left:
                        out[left] = encode([texts[i] for i in left])
                        entries = [(keys[i], out[i].tobytes()) for i in left]
                        works = works and self._write(encoder, entries)
        return out

    def check(self) -> None:
        """Raise ValueError, before any text is encoded, if the folder cannot be used."""
        try:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError("no permission to write")
        except OSError as error:
            raise ValueError(
                f"The cache folder {self.folder!r} cannot be used ({error}). Pass cache= another "
                'folder, "memory", or None.'
            ) from error
        # A damaged file is set aside when rows are read.
        with contextlib.suppress(sqlite3.DatabaseError), self._connected() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                raise ValueError(
                    f"The cache folder {self.folder!r} has format {version}, and this version of "
                    f"langalign_sk reads {_FORMAT}. Pass cache= another folder."
                )

    def info(self) -> Any:
        """Contents of the cache.

        Returns
        -------
        pandas.DataFrame
            Columns encoder, rows, bytes; one row per encoder.
        """
        query = (
            "SELECT encoders.name, count(*), sum(length(row)) FROM rows "
            "JOIN encoders ON encoders.id = rows.encoder GROUP BY encoders.id ORDER BY encoders.id"
        )
        self.check()
        with self._open_intact() as database:
            return info_frame(database.execute(query).fetchall())

    def purge(self, encoder: str | None = None) -> int:
        """Delete all rows, or those of one encoder.

        Parameters
        ----------
        encoder : str, default=None
            As named in `info`; None deletes the rows of all encoders.

        Returns
        -------
        int
            Number of deleted rows.
        """
        self.check()
        which = "" if encoder is None else " WHERE encoder = (SELECT id FROM encoders WHERE name=?)"
        with self._open_intact() as database:
            with database:
                gone = database.execute(
                    "DELETE FROM rows" + which, () if encoder is None else (encoder,)
                ).rowcount
            database.execute("VACUUM")  # gives the space back
        return gone

    def __repr__(self) -> str:
        size = "" if self.max_bytes == _FOLDER_BYTES else f", max_bytes={self.max_bytes}"
        return f"FolderCache({self.folder!r}{size})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FolderCache) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.folder)

    @contextlib.contextmanager
    def _open_intact(self) -> Iterator[sqlite3.Connection]:
        """A connection; a ValueError if the database is damaged."""
        try:
            with self._open() as database:
                yield database
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"The cache in {self.folder!r} cannot be read ({error}). Encode with it, which sets a "
                "damaged file aside, or delete the folder."
            ) from error

    @property
    def _path(self) -> str:
        return os.path.join(self.folder, "rows.sqlite")

    def _encoding(self, encoder: str) -> Any:
        """Lock of the process that encodes with an encoder."""
        return self._lock(hashlib.blake2b(_readable(encoder).encode(), digest_size=8).hexdigest())

    def _alone(self) -> Any:
        """Lock of the process that makes the file or sets it aside."""
        return self._lock("folder")

    def _lock(self, name: str) -> Any:
        from filelock import FileLock

        return FileLock(os.path.join(self.folder, f"{name}.lock"))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        # One connection per call, since connections survive neither forks nor other threads.
        with contextlib.closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as database:
            yield database

    @contextlib.contextmanager
    def _held_open(self) -> Iterator[None]:
        """Keep a connection open, so that the log is not copied whenever another one is closed."""
        with self._connected() as database:
            with contextlib.suppress(sqlite3.DatabaseError):
                database.execute("SELECT count(*) FROM encoders").fetchone()
            yield

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection to the database, which is made if the file is new."""
        with self._connected() as database:
            if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                # Write-ahead mode cannot be set while another connection writes.
                with self._alone():
                    database.execute(f"PRAGMA page_size={_PAGE_BYTES}")
                    database.execute("PRAGMA journal_mode=WAL")
                    database.executescript(_SCHEMA)
            database.execute("PRAGMA synchronous=NORMAL")
            yield database

    def _read(
        self, keys: list[bytes], wanted: Sequence[int], out: NDArray, warn: bool = False
    ) -> tuple[list[int], bool]:
        """Fill `out` with the rows in the database.

        Returns the numbers of the missing rows, and whether the cache works.
        """
        places = {keys[i]: i for i in wanted}
        queried, file = list(places), self._inode()
        damaged, works = 0, True
        try:
            with self._open() as database:
                database.text_factory = bytes  # a flipped bit can make a blob a text
                for start in range(0, len(queried), _KEYS_PER_QUERY):
                    part = queried[start : start + _KEYS_PER_QUERY]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT key, sum, row FROM rows WHERE key IN ({marks})"
                    for key, check, row in database.execute(query, part):
                        intact = isinstance(row, bytes) and _checksum(key, row) == check
                        if not intact or len(row) != out.itemsize * out.shape[1]:
                            damaged += 1
                            continue
                        out[places.pop(key)] = np.frombuffer(row, dtype=np.float32)
        except sqlite3.DatabaseError as error:
            works = self._recover(error, file)
        if damaged and warn:
            warn_user(
                f"{damaged} rows in the cache folder {self.folder!r} are damaged; they are encoded "
                "again."
            )
        return list(places.values()), works

    def _write(self, encoder: str, entries: list[tuple[bytes, bytes]]) -> bool:
        """Keep rows by their keys; returns whether the cache works."""
        file = self._inode()
        name = _readable(encoder)
        try:
            with self._open() as database, database:
                database.execute("INSERT OR IGNORE INTO encoders (name) VALUES (?)", (name,))
                query = "SELECT id FROM encoders WHERE name=?"
                number = database.execute(query, (name,)).fetchone()[0]
                database.executemany(
                    "INSERT OR REPLACE INTO rows (key, encoder, sum, row) VALUES (?, ?, ?, ?)",
                    [(key, number, _checksum(key, row), row) for key, row in entries],
                )
                self._shrink(database)
        except sqlite3.DatabaseError as error:
            return self._recover(error, file)
        return True

    def _shrink(self, database: sqlite3.Connection) -> None:
        """Delete the oldest rows beyond the limit; SQLite reuses their pages."""

        def pragma(name: str) -> int:
            return int(database.execute(f"PRAGMA {name}").fetchone()[0])

        used = (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
        if used <= self.max_bytes:
            return
        count = database.execute("SELECT count(*) FROM rows").fetchone()[0]
        # A tenth more than needed, so that not every write deletes.
        n = count - int(count * 0.9 * self.max_bytes / used)
        database.execute(
            "DELETE FROM rows WHERE n IN (SELECT n FROM rows ORDER BY n LIMIT ?)", (n,)
        )

    def _inode(self) -> int | None:
        try:
            return os.stat(self._path).st_ino
        except OSError:
            return None

    def _recover(self, error: sqlite3.DatabaseError, file: int | None) -> bool:
        """Set a damaged database aside; returns whether the cache works again.

        A cache that fails makes encoding slow; it never stops it or makes rows wrong.
        """
        if error.sqlite_errorcode & 0xFF in _UNDAMAGED:
            warn_user(
                f"The cache folder {self.folder!r} could not be used ({error}); rows are encoded and "
                "not kept."
            )
            return False
        aside = f"{self._path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        with self._alone():
            if self._inode() != file:
                return True  # another process was faster
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self._path + suffix, aside + suffix)
        warn_user(
            f"The cache in {self.folder!r} is damaged ({error}); it is set aside as {aside!r}, and "
            "rows are encoded again."
        )
        return True


def _checksum(key: bytes, row: bytes) -> int:
    return zlib.crc32(row, zlib.crc32(key))


def _readable(encoder: str) -> str:
    """Name of an encoder for SQLite, which refuses the surrogates of undecodable bytes of a path."""
    return encoder.encode("utf-8", "backslashreplace").decode()

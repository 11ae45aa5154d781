"""Cache of encoded rows in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sqlite3
import stat
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
_BY_KEYS = "SELECT key, sum, row FROM rows WHERE key IN "
_PAGE_BYTES = 16_384
_CELL_BYTES = 100  # of a row beside its numbers, with its entry in the index of keys
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
# Of a database, and of the locks beside it.
_FAILURES = (sqlite3.DatabaseError, OSError)
_WARNED_OF: set[str] = set()


class FolderCache:
    """Cache of encoded rows in a folder, which several processes may use at once.

    The rows are in an SQLite database in write-ahead mode: a process that is killed leaves all rows
    that it had finished. Processes that need the same texts at the same time encode them once: while
    one encodes a block of up to 2,048 texts, the others wait.

    Whoever may write to the folder decides what the rows are, and so what models answer that are
    fitted or served with it. Every row has a checksum, which tells damage and not a row that somebody
    else has written. Let only users and programs write there that you trust with the models; a
    folder that every user of the machine may write to is warned of.

    Parameters
    ----------
    folder : path
        Folder on a local disk, since write-ahead mode does not work over a network file system.
        It is made if it does not exist.
    max_bytes : int, default=10737418240
        Size of the database, in bytes, which it does not exceed beyond the 150 kB of an empty one; the
        oldest rows are dropped first. While it is in use, a log of some 16 MB may lie beside it.

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
        with self._held_open() if missing and works else contextlib.nullcontext():
            for start in range(0, len(missing), block):
                chunk = missing[start : start + block]
                if not works:  # one warning is enough
                    out[chunk] = encode([texts[i] for i in chunk])
                    continue
                with self._encoding(encoder) as works:
                    left: Sequence[int] = chunk
                    if works:  # another process may have encoded them while this one waited
                        left, works = self._read(keys, chunk, out)
                    if left:
                        out[left] = encode([texts[i] for i in left])
                        finite = [i for i in left if np.isfinite(out[i]).all()]
                        entries = [(keys[i], out[i].tobytes()) for i in finite]
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
        self._warn_of_others()
        # A damaged file is set aside when rows are read.
        with contextlib.suppress(sqlite3.DatabaseError), self._connected() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _FORMAT):
                raise ValueError(
                    f"The cache folder {self.folder!r} has format {version}, and this version of "
                    f"langalign_sk reads {_FORMAT}. Pass cache= another folder."
                )

    def _warn_of_others(self) -> None:
        """Warn once of a folder that every user of the machine may write to."""
        if os.name != "posix" or self.folder in _WARNED_OF:
            return
        with contextlib.suppress(OSError):
            if os.stat(self.folder).st_mode & stat.S_IWOTH:
                _WARNED_OF.add(self.folder)
                warn_user(
                    f"Every user of this machine may write to the cache folder {self.folder!r}, and "
                    "so decide what its rows are: take that right away (chmod o-w), or pass cache= a "
                    "folder of your own."
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
                    "DELETE FROM rows" + which,  # nosec B608 # one of two constants
                    () if encoder is None else (encoder,),
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
        except _FAILURES as error:
            raise ValueError(
                f"The cache in {self.folder!r} cannot be read ({error}). Encode with it, which sets a "
                "damaged file aside, or delete the folder."
            ) from error

    @property
    def _path(self) -> str:
        return os.path.join(self.folder, "rows.sqlite")

    @contextlib.contextmanager
    def _encoding(self, encoder: str) -> Iterator[bool]:
        """Lock of the process that encodes with an encoder, and whether it can be had."""
        name = hashlib.blake2b(_readable(encoder).encode(), digest_size=8).hexdigest()
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._lock(name))
                works = True
            except OSError as error:  # such as a file that another user made
                works = self._recover(error, None)
            yield works

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
        with contextlib.ExitStack() as held:
            with contextlib.suppress(sqlite3.DatabaseError):
                database = held.enter_context(self._connected())
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
                    query = _BY_KEYS + f"({marks})"  # question marks alone, the keys are bound
                    for key, check, row in database.execute(query, part):
                        intact = isinstance(row, bytes) and _checksum(key, row) == check
                        if not intact or len(row) != out.itemsize * out.shape[1]:
                            damaged += 1
                            continue
                        values = np.frombuffer(row, dtype=np.float32)
                        if not np.isfinite(values).all():  # no encoder's row is kept with such
                            damaged += 1
                            continue
                        out[places.pop(key)] = values
        except _FAILURES as error:
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
                for part in _parts(entries, self.max_bytes):
                    if not self._make_room(database, _size_of(part)):
                        break
                    database.executemany(
                        "INSERT OR REPLACE INTO rows (key, encoder, sum, row) VALUES (?, ?, ?, ?)",
                        [(key, number, _checksum(key, row), row) for key, row in part],
                    )
            with self._open() as database:
                self._give_back(database)
        except _FAILURES as error:
            return self._recover(error, file)
        return True

    def _make_room(self, database: sqlite3.Connection, needed: int) -> bool:
        """Delete the oldest rows until there is room; SQLite reuses their pages.

        Returns whether there is room.
        """
        while True:
            free = self.max_bytes - needed - _used(database)
            if free >= 0:
                return True
            count = database.execute("SELECT count(*) FROM rows").fetchone()[0]
            if not count:
                return False
            # Some more than needed, so that not every write deletes.
            n = max(1, count // 20)
            database.execute(
                "DELETE FROM rows WHERE n IN (SELECT n FROM rows ORDER BY n LIMIT ?)", (n,)
            )

    def _give_back(self, database: sqlite3.Connection) -> None:
        """Shorten a file that another limit has let grow."""
        pages, free = _pragma(database, "page_count"), _pragma(database, "freelist_count")
        if pages * _pragma(database, "page_size") > self.max_bytes and 10 * free > pages:
            database.execute("VACUUM")

    def _inode(self) -> int | None:
        try:
            return os.stat(self._path).st_ino
        except OSError:
            return None

    def _recover(self, error: sqlite3.DatabaseError | OSError, file: int | None) -> bool:
        """Set a damaged database aside; returns whether the cache works again.

        A cache that fails makes encoding slow; it never stops it or makes rows wrong.
        """
        if isinstance(error, OSError) or error.sqlite_errorcode & 0xFF in _UNDAMAGED:
            warn_user(
                f"The cache folder {self.folder!r} could not be used ({error}); rows are encoded and "
                "not kept."
            )
            return False
        aside = f"{self._path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        try:
            with self._alone():
                if self._inode() != file:
                    return True  # another process was faster
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self._path + suffix, aside + suffix)
        except OSError as denied:
            return self._recover(denied, file)
        warn_user(
            f"The cache in {self.folder!r} is damaged ({error}); it is set aside as {aside!r}, and "
            "rows are encoded again."
        )
        return True


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _used(database: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    pages = _pragma(database, "page_count") - _pragma(database, "freelist_count")
    return pages * _pragma(database, "page_size")


def _size_of(entries: Sequence[tuple[bytes, bytes]]) -> int:
    """Bytes of the pages that rows take at most."""
    pages = 0.0
    for _, row in entries:
        cell = len(row) + _CELL_BYTES
        a_page = _PAGE_BYTES // cell  # rows in it
        pages += 1 / a_page if a_page else -(-cell // _PAGE_BYTES) + 1
    # A page of the table and one of the index of keys may be split.
    return int((math.ceil(pages) + 2) * _PAGE_BYTES)


def _parts(
    entries: Sequence[tuple[bytes, bytes]], max_bytes: int
) -> Iterator[Sequence[tuple[bytes, bytes]]]:
    """Rows in parts, of which each takes a small share of the limit; those that fit, the newest."""
    if not entries:
        return
    n = max(1, max_bytes // 16 // len(entries[0][1]))
    most = max(1, max_bytes // len(entries[0][1]))
    for start in range(max(0, len(entries) - most), len(entries), n):
        yield entries[start : start + n]


def _checksum(key: bytes, row: bytes) -> int:
    return zlib.crc32(row, zlib.crc32(key))


def _readable(encoder: str) -> str:
    """Name of an encoder for SQLite, which refuses the surrogates of undecodable bytes of a path."""
    return encoder.encode("utf-8", "backslashreplace").decode()

"""Warning about texts that are longer than an encoder reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from numpy.typing import NDArray

from .._utils.texts import named_rows
from .._utils.validation import shorten, warn_user

__all__ = ["LongTextsOfStream", "numbered_rows", "warn_of_long_texts"]


_N_KEPT = 5  # numbers of rows of a stream, as many as a message names
_Encoder = tuple[str, int]  # name, and number of tokens that it reads


class _Collector(Protocol):
    """Protocol of what keeps long texts until a call ends."""

    def add(self, encoder: _Encoder, texts: Sequence[str], long: Sequence[int]) -> None:
        """Note which of some texts are too long."""


_open: ContextVar[_Collector | None] = ContextVar("langalign_sk_long_texts", default=None)


class _ByText:
    """Distinct long texts of a call, to be found among its rows."""

    def __init__(self) -> None:
        self.found: dict[_Encoder, dict[str, None]] = {}

    def add(self, encoder: _Encoder, texts: Sequence[str], long: Sequence[int]) -> None:
        self.found.setdefault(encoder, {}).update(dict.fromkeys(texts[i] for i in long))


@contextlib.contextmanager
def numbered_rows(rows: Sequence[str]) -> Iterator[None]:
    """Context in which warnings about long texts wait, to be numbered by the rows of a call.

    Parameters
    ----------
    rows : sequence of str
        All rows of the call, in the order of the user; encoders are given parts of them.
    """
    if _open.get() is not None:  # a call further out has the numbers
        yield
        return
    collector = _ByText()
    token = _open.set(collector)
    try:
        yield
    finally:
        _open.reset(token)
    for encoder, texts in collector.found.items():
        at = [row for row, text in enumerate(rows) if text in texts]
        # Texts of pairs are not among the rows.
        where = f"{named_rows(at, len(rows))}, " if at else ""
        _warn(encoder, max(len(at), len(texts)), where, next(iter(texts)))


@dataclass
class _Count:
    n: int = 0
    rows: list[int] = field(default_factory=list)
    first: str = ""


class LongTextsOfStream:
    """Long texts of a stream, which are counted chunk by chunk and warned of at its end."""

    def __init__(self) -> None:
        self._counts: dict[_Encoder, _Count] = {}
        self._before = 0

    def add(self, encoder: _Encoder, texts: Sequence[str], long: Sequence[int]) -> None:
        """Note which texts of the chunk are too long."""
        if not self._counts.get(encoder):
            self._counts[encoder] = _Count(first=texts[long[0]])
        count = self._counts[encoder]
        count.n += len(long)
        count.rows += [self._before + i for i in long[: _N_KEPT + 1 - len(count.rows)]]

    def encoded(self, encode: Callable[[list[str]], NDArray], chunk: list[str]) -> NDArray:
        """Rows of the next chunk."""
        if _open.get() is not None:
            return encode(chunk)
        # Not around the whole stream: a generator shares the context of whoever reads it.
        token = _open.set(self)
        try:
            return encode(chunk)
        finally:
            _open.reset(token)
            self._before += len(chunk)

    def skip(self, n: int) -> None:
        """Pass over texts whose rows are there already."""
        self._before += n

    def warn(self) -> None:
        """Warn of all that were found."""
        for encoder, count in self._counts.items():
            _warn(encoder, count.n, f"{named_rows(count.rows)}, ", count.first)


def warn_of_long_texts(
    name: str, max_length: int, texts: Sequence[str], long: Sequence[int]
) -> None:
    """Warn of texts that are longer than an encoder reads, once for all of a call.

    Parameters
    ----------
    name : str
        Name of the encoder.
    max_length : int
        Number of tokens that it reads.
    texts : sequence of str
        Texts of the call.
    long : sequence of int
        Which of them are too long.
    """
    if not long:
        return
    collector = _open.get()
    if collector is not None:
        collector.add((name, max_length), texts, long)
    else:
        where = f"{named_rows(long, len(texts))}, "
        _warn((name, max_length), len(long), where, texts[long[0]])


def _warn(encoder: _Encoder, n: int, where: str, first: str) -> None:
    name, max_length = encoder
    count = f"{n:,} text" + ("s of this call are" if n > 1 else " of this call is")
    warn_user(
        f"The encoder {name!r} reads the first {max_length:,} tokens of a text, and {count} longer: "
        f"{where}the first begins {shorten(first)!r} and has {len(first):,} characters. The rest is "
        "not encoded. Split such texts, or pass a larger max_length= to SentenceEncoder if the model "
        "allows."
    )

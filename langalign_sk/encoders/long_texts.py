"""Warning about texts that are longer than an encoder reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from .._utils.texts import named_rows
from .._utils.validation import shorten, warn_user

__all__ = ["numbered_rows", "warn_of_long_texts"]


# Long texts by the name of the encoder and its limit, of the call that numbers them.
_Found = dict[tuple[str, int], dict[str, None]]
_found: ContextVar[_Found | None] = ContextVar("langalign_sk_long_texts", default=None)


@contextlib.contextmanager
def numbered_rows(rows: Sequence[str]) -> Iterator[None]:
    """Context in which warnings about long texts wait, to number them by the rows of a call.

    Parameters
    ----------
    rows : sequence of str
        All rows of the call, in the order of the user; encoders are given parts of them.
    """
    if _found.get() is not None:  # a call further out has the numbers
        yield
        return
    found: _Found = {}
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)
    for (name, max_length), texts in found.items():
        at = [row for row, text in enumerate(rows) if text in texts]
        _warn(name, max_length, [*texts], at, len(rows))


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
    found = _found.get()
    if found is None:
        _warn(name, max_length, [texts[i] for i in long], long, len(texts))
    else:
        found.setdefault((name, max_length), {}).update(dict.fromkeys(texts[i] for i in long))


def _warn(name: str, max_length: int, texts: list[str], at: Sequence[int], n: int) -> None:
    count = f"{len(texts):,} text" + (
        "s of this call are" if len(texts) > 1 else " of this call is"
    )
    where = f"{named_rows(at, n)}, " if at else ""
    warn_user(
        f"The encoder {name!r} reads the first {max_length:,} tokens of a text, and {count} longer: "
        f"{where}the first begins {shorten(texts[0])!r} and has {len(texts[0]):,} characters. The rest "
        "is not encoded. Split such texts, or pass a larger max_length= to SentenceEncoder if the "
        "model allows."
    )

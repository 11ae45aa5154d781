"""The protocol of a cache of encoded rows, and its keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from numbers import Integral
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["RowStore", "keys_of"]


Encode = Callable[[list[str]], NDArray]


class RowStore(Protocol):
    """What an encoder asks of a cache."""

    def rows(
        self, encoder: str, texts: list[str], width: int, encode: Encode, block: int
    ) -> NDArray:
        """Rows of distinct texts; those that are not there are encoded, and kept by blocks."""


def keys_of(encoder: str, texts: list[str]) -> list[bytes]:
    """128 bits each that stand for an encoder and a text."""
    secret = hashlib.blake2b(encoder.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    return [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).digest()
        for text in texts
    ]


def checked_size(max_bytes: Any) -> int:
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, Integral) or max_bytes < 0:
        raise ValueError(f"max_bytes must be a non-negative int, got {max_bytes!r}.")
    return int(max_bytes)


def info_frame(rows: list[tuple[str, int, int]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows, columns=["encoder", "rows", "bytes"])

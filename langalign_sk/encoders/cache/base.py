"""Protocol of a cache of encoded rows, and the keys of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from ..._utils.validation import check_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Encode", "RowStore", "checked_size", "info_frame", "keys_of"]

Encode = Callable[[list[str]], NDArray]


class RowStore(Protocol):
    """Protocol of a cache, as an encoder uses it."""

    def rows(
        self, encoder: str, texts: list[str], width: int, encode: Encode, block: int
    ) -> NDArray:
        """Rows of distinct texts; missing rows are encoded and kept block by block."""


def keys_of(encoder: str, texts: list[str]) -> list[bytes]:
    """Key of every text under an encoder: 128 bits."""
    secret = hashlib.blake2b(encoder.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    return [
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).digest()
        for text in texts
    ]


def checked_size(max_bytes: Any) -> int:
    """The limit of a cache, or a ValueError."""
    check_number("max_bytes", max_bytes, Integral, lambda n: n >= 0, "a non-negative int")
    return int(max_bytes)


def info_frame(rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    """Table of encoders, their number of rows and their bytes."""
    import pandas as pd

    return pd.DataFrame(rows, columns=["encoder", "rows", "bytes"])

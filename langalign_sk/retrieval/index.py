"""The documents of a retriever: identifiers, rows, index and hubness."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_width", "checked_ids", "unit"]


def unit(rows: NDArray) -> NDArray:
    """Rows of length 1, the same array if they are that already; rows of zeros stay zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if len(lengths) and np.abs(lengths - 1).max() < 1e-6:
        return np.ascontiguousarray(rows)
    return rows / np.where(lengths == 0, 1, lengths)[:, None]


def check_width(rows: NDArray, width: int | None, what: str) -> None:
    if width is not None and rows.shape[1] != width:
        raise ValueError(
            f"{what} have {rows.shape[1]} features, but the index has {width}: all must come "
            "from the encoders and the aligner that the index was built with."
        )


def checked_ids(
    ids: Any, n: int, before: Sequence[Hashable] = (), start: int = 0
) -> Sequence[Hashable]:
    if ids is None:
        if before and not all(isinstance(i, int) for i in before):
            raise ValueError("The index has identifiers of its own: pass ids= for new documents.")
        return range(start, start + n)
    if isinstance(ids, str):
        raise ValueError("ids is one str: pass one identifier a document.")
    ids = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    if len(ids) != n:
        raise ValueError(f"There are {len(ids)} ids for {n} documents.")
    seen = set(before)
    for key in ids:
        if key in seen:
            raise ValueError(
                f"The id {key!r} stands for two documents: every id may come once. Remove the former "
                "document first to replace it."
            )
        seen.add(key)
    return ids

"""Arrays of special form."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["WIDEST_IDENTITY", "is_identity"]


# Width of an identity matrix: a damaged number in a file must not fill the memory.
WIDEST_IDENTITY = 1 << 14


def is_identity(value: Any) -> bool:
    """Whether an array is an identity matrix, which a file need not hold."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 2
        and value.dtype.str in ("<f4", "<f8")
        and value.shape[0] == value.shape[1] <= WIDEST_IDENTITY
        and value[0, 0] == 1
        and np.array_equal(value, np.eye(len(value), dtype=value.dtype))
    )

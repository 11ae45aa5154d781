"""Arrays of special form."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["is_identity"]


_WIDEST = 1 << 14  # of an identity matrix: a damaged number must not fill the memory


def is_identity(value: Any) -> bool:
    """Whether an array is an identity matrix, which needs no room."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 2
        and value.dtype.str in ("<f4", "<f8")
        and value.shape[0] == value.shape[1] <= _WIDEST
        and value[0, 0] == 1
        and np.array_equal(value, np.eye(len(value), dtype=value.dtype))
    )

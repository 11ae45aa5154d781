"""Arrays of special form."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["WIDEST_IDENTITY", "is_diagonal", "is_identity"]


# Width of an identity matrix: a damaged number in a file must not fill the memory.
WIDEST_IDENTITY = 1 << 14


def is_identity(value: Any) -> bool:
    """Whether an array is an identity matrix, which a file need not hold."""
    return is_diagonal(value) and bool((np.diagonal(value) == 1).all())


def is_diagonal(value: Any) -> bool:
    """Whether an array is a diagonal matrix, of which a file need not hold more than the diagonal."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 2
        and value.dtype.str in ("<f4", "<f8")
        and 0 < value.shape[0] == value.shape[1] <= WIDEST_IDENTITY
        and not value[0, 1:].any()
        and np.array_equal(value, np.diag(np.diagonal(value)))
    )

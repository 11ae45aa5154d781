"""Rows from what an encoder returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_rows"]


def _to_array(out: Any) -> Any:
    """Array of a torch tensor, which may be on any device and of any float type."""
    return out.detach().float().cpu().numpy() if hasattr(out, "detach") else out


def as_rows(out: Any, n: int, name: str) -> NDArray:
    """Output of an encoder as float32 rows, one per text; an error names the encoder."""
    if isinstance(out, list | tuple):
        out = [_to_array(row) for row in out]
    rows = np.asarray(_to_array(out))
    if rows.ndim == 1 and n == 1:
        rows = rows[None, :]
    if rows.ndim != 2 or len(rows) != n:
        raise ValueError(
            f"The encoder {name} returned shape {rows.shape} for {n} texts; it must return "
            f"({n}, width)."
        )
    rows = rows.astype(np.float32, copy=False)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ValueError(f"The encoder {name} returned NaN or infinity for text {bad} of the call.")
    return rows

"""Conformal p-values: shares of held-out rows that are at least as unusual."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import ensured
from ..metrics._core import held_out_folds

__all__ = ["LEVELS", "MAX_ROWS", "MIN_ROWS", "quality_folds", "share_below", "smallest_share"]

MIN_ROWS = 20
# More rows make a fit slower and improve the scores little (`python -m benchmarks quality`).
MAX_ROWS = 3_000
LEVELS = np.linspace(0, 1, 100)


def quality_folds(n: int, draw: np.random.RandomState) -> list[NDArray[np.intp]]:
    """Folds of rows to hold out, of MIN_ROWS rows or more."""
    # MIN_ROWS is more than it asks for.
    return ensured(held_out_folds(np.arange(n), draw), "folds")


def smallest_share(values: NDArray, quantiles: NDArray) -> NDArray:
    """The smaller share of a row's two statistics."""
    return np.min([share_below(v, q) for v, q in zip(values, quantiles, strict=True)], axis=0)


def share_below(values: Any, quantiles: NDArray) -> NDArray[np.float64]:
    """Share of held-out rows below a value; 0 below them all."""
    return np.interp(np.asarray(values, dtype=np.float64), quantiles, LEVELS)

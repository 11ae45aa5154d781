"""Shares of held-out rows, and their calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics._core import held_out_folds

MIN_ROWS = 20
# More rows make a fit slower and the scores little better.
MAX_ROWS = 3_000
_LEVELS = np.linspace(0, 1, 100)


def _folds(n: int, draw: np.random.RandomState) -> list[NDArray[np.intp]]:
    folds = held_out_folds(np.arange(n), draw)
    assert folds is not None  # MIN_ROWS is more than it asks for
    return folds


def _least(values: NDArray, quantiles: NDArray) -> NDArray:
    return np.min([_share(v, q) for v, q in zip(values, quantiles, strict=True)], axis=0)


def _share(values: Any, quantiles: NDArray) -> NDArray[np.float64]:
    """Share of held-out rows below a value; 0 below them all."""
    return np.interp(np.asarray(values, dtype=np.float64), quantiles, _LEVELS)

"""Whether a y holds class labels or sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..languages import script_of

__all__ = ["looks_like_sentences"]


def looks_like_sentences(y: Any, languages_of_rows: Sequence[str]) -> bool:
    """Whether a y beside task text consists of sentences: most of its strings are distinct."""
    values = np.asarray(y, dtype=object) if not hasattr(y, "to_numpy") else y.to_numpy()
    if values.ndim != 1 or not all(isinstance(v, str) for v in values):
        return False
    if 2 * len(set(values)) <= len(values) or len(values) < 2:
        return False
    # Each of a handful of English texts may have a class of its own.
    small = len(values) < 10 and "en" in languages_of_rows
    return not small or any(script_of(v) != "Latin" for v in values)

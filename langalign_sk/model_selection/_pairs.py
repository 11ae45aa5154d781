"""Pairs that a fitted aligner is scored on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..aligner import CrossLingualAligner
from ..aligner._route import read_rows
from ..corpus._inputs import Embeddings, Pairs, check_pairs_y
from .splits import pair_groups, text_groups

__all__ = ["is_aligner", "read_pairs"]


def is_aligner(estimator: Any) -> bool:
    """Whether an estimator moves rows of two sides into one space."""
    return isinstance(estimator, CrossLingualAligner) or hasattr(
        estimator, "transform_counterparts"
    )


def read_pairs(
    aligner: Any, X: Any, y: Any, one_column: str
) -> tuple[Pairs | Embeddings, NDArray[np.intp]]:
    """Pairs as an aligner reads them, and the labels of those that share a sentence.

    Nothing is encoded. `one_column` is the message of the error for a single column of text.
    """
    data = read_rows(aligner, X) if isinstance(aligner, CrossLingualAligner) else Embeddings(X)
    match data:
        case Embeddings():
            return data, pair_groups(X, y)
        case Pairs():
            check_pairs_y(y)
            return data, text_groups(data.target, data.english)
    raise ValueError(one_column)

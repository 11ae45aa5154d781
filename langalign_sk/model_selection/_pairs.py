"""Pairs that a fitted aligner is scored on."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .._utils.containers import embedding_rows
from ..aligner import CrossLingualAligner
from ..aligner._route import read_rows
from ..corpus._inputs import Embeddings, Pairs, check_pairs_y
from ..mapping._base import PairedMap
from .splits import pair_groups, text_groups

__all__ = ["Aligner", "is_aligner", "read_pairs"]

Aligner: TypeAlias = CrossLingualAligner | PairedMap


def is_aligner(estimator: Any) -> TypeGuard[Aligner]:
    """Whether an estimator moves rows of two sides into one space."""
    return isinstance(estimator, CrossLingualAligner) or hasattr(
        estimator, "transform_counterparts"
    )


def read_pairs(
    aligner: Aligner, X: Any, y: Any, one_column: str
) -> tuple[Pairs | Embeddings, NDArray[np.intp]]:
    """Pairs as an aligner reads them, and the labels of those that share a sentence.

    Nothing is encoded. `one_column` is the message of the error for a single column of text.
    """
    of_text = isinstance(aligner, CrossLingualAligner)
    data = read_rows(aligner, X) if of_text else Embeddings(embedding_rows(X))
    match data:
        case Embeddings():
            return data, pair_groups(data.rows, y)
        case Pairs():
            check_pairs_y(y)
            return data, text_groups(data.target, data.english)
    raise ValueError(one_column)

"""Both sides of pairs in one space, for the displays of retrieval and of hubness."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._utils.containers import opened
from ..aligner import CrossLingualAligner
from ..aligner._route import encoders_of, route_of, transform_pairs
from ..corpus._inputs import Embeddings
from ..encoders import EncodingSession
from ..mapping._base import check_counterparts
from ..model_selection._pairs import Aligner, is_aligner, read_pairs

__all__ = ["AlignedPairs", "align_pairs", "baseline", "check_k"]


class AlignedPairs(NamedTuple):
    """Both sides of pairs in the output space, with and without alignment.

    Pairs of one group share a sentence and are correct answers for each other.
    """

    X: NDArray
    Y: NDArray
    unaligned: tuple[NDArray, NDArray] | None
    groups: NDArray[np.intp]


def align_pairs(aligner: Aligner, X: Any, y: Any, k: Sequence[int]) -> AlignedPairs:
    """Move both sides of pairs by a fitted aligner; texts are encoded once."""
    if not is_aligner(aligner):
        raise ValueError(
            "aligner must be a fitted CrossLingualAligner, LinearAligner or AdapterAligner, got "
            f"{type(aligner).__name__}. Pass the rows of another map to from_embeddings."
        )
    check_is_fitted(aligner)
    source: Any = None
    system: Any = None
    if isinstance(aligner, CrossLingualAligner):
        source, system = encoders_of(aligner)
    X, y = opened(X), opened(y, "y")  # they are read twice
    pairs, groups = read_pairs(
        aligner,
        X,
        y,
        "X is one column of text, which has no translations to find: pass pairs, two columns "
        "[target, English].",
    )
    check_k(k, len(groups))
    if isinstance(pairs, Embeddings):
        moved = np.asarray(aligner.transform(pairs.rows))
        raw = np.asarray(pairs.rows, dtype=moved.dtype), check_counterparts(moved, y)
        one_space = source is system and raw[0].shape[1] == raw[1].shape[1]
        english = route_of(aligner).english(raw[1])
        return AlignedPairs(moved, english, raw if one_space else None, groups)
    session = EncodingSession()
    moved, english = transform_pairs(aligner, pairs, session)
    unaligned = None
    if source is system:
        unaligned = session.encode(source, pairs.target), session.encode(source, pairs.english)
    return AlignedPairs(moved, english, unaligned, groups)


def baseline(
    X: ArrayLike, Y: ArrayLike, X_unaligned: ArrayLike | None, Y_unaligned: ArrayLike | None
) -> tuple[ArrayLike, ArrayLike] | None:
    """Both sides without alignment; None where neither side was moved."""
    if X_unaligned is None and Y_unaligned is None:
        return None
    check_consistent_length(X, X_unaligned)
    check_consistent_length(Y, Y_unaligned)
    return X if X_unaligned is None else X_unaligned, Y if Y_unaligned is None else Y_unaligned


def check_k(k: Sequence[int], n_found: int) -> list[int]:
    """The distinct values in rising order, each at most the number of rows to find."""
    values = np.ravel(k)
    valid = [isinstance(n, numbers.Integral) and 1 <= int(n) <= n_found for n in values]
    if not valid or not all(valid):
        raise ValueError(f"k must be from 1 to {n_found}, the rows that can be found, got {k!r}.")
    return sorted({int(n) for n in values})

"""Both sides of pairs in one space, for the plots of retrieval and of hubs."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from ..aligner import CrossLingualAligner
from ..aligner._route import encoders_of, read_rows, route_of, transform_pairs
from ..corpus._inputs import Embeddings, Pairs, check_pairs_y
from ..encoders import EncodingSession
from ..mapping._base import check_counterparts
from ..model_selection.splits import pair_groups, text_groups

__all__ = ["before", "check_k", "move_both"]


class _Sides(NamedTuple):
    """Both sides of pairs in one space, and who is a right answer for whom."""

    X: NDArray
    Y: NDArray
    unaligned: tuple[NDArray, NDArray] | None
    groups: NDArray[np.intp]


def move_both(aligner: Any, X: Any, y: Any, k: Sequence[int]) -> _Sides:
    """Both sides of pairs as a fitted aligner puts them together."""
    routes_text = isinstance(aligner, CrossLingualAligner)
    if not routes_text and not hasattr(aligner, "transform_counterparts"):
        raise ValueError(
            "aligner must be a fitted CrossLingualAligner, LinearAligner or AdapterAligner, got "
            f"{type(aligner).__name__}. Pass the rows of another map to from_embeddings."
        )
    check_is_fitted(aligner)
    source: Any = None
    system: Any = None
    if routes_text:
        source, system = encoders_of(aligner)
        data = read_rows(aligner, X)
    if not routes_text or isinstance(data, Embeddings):
        groups = pair_groups(X, y)
        check_k(k, len(groups))
        moved = np.asarray(aligner.transform(X))
        raw = np.asarray(X, dtype=moved.dtype), check_counterparts(moved, y)
        one_space = source is system and raw[0].shape[1] == raw[1].shape[1]
        return _Sides(moved, route_of(aligner).english(raw[1]), raw if one_space else None, groups)
    if not isinstance(data, Pairs):
        raise ValueError(
            "X is one column of text, which has no translations to find: pass pairs, two columns "
            "[target, English]."
        )
    check_pairs_y(y)
    groups = text_groups(data.target, data.english)
    check_k(k, len(groups))
    session = EncodingSession()
    moved, english = transform_pairs(aligner, data, session)
    unaligned = None
    if source is system:
        unaligned = session.encode(source, data.target), session.encode(source, data.english)
    return _Sides(moved, english, unaligned, groups)


def before(
    X: ArrayLike, Y: ArrayLike, X_unaligned: ArrayLike | None, Y_unaligned: ArrayLike | None
) -> tuple[ArrayLike, ArrayLike] | None:
    """Both sides before alignment, where one of them moved."""
    if X_unaligned is None and Y_unaligned is None:
        return None
    check_consistent_length(X, X_unaligned)
    check_consistent_length(Y, Y_unaligned)
    return X if X_unaligned is None else X_unaligned, Y if Y_unaligned is None else Y_unaligned


def check_k(k: Sequence[int], n_found: int) -> list[int]:
    """The distinct values, rising."""
    values = np.ravel(k)
    valid = [isinstance(n, numbers.Integral) and 1 <= int(n) <= n_found for n in values]
    if not valid or not all(valid):
        raise ValueError(f"k must be from 1 to {n_found}, the rows that can be found, got {k!r}.")
    return sorted({int(n) for n in values})

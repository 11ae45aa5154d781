"""Cross-fitting of the bridge: English rows, each moved by a bridge that did not see it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._utils.validation import check_number
from ..encoders import EncodingSession
from ._bridge import Bridge
from ._plan import MIN_BRIDGE_ROWS, Plan

__all__ = ["check_cross_fit", "cross_fitted_rows"]


def check_cross_fit(plan: Plan, n_folds: Any) -> None:
    """Raise ValueError where the English rows of a plan cannot be cross-fitted.

    Parameters
    ----------
    plan : Plan
        Nothing has been encoded.
    n_folds : object
        What was passed as `cross_fit`.
    """
    check_number("cross_fit", n_folds, Integral, lambda v: v >= 2, "an int of at least 2 or None")
    if plan.embeddings is not None:
        raise ValueError(
            f"cross_fit={n_folds} needs text: X holds embeddings, and the bridge is learned from "
            "English text."
        )
    if not plan.bridged:
        raise ValueError(
            f"cross_fit={n_folds} needs another English encoder and output_space='english': without "
            "them there is no bridge to cross-fit. Name it in english_encoder, or leave "
            "cross_fit=None."
        )
    n = len({*plan.task["en"]})
    if n < n_folds:
        raise ValueError(
            f"cross_fit={n_folds} needs at least {n_folds} distinct English texts in X, one column of "
            f"text, and found {n}."
        )
    rest = len({*plan.task["en"], *plan.english_of_pairs}) - -(-n // int(n_folds))
    if rest < MIN_BRIDGE_ROWS:
        raise ValueError(
            f"cross_fit={n_folds} leaves {rest} distinct English texts to learn a fold's bridge from, "
            f"and it needs at least {MIN_BRIDGE_ROWS}. Pass more English text or pairs, or take more "
            "folds."
        )


def cross_fitted_rows(
    plan: Plan, texts: Sequence[str], session: EncodingSession, n_folds: int, seed: int
) -> NDArray:
    """English rows in the English system's space, each moved by a bridge that did not see it.

    A head that is trained on them meets the noise that it will meet in target rows, which the
    rows that a bridge has learned from do not have (compare scikit-learn's `TargetEncoder`, whose
    `fit_transform` cross-fits for the same reason).

    Parameters
    ----------
    plan : Plan
        Of a fit with a bridge, and with the texts among its English task text.
    texts : sequence of str
        English texts in any order, with repetitions.
    session : EncodingSession
        Keeps every distinct text encoded.
    n_folds : int
        Number of folds. Equal texts are in one fold; all other English rows of the plan are in the
        bridge of every fold.
    seed : int
        Draws the folds, which depend on the set of texts and not on their order.

    Returns
    -------
    ndarray of shape (n_texts, n_features_out), float32
        One row per text.
    """
    bridge = Bridge(plan, session)
    place_of = {text: i for i, text in enumerate(bridge.texts)}
    distinct = np.array([place_of[text] for text in sorted({*texts})])
    fold_of = check_random_state(seed).permutation(len(distinct)) % n_folds
    folds = [distinct[fold_of == i] for i in range(n_folds)]
    moved = np.concatenate(bridge.move_held_out(folds))
    row_of = dict(zip(np.concatenate(folds).tolist(), range(len(moved)), strict=True))
    return moved[[row_of[place_of[text]] for text in texts]]

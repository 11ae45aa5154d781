"""The warning for a tuning run whose score cannot tell one aligner from another."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from types import FrameType
from typing import Any
from weakref import WeakSet

__all__ = ["warn_of_bypass"]


_VALIDATION = "sklearn.model_selection._validation"
# From `transform` up to the scoring of a fold: a scorer, a Pipeline and their decorators.
_DEPTH = 40
# scikit-learn resets Python's own memory of warnings at every fit, and makes a scorer a search.
_warned: WeakSet[Any] = WeakSet()


def warn_of_bypass(kind: type) -> None:
    """Warn where scikit-learn scores a held-out fold of English rows, once a search.

    English rows bypass the map of output_space="english", so that all settings of the map tie.
    To be called where all rows are English. There is no warning where scikit-learn scores the
    training rows, nor where a search varies the parameters of other steps alone. A scorer object
    of the user's own that goes through several searches warns in the first.

    Parameters
    ----------
    kind : type
        The class of the aligner that moves the rows.
    """
    score = _frame_above(sys._getframe(1), "_score")
    if score is None:
        return
    fold = _frame_above(score, "_fit_and_score")
    if fold is None:
        return
    # These names are scikit-learn's own business: where one is gone, nothing is said.
    scored, known = score.f_locals, fold.f_locals
    if scored.get("X_test") is known.get("X_train"):
        return
    parameters, estimator = known.get("parameters"), known.get("estimator")
    if estimator is None or (parameters is not None and not _touches(parameters, estimator, kind)):
        return
    # The first fit of a search speaks for all, since worker processes share no memory.
    progress = (known.get(name) for name in ("split_progress", "candidate_progress"))
    if any(counted is not None and counted[0] > 0 for counted in progress):
        return
    with suppress(TypeError):  # a scorer without a hash is not remembered
        scorer = scored.get("scorer")
        if scorer in _warned:
            return
        _warned.add(scorer)
    warnings.warn(
        "Only English rows are held out here, and they bypass the language map: the score says "
        "nothing about it, and all its settings tie. Tune the aligner by retrieval on translation "
        "pairs (scoring=make_retrieval_scorer()), or hold out labelled target-language rows "
        "(cv=CrossLingualSplit()); both are in langalign_sk.model_selection.",
        UserWarning,
        stacklevel=2,
    )


def _frame_above(frame: FrameType | None, function: str) -> FrameType | None:
    for _ in range(_DEPTH):
        if frame is None:
            return None
        if frame.f_code.co_name == function and frame.f_globals.get("__name__") == _VALIDATION:
            return frame
        frame = frame.f_back
    return None


def _touches(parameters: dict[str, Any], estimator: Any, kind: type) -> bool:
    """Whether a parameter belongs to an aligner inside the estimator, or puts it there."""
    steps = [name for name, value in estimator.get_params().items() if isinstance(value, kind)]
    return any(
        name == step or name.startswith(f"{step}__") for name in parameters for step in steps
    )

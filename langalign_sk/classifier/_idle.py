"""Tables of the parameters of classifiers that have no effect under others.

`KernelRidgeClassifier` has none: all its parameters have an effect on every fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._utils.idle import Idle, IdleSettings, find_idle, passed

__all__ = ["idle_of_aligned", "idle_of_cross_lingual"]


@dataclass(frozen=True)
class _Situation:
    """What decides which parameters of a classifier have an effect on a fit."""

    classifier: Any
    n_views: int = 0
    bridged: bool = False
    labelled: bool = False


# `adapt` has an effect on `partial_adapt` where `fit` gets no unlabelled rows.
_CROSS_LINGUAL = (
    Idle(
        ("cross_fit",),
        lambda s: not s.bridged,
        "no view has a bridge that is fitted here",
        ("views", "aligner"),
    ),
    Idle(
        ("adapt",),
        lambda s: s.classifier.adapt == "co-training" and s.n_views == 1,
        "co-training needs two views; the only one trains itself",
        ("views", "aligner", "encoder"),
    ),
)
_ALIGNED = (
    Idle(
        ("class_prior",),
        lambda s: (
            "prior_shift" not in s.classifier.calibration
            and not (s.classifier.calibration == "auto" and s.labelled)
        ),
        "calibration={s.classifier.calibration!r} does not shift the prior here; "
        '"prior_shift" does, and "auto" may where there are labels',
        ("calibration",),
    ),
)


def idle_of_cross_lingual(classifier: Any, n_views: int, bridged: bool) -> list[IdleSettings]:
    """Parameters of a CrossLingualClassifier that were passed and have no effect.

    Parameters
    ----------
    classifier : CrossLingualClassifier
        Its parameters were checked.
    n_views : int
        Number of views.
    bridged : bool
        Whether English rows are cross-fitted.

    Returns
    -------
    list of IdleSettings
        Empty where all have an effect.
    """
    situation = _Situation(classifier, n_views=n_views, bridged=bridged)
    return find_idle(passed(classifier), _CROSS_LINGUAL, situation)


def idle_of_aligned(classifier: Any, labelled: bool) -> list[IdleSettings]:
    """Parameters of an AlignedClassifier that were passed and have no effect.

    Parameters
    ----------
    classifier : AlignedClassifier
        Its parameters were checked.
    labelled : bool
        Whether there are labels.

    Returns
    -------
    list of IdleSettings
        Empty where all have an effect.
    """
    return find_idle(passed(classifier), _ALIGNED, _Situation(classifier, labelled=labelled))

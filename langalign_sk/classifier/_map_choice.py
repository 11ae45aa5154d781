"""Choice of a language map by the answers of a classifier on both sides of held-out pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._utils.validation import ensured
from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.rows import PairedRows

__all__ = ["MapChoice", "choose_map", "near_identity_maps", "same_label_log_ratio"]


_SMALLEST = 1e-6  # probability; one certain error must not outweigh all other pairs
_ROUNDING = 1e-6  # of log ratios that are equal in truth
# Share of what English answers have more than those of unaligned rows. A gain below it is no reason
# to move rows, however certain many pairs make it (`python -m benchmarks maps`).
_LEAST_SHARE = 0.05


@dataclass(frozen=True)
class MapChoice:
    """Result of a choice of a language map by a classifier's answers.

    Attributes
    ----------
    best : PairedMap
        The chosen map, fitted on all pairs.
    results : dict of str to list
        One entry per candidate and key, in the manner of ``GridSearchCV.cv_results_``: "method",
        "alpha", "agreement" (share of held-out pairs whose sides get one answer), "log_ratio" (mean
        of `same_label_log_ratio`), "gain" (its difference to the first candidate), "standard_error"
        of the gain, and "share" (of the gap between the first candidate and the English answers that
        the gain closes). Empty where too few distinct pairs exist to hold any out.
    """

    best: PairedMap
    results: dict[str, list[Any]] = field(default_factory=dict)


def choose_map(
    rows: PairedRows,
    candidates: Sequence[PairedMap],
    proba: Callable[[NDArray], NDArray],
    *,
    random_state: int | np.random.RandomState | None,
) -> MapChoice:
    """Choose the map after which a classifier answers both sides of held-out pairs alike.

    Retrieval of translations, by which ``method="auto"`` chooses, weighs all directions of the
    space; a classifier uses few of them, and a map that finds more translations may cost it accuracy.
    Each map moves the pairs of a fold after a fit on the other folds. The candidate with the
    largest mean log ratio (`same_label_log_ratio`) is taken if its gain over the first exceeds one
    standard error, paired over the pairs, and closes 5 % of the gap to the English answers, whose
    log ratio with themselves is the best there is; otherwise the first candidate is kept.

    Parameters
    ----------
    rows : PairedRows
        Target rows and those of their English translations. Pairs that share a side are in one
        fold.
    candidates : sequence of PairedMap
        Unfitted maps that leave counterparts as they are; the first is no alignment. They are
        cloned. `near_identity_maps` has those that cost a classifier the least where it gains
        nothing by them.
    proba : callable
        ``(n, n_features) -> (n, n_classes)``: probabilities of a classifier that was trained on
        English rows.
    random_state : int, RandomState instance or None
        Draws the folds.

    Returns
    -------
    MapChoice
        The first candidate where too few distinct pairs exist to hold any out.
    """
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    held_out = rows.held_out(seed)
    fitted = [clone(candidate).fit_rows(rows) for candidate in candidates]
    if held_out is None:
        return MapChoice(fitted[0])
    english = proba(rows.Y[held_out.indices])
    answers = [proba(_moved(one, rows, seed)) for one in fitted]
    ratios = np.array([same_label_log_ratio(answer, english) for answer in answers])
    gains = ratios - ratios[0]
    gain, error = gains.mean(axis=1), gains.std(axis=1) / np.sqrt(gains.shape[1])
    gap = max(float(same_label_log_ratio(english, english).mean() - ratios[0].mean()), 0.0)
    enough = (gain > error + _ROUNDING) & (gain >= _LEAST_SHARE * gap)
    best = int(np.argmax(np.where(enough, gain, 0.0)))
    agreement = [
        float((answer.argmax(axis=1) == english.argmax(axis=1)).mean()) for answer in answers
    ]
    results = {
        "method": [one.fitted_method for one in fitted],
        "alpha": [getattr(one, "alpha_", None) for one in fitted],
        "agreement": agreement,
        "log_ratio": ratios.mean(axis=1).tolist(),
        "gain": gain.tolist(),
        "standard_error": error.tolist(),
        "share": (gain / gap if gap else np.zeros_like(gain)).tolist(),
    }
    return MapChoice(fitted[best], results)


def near_identity_maps() -> list[PairedMap]:
    """Unfitted maps for `choose_map`: no alignment, the shift of the mean, two strong ridges.

    Weaker ridges and rotations move directions about which pairs of general text say little, and a
    classifier answers differently there: they are right more often on pairs than on its task
    (`python -m benchmarks maps`).
    """
    ridges = [LinearAligner("ridge", alpha=alpha) for alpha in (30.0, 10.0)]
    return [LinearAligner("identity"), LinearAligner("centre"), *ridges]


def same_label_log_ratio(target: NDArray, english: NDArray) -> NDArray[np.float64]:
    """Log-likelihood ratio of one label for both sides of a pair against independent labels.

    For posteriors ``p`` and ``q`` of the two sides and the prior ``w`` of the labels, both sides have
    the same label with a likelihood of ``sum(p * q / w)`` times that of labels drawn apart. Answers
    near the prior, as a classifier gives to text that is not of its task, count as nothing, and a map
    that moves all rows to one label, or none far from the prior, gains nothing: unlike by the
    share of equal answers, or by the cross-entropy of the two.

    Parameters
    ----------
    target, english : ndarray of shape (n_pairs, n_classes)
        Probabilities of the two sides. The prior is the mean of the English ones.

    Returns
    -------
    ndarray of shape (n_pairs,), float64
        Positive where the sides answer alike.
    """
    prior = np.maximum(english.mean(axis=0, dtype=np.float64), _SMALLEST)
    return np.log(np.maximum((target * english / prior).sum(axis=1), _SMALLEST))


def _moved(fitted: PairedMap, rows: PairedRows, seed: int) -> NDArray:
    """Held-out rows, moved by maps of the rows outside their fold."""
    held_out = ensured(rows.held_out(seed), "held_out")
    pairs = fitted.held_out(rows, seed)
    if pairs is not None and np.array_equal(pairs.indices, held_out.indices):
        return pairs.moved
    # A trained map holds other rows out: it is trained anew for each fold.
    everyone, moved = np.arange(len(rows)), []
    for fold in held_out.folds:
        rest = rows.take(np.setdiff1d(everyone, fold))
        moved.append(fitted.unfitted_twin().fit_rows(rest).move(rows.X[fold]))
    return np.concatenate(moved)

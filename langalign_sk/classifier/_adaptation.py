"""Self-training on unlabelled rows: which rows teach, under which label, and when none may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MIN_CONFIDENCE_RATIO",
    "MIN_ROWS",
    "PSEUDO_WEIGHT",
    "PseudoLabels",
    "mean_confidence",
    "pseudo_labels",
    "pseudo_share",
    "refusal",
    "teachers",
]

# `python -m benchmarks gap` measures what these three are worth.
MIN_ROWS = 100  # fewer unlabelled rows gain nothing
MIN_CONFIDENCE_RATIO = 0.75  # rows of another task lie below, fair ones above
PSEUDO_WEIGHT = 0.5  # of a row with a predicted label, times the mean of the labelled ones


@dataclass(frozen=True)
class PseudoLabels:
    """Unlabelled rows that are taken into a fit, with predicted labels.

    Attributes
    ----------
    indices : ndarray of shape (n_chosen,), dtype int
        Places among the unlabelled rows, in increasing order.
    labels : ndarray of shape (n_chosen,), dtype int
        Predicted columns of the classes.
    """

    indices: NDArray[np.intp]
    labels: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.indices)


def pseudo_share(n_views: int) -> float:
    """Share of the rows of a predicted class that a view learns from: half, or 1 / `n_views`.

    The mean of many views errs so seldom that less is to be gained, and a wrong label costs more
    (`python -m benchmarks gap`).
    """
    return 1 / max(2, n_views)


def pseudo_labels(P: NDArray, share: float) -> PseudoLabels:
    """Predicted labels of the most confident rows of each predicted class.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Probabilities of a teacher.
    share : float
        Of the rows of every predicted class, rounded up.

    Returns
    -------
    PseudoLabels
        The chosen rows; of equally confident ones, the first.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.classifier._adaptation import pseudo_labels
    >>> chosen = pseudo_labels(np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), 0.5)
    >>> chosen.indices.tolist(), chosen.labels.tolist()
    ([0, 2], [0, 1])
    """
    predicted, top = P.argmax(axis=1), P.max(axis=1)
    chosen = []
    for label in np.unique(predicted):
        rows = np.flatnonzero(predicted == label)
        order = np.argsort(-top[rows], kind="stable")
        chosen.append(rows[order[: ceil(share * len(rows))]])
    indices = np.sort(np.concatenate(chosen))
    return PseudoLabels(indices, predicted[indices])


def teachers(probabilities: Sequence[NDArray], co_training: bool) -> list[NDArray]:
    """Probabilities that label the rows for each view.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples, n_classes)
        One array per view.
    co_training : bool
        Whether a view learns from the mean of the other views (Blum and Mitchell, COLT 1998), and
        not from the mean of all of them.

    Returns
    -------
    list of ndarray
        One array per view.
    """
    total = np.sum(probabilities, axis=0)
    n_views = len(probabilities)
    if co_training and n_views > 1:
        return [(total - own) / (n_views - 1) for own in probabilities]
    return [total / n_views] * n_views


def mean_confidence(P: NDArray) -> float:
    """Mean over rows of the probability of the most probable class."""
    return float(P.max(axis=1).mean())


def refusal(n_rows: int, ratio: float) -> str | None:
    """Reason not to learn from unlabelled rows; None where there is no such reason.

    Parameters
    ----------
    n_rows : int
        Number of unlabelled rows.
    ratio : float
        Their mean confidence over that of labelled rows which the model did not see: about 1 for
        rows of the same task, well below it for rows of another one.
    """
    if n_rows < MIN_ROWS:
        return f"there are {n_rows} unlabelled rows, and fewer than {MIN_ROWS} gain nothing"
    if not ratio >= MIN_CONFIDENCE_RATIO:
        return (
            f"the mean top probability of these rows is {ratio:.2f} times that of the labelled rows, "
            f"below {MIN_CONFIDENCE_RATIO}: they look like rows of another task"
        )
    return None

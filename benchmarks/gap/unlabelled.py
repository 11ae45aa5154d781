"""Other uses of unlabelled target text: one half of it adapts, and the other is answered."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.preprocessing import normalize
from sklearn.semi_supervised import LabelSpreading

from .views import Setup, again, ensemble

WEIGHT = 0.5  # of a row with a predicted label
SIMILARITY = 0.05  # scale of the cosines in optimal transport
NEIGHBOURS = 15
SELF = "two views, mean, self-training"


def taught(setup: Setup, teacher: NDArray, adapting: NDArray, X: NDArray) -> NDArray:
    """Both heads after one round: the more confident half of each class that a teacher predicts."""
    predicted, top = teacher.argmax(axis=1), teacher.max(axis=1)
    chosen = np.concatenate(
        [
            rows[np.argsort(-top[rows], kind="stable")[: (len(rows) + 1) // 2]]
            for rows in (np.flatnonzero(predicted == c) for c in np.unique(predicted))
        ]
    )
    y = np.concatenate([setup.y, predicted[chosen]])
    weight = np.concatenate([np.ones(len(setup.y)), np.full(len(chosen), WEIGHT)])
    total = np.zeros((len(X), len(setup.classes)))
    for view in (setup.own, setup.bridged):
        rows = np.vstack([view.english, view.move(adapting[chosen])])
        model = again(view.head).fit(rows, y, sample_weight=weight)
        total += model.predict_proba(view.move(X))
    return total


def self_training(setup: Setup, adapting, X) -> NDArray:
    return taught(setup, ensemble(setup, adapting), adapting, X)


def balanced_by_sinkhorn(setup: Setup, adapting, X) -> NDArray:
    """Labels of the teacher scaled until the classes are as frequent as in English."""
    P = ensemble(setup, adapting)
    prior = np.bincount(setup.y) / len(setup.y)
    return taught(setup, scaled(np.log(P), np.ones(len(P)) / len(P), prior), adapting, X)


def transported(setup: Setup, adapting, X) -> NDArray:
    """Labels by entropic optimal transport from English rows, averaged with the teacher's."""
    similar = normalize(adapting) @ normalize(setup.X).T / SIMILARITY
    n, m = similar.shape
    plan = scaled(similar, np.ones(n) / n, np.ones(m) / m) * n
    moved = plan @ np.eye(len(setup.classes))[setup.y]
    return taught(setup, ensemble(setup, adapting) + moved, adapting, X)


def scaled(logs: NDArray, rows: NDArray, columns: NDArray) -> NDArray:
    """Positive matrix scaled to given sums of rows and columns (Sinkhorn and Knopp, 1967)."""
    f, g = np.zeros((len(rows), 1)), np.zeros((1, len(columns)))
    for _ in range(100):
        g = np.log(columns)[None] - logsumexp(logs + f, axis=0, keepdims=True)
        f = np.log(rows)[:, None] - logsumexp(logs + g, axis=1, keepdims=True)
    return np.exp(logs + f + g)


def label_spreading(setup: Setup, adapting, X) -> NDArray:
    """LabelSpreading of scikit-learn over English and unlabelled rows."""
    model = LabelSpreading(kernel="knn", n_neighbors=NEIGHBOURS, alpha=0.2, max_iter=60)
    rows = normalize(np.vstack([setup.X, adapting]))
    model.fit(rows, np.concatenate([setup.y, np.full(len(adapting), -1)]))
    out = np.full((len(X), len(setup.classes)), 1e-6)
    out[:, model.classes_] += np.nan_to_num(model.predict_proba(normalize(X)))
    return out / out.sum(axis=1, keepdims=True)


def spreading_as_a_view(setup: Setup, adapting, X) -> NDArray:
    return 2 * ensemble(setup, X) + label_spreading(setup, adapting, X)


ADAPTED: dict[str, Callable] = {
    SELF: self_training,
    "self-training, labels balanced by Sinkhorn": balanced_by_sinkhorn,
    "self-training, labels by optimal transport": transported,
    "label spreading alone": label_spreading,
    "label spreading as a third view": spreading_as_a_view,
}

"""Two views of one task as arrays, each with a kernel head, for what the classifier does not do."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.preprocessing import normalize

from langalign_sk import KernelRidgeClassifier, LinearAligner

from .._lib.data import SEED
from .tasks import GapTask

FOLDS = 5


class View(NamedTuple):
    """English rows with their head, and what moves target rows to them."""

    english: NDArray
    head: KernelRidgeClassifier
    move: Callable[[NDArray], NDArray]

    @classmethod
    def of(cls, english, labels, move) -> "View":
        head = KernelRidgeClassifier(store_loo=True, random_state=SEED)
        return cls(english, head.fit(english, labels), move)

    def proba(self, X) -> NDArray:
        return self.head.predict_proba(self.move(X))


class Setup:
    """Rows of one task, with the two views of the default encoder."""

    def __init__(self, task: GapTask, source, system) -> None:
        self.task, self.source, self.system = task, source, system
        self.classes, self.y = np.unique(task.train.labels, return_inverse=True)
        self.X, self.Y = (encoder.transform(task.train.texts) for encoder in (source, system))
        self.tests = {lang: source.transform(rows.texts) for lang, rows in task.tests.items()}

    @cached_property
    def own(self) -> View:
        return View.of(self.X, self.y, lambda X: X)

    @cached_property
    def bridged(self) -> View:
        return bridged_view(self.X, self.Y, self.y)

    @cached_property
    def bridged_with_more_text(self) -> View:
        """The bridge learns from training text beyond the cap too, without its labels."""
        if not self.task.extra:
            return self.bridged
        more = (encoder.transform(self.task.extra) for encoder in (self.source, self.system))
        return bridged_view(self.X, self.Y, self.y, *more)

    @cached_property
    def kernel_bridged(self) -> View:
        """Kernel ridge regression from one encoder to the other, in place of the linear map."""
        X, mean = normalize(self.X), self.Y.mean(axis=0)
        grid = {"gamma": [0.25, 0.5, 1], "alpha": [0.03, 0.1, 0.3, 1]}
        model = GridSearchCV(KernelRidge(kernel="rbf"), grid, cv=3).fit(X, self.Y - mean)
        folds = KFold(FOLDS, shuffle=True, random_state=SEED)
        moved = cross_val_predict(model.best_estimator_, X, self.Y - mean, cv=folds)
        return View.of(moved + mean, self.y, lambda rows: model.predict(normalize(rows)) + mean)

    @cached_property
    def names(self) -> NDArray:
        """Rows of the names of the classes."""
        names = [str(name).replace("-", " ").replace("/", " and ") for name in self.classes]
        return self.source.transform(names)

    def right(self, lang: str, P: NDArray) -> NDArray[np.bool_]:
        return self.classes[P.argmax(axis=1)] == self.task.tests[lang].labels


def bridged_view(X, Y, y, more_X=None, more_Y=None) -> View:
    """View of a cross-fitted bridge, which may learn from rows without a label too."""

    def fit(rows):
        A, B = X[rows], Y[rows]
        if more_X is not None:
            A, B = np.vstack([A, more_X]), np.vstack([B, more_Y])
        # The bridge of the package.
        return LinearAligner("spectral", alpha=1, power=0.5, match_scale=True).fit(A, B)

    moved = np.empty((len(X), Y.shape[1]), dtype=X.dtype)
    for rest, held in KFold(FOLDS, shuffle=True, random_state=SEED).split(X):
        moved[held] = fit(rest).transform(X[held])
    return View.of(moved, y, fit(np.arange(len(X))).transform)


def again(head: KernelRidgeClassifier) -> KernelRidgeClassifier:
    """Unfitted head with the settings of a fitted one."""
    return KernelRidgeClassifier(head.gamma_, head.alpha_, random_state=SEED)


def ensemble(setup: Setup, X) -> NDArray:
    """Mean probabilities of both views."""
    return (setup.own.proba(X) + setup.bridged.proba(X)) / 2

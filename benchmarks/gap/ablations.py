"""Other ways to serve target text, beside two views with kernel heads and their mean.

All work on rows of the default encoder, some with those of e5 too, without a pair. Settings are
fixed, or chosen on English rows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import normalize

from langalign_sk import KernelRidgeClassifier

from .._lib.data import SEED
from .tasks import GapTask, halves
from .unlabelled import ADAPTED
from .views import Setup, again, bridged_view, ensemble

SHOTS = 3  # English rows per class
ENSEMBLE = "two views, mean"
FOUR = "two encoders, mean of four views"


def geometric_mean(setup: Setup, X) -> NDArray:
    return np.log(setup.own.proba(X)) + np.log(setup.bridged.proba(X))


def convex_stacking(setup: Setup, X) -> NDArray:
    """Weights of the views by leave-one-out log loss of English rows."""
    rows = np.arange(len(setup.y))
    own, bridged = (v.head.loo_proba_[rows, setup.y] for v in (setup.own, setup.bridged))
    shares = np.linspace(0, 1, 41)
    best = shares[np.argmax([np.log(s * own + (1 - s) * bridged + 1e-12).mean() for s in shares])]
    return best * setup.own.proba(X) + (1 - best) * setup.bridged.proba(X)


def stacked_lr(setup: Setup, X) -> NDArray:
    """Logistic regression on leave-one-out log probabilities of both views."""

    def columns(parts):
        return np.log(np.hstack(parts) + 1e-4)

    search = GridSearchCV(
        LogisticRegression(max_iter=3_000),
        {"C": [0.01, 0.03, 0.1, 0.3, 1]},
        scoring="neg_log_loss",
        cv=StratifiedKFold(3, shuffle=True, random_state=SEED),
    )
    views = setup.own, setup.bridged
    search.fit(columns([view.head.loo_proba_ for view in views]), setup.y)
    return search.predict_proba(columns([view.proba(X) for view in views]))


def with_kernel_bridge(setup: Setup, X) -> NDArray:
    return setup.own.proba(X) + setup.kernel_bridged.proba(X)


def with_third_view(setup: Setup, X) -> NDArray:
    return 2 * ensemble(setup, X) + setup.kernel_bridged.proba(X)


def with_more_text(setup: Setup, X) -> NDArray:
    return setup.own.proba(X) + setup.bridged_with_more_text.proba(X)


def names_as_rows(setup: Setup, X) -> NDArray:
    """One labelled row more per class: its name."""
    names, y = setup.names, np.concatenate([setup.y, np.arange(len(setup.classes))])
    total = np.zeros((len(X), len(setup.classes)))
    for view in (setup.own, setup.bridged):
        model = again(view.head).fit(np.vstack([view.english, view.move(names)]), y)
        total += model.predict_proba(view.move(X))
    return total


def names_alone(setup: Setup, X) -> NDArray:
    """Cosine to the names of the classes."""
    return normalize(X) @ normalize(setup.names).T


def few_shot(setup: Setup, X, names: bool) -> NDArray:
    """A few English rows per class, with or without the names of the classes."""
    rng = np.random.default_rng(SEED)
    chosen = np.concatenate(
        [rng.permutation(np.flatnonzero(setup.y == c))[:SHOTS] for c in range(len(setup.classes))]
    )
    A, y = setup.X[chosen], setup.y[chosen]
    if names:
        A = np.vstack([A, setup.names])
        y = np.concatenate([y, np.arange(len(setup.classes))])
    return KernelRidgeClassifier(random_state=SEED).fit(A, y).predict_proba(X)


def side_by_side(first: Setup, second: Setup):
    """Bridge from the rows of two encoders side by side, and what joins their rows."""
    means = [setup.X.mean(axis=0) for setup in (first, second)]
    sizes = [np.sqrt(setup.X.var(axis=0).sum()) for setup in (first, second)]

    def join(*rows):
        parts = zip(rows, means, sizes, strict=True)
        return np.hstack([(X - mean) / size for X, mean, size in parts])

    return bridged_view(join(first.X, second.X), first.Y, first.y), join


PLAIN: dict[str, Callable] = {
    ENSEMBLE: ensemble,
    "geometric mean": geometric_mean,
    "stacking: convex weights": convex_stacking,
    "stacking: logistic regression": stacked_lr,
    "kernel bridge in place of the linear one": with_kernel_bridge,
    "kernel bridge as a third view": with_third_view,
    "more English text in the bridge": with_more_text,
    "names of the classes as rows": names_as_rows,
    "names of the classes alone (zero-shot)": names_alone,
    f"{SHOTS} English rows per class": lambda setup, X: few_shot(setup, X, names=False),
    f"{SHOTS} English rows per class, and its name": lambda setup, X: few_shot(
        setup, X, names=True
    ),
}


def measure(task: GapTask, source, system) -> dict[str, dict[str, float]]:
    """Accuracies by method and language."""
    setup = Setup(task, source, system)
    out: dict[str, dict[str, float]] = {}
    for lang, X in setup.tests.items():
        for name, method in PLAIN.items():
            out.setdefault(name, {})[lang] = float(setup.right(lang, method(setup, X)).mean())
        for name, method in ADAPTED.items():
            P = np.empty((len(X), len(setup.classes)))
            one, other = halves(len(X), SEED)
            for adapting, scored in ((one, other), (other, one)):
                P[scored] = method(setup, X[adapting], X[scored])
            out.setdefault(name, {})[lang] = float(setup.right(lang, P).mean())
    return out


def measure_two(task: GapTask, source, second, system) -> dict[str, dict[str, float]]:
    """Accuracies of what joins two encoders."""
    setups = [Setup(task, encoder, system) for encoder in (source, second)]
    view, join = side_by_side(*setups)
    out: dict[str, dict[str, float]] = {}
    for lang in task.tests:
        X = [setup.tests[lang] for setup in setups]
        own = np.sum([s.own.proba(rows) for s, rows in zip(setups, X, strict=True)], axis=0)
        bridged = np.sum([s.bridged.proba(rows) for s, rows in zip(setups, X, strict=True)], axis=0)
        joined = view.proba(join(*X))
        for name, P in (
            (FOUR, own + bridged),
            ("two encoders, mean of their own rows", own),
            ("two encoders, bridge from their rows side by side", own + joined),
        ):
            out.setdefault(name, {})[lang] = float(setups[0].right(lang, P).mean())
    return out

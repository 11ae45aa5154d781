"""What serves target-language text, from English labels alone: baselines and CrossLingualClassifier."""

import copy
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from langalign_sk import CrossLingualAligner, CrossLingualClassifier, KernelRidgeClassifier

from .._lib.baselines import STRAIGHT
from .._lib.data import SEED
from .tasks import SPLITS, GapTask, crosswise

CS = (0.3, 1, 3, 10, 30, 100)
FOLDS = 3

LR, KERNEL = "tuned LR", "kernel head"
NONE, BRIDGE, CROSS_FITTED = "no alignment", "bridge", "cross-fitted bridge"
CLASSIFIER, TARGET, CORPUS = "CrossLingualClassifier", "with target text", "starter corpus"
USE, E5, BOTH = "USE", "e5", "USE and e5"

STRAIGHT_LR = f"{STRAIGHT}, {LR}"
LR_USE, LR_BRIDGE = f"{USE}, {NONE}, {LR}", f"{USE}, {BRIDGE}, {LR}"
ONE, ONE_TARGET = f"{USE}, {CLASSIFIER}", f"{USE}, {CLASSIFIER}, {TARGET}"
TWO, TWO_TARGET = f"{BOTH}, {CLASSIFIER}", f"{BOTH}, {CLASSIFIER}, {TARGET}"
METHODS = (
    STRAIGHT_LR,
    *(f"{USE}, {rows}, {head}" for rows in (NONE, BRIDGE, CROSS_FITTED) for head in (LR, KERNEL)),
    f"{USE}, {CLASSIFIER}, {LR}",
    ONE,
    f"{ONE}, {CORPUS}",
    ONE_TARGET,
    *(f"{E5}, {rows}, {head}" for rows in (NONE, BRIDGE) for head in (LR, KERNEL)),
    f"{BOTH}, {CLASSIFIER}, {LR}",
    TWO,
    f"{TWO}, {CORPUS}",
    TWO_TARGET,
)
CEILINGS = (f"MiniLM, {LR}", f"MiniLM, {KERNEL}", ONE, TWO)

Found = dict[str, dict[str, NDArray]]


def tuned_lr(X, y) -> LogisticRegression:
    """Logistic regression whose C is chosen by cross-validated log loss of the training rows."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    search = GridSearchCV(
        LogisticRegression(max_iter=2_000), {"C": CS}, scoring="neg_log_loss", cv=folds
    )
    return search.fit(X, y).best_estimator_


HEADS: dict[str, Callable] = {
    LR: tuned_lr,
    KERNEL: lambda X, y: KernelRidgeClassifier(random_state=SEED).fit(X, y),
}


def aligner(task: GapTask, source, system, **settings) -> CrossLingualAligner:
    """Bridge from English task text, without a pair unless a corpus is named."""
    settings = {"corpus": None, **settings}
    return CrossLingualAligner(
        list(task.tests), encoder=source, english_encoder=system, random_state=SEED, **settings
    )


def classifier(task: GapTask, sources: list, system, **settings) -> CrossLingualClassifier:
    """Classifier with the views of one or several multilingual encoders, fitted."""
    corpus = settings.pop("corpus", None)
    aligners = [aligner(task, source, system, corpus=corpus) for source in sources]
    return CrossLingualClassifier(aligners, random_state=SEED, **settings).fit(*task.train)


def adapted(model: CrossLingualClassifier, texts: list[str]) -> CrossLingualClassifier:
    """The same as a fit with ``target=texts``, without another fit of the views."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what the report says
        return copy.deepcopy(model).partial_adapt(texts)


def lr_in_each_view(task: GapTask, sources: list, system) -> CrossLingualClassifier:
    """The classifier with logistic regressions, with the C of the rows of the first encoder."""
    C = tuned_lr(sources[0].transform(task.train.texts), task.train.labels).C
    return classifier(
        task, sources, system, head=LogisticRegression(C=C, max_iter=2_000), adapt="none"
    )


def measure(task: GapTask, encoders: dict, system) -> tuple[Found, Found]:
    """Right answers by method and language, and those of English test rows.

    Values count the seeds that answer a row rightly, of as many as there are.
    """
    found: Found = {}
    english: Found = {}
    rows, labels = task.tests, task.train.labels

    def keep(method, predict):
        found[method] = {
            lang: len(SPLITS) * (predict(test.texts) == test.labels).astype(int)
            for lang, test in rows.items()
        }

    def keep_english(method, predict):
        right = (predict(task.english.texts) == task.english.labels).astype(int)
        english[method] = {"en": len(SPLITS) * right}

    def keep_adapted(method, model):
        found[method] = {
            lang: crosswise(len(test.labels), lambda A, B, test=test: answers(model, test, A, B))
            for lang, test in rows.items()
        }

    Y = system.transform(task.train.texts)
    into_system = {head: fit(Y, labels) for head, fit in HEADS.items()}
    for head, model in into_system.items():
        keep_english(f"MiniLM, {head}", lambda texts, m=model: m.predict(system.transform(texts)))
        if head == LR:
            keep(STRAIGHT_LR, lambda texts, m=model: m.predict(system.transform(texts)))
    for name, source in encoders.items():
        for method, predict in single_views(task, name, source, system, into_system):
            if method in METHODS:
                keep(method, predict)
    lists = {USE: [encoders[USE]]}
    if E5 in encoders:
        lists[BOTH] = [encoders[USE], encoders[E5]]
    for name, sources in lists.items():
        method = f"{name}, {CLASSIFIER}"
        keep(f"{method}, {LR}", lr_in_each_view(task, sources, system).predict)
        model = classifier(task, sources, system)
        keep(method, model.predict)
        keep_english(method, model.predict)
        keep_adapted(f"{method}, {TARGET}", model)
        with_pairs = classifier(task, sources, system, corpus="starter")
        keep(f"{method}, {CORPUS}", with_pairs.predict)
    return found, english


def single_views(task, name, source, system, into_system):
    """Methods of one encoder and one head, each with what predicts."""
    X, labels = source.transform(task.train.texts), task.train.labels
    for head, fit in HEADS.items():
        model = fit(X, labels)
        yield f"{name}, {NONE}, {head}", lambda t, m=model: m.predict(source.transform(t))
    bridge = aligner(task, source, system)
    moved = bridge.fit_transform(*task.train, cross_fit=5)
    for head, fit in HEADS.items():
        for rows, model in ((BRIDGE, into_system[head]), (CROSS_FITTED, fit(moved, labels))):
            yield f"{name}, {rows}, {head}", lambda t, m=model: m.predict(bridge.transform(t))


def answers(model, test, adapting, scored) -> NDArray[np.bool_]:
    """Which scored rows are right after adaptation to the others."""
    adapted_model = adapted(model, test.take(adapting).texts)
    scored_rows = test.take(scored)
    return adapted_model.predict(scored_rows.texts) == scored_rows.labels

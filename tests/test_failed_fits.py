"""Fits that fail or are interrupted: every public estimator keeps its former fit."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import _set_output
from sklearn.utils.validation import check_is_fitted

import langalign_sk
from langalign_sk import (
    AdapterAligner,
    AlignedClassifier,
    CrossLingualAligner,
    CrossLingualClassifier,
    CrossLingualRetriever,
    KernelRidgeClassifier,
    LinearAligner,
    SentenceEncoder,
)
from langalign_sk.encoders import EndpointEncoder
from tests.test_estimators import CASES, ESTIMATORS, LABELS, TEXTS, X, Y, name_of

pytestmark = pytest.mark.filterwarnings("ignore:About .* held-out pairs")
PACKAGE = os.path.dirname(langalign_sk.__file__)
RESTORING = os.path.join(PACKAGE, "_utils", "fits.py")
FEW = slice(0, 5)
Fit = Callable[[Any], Any]

# By estimator: fits on rows of another width that fail late, and fits that succeed, to be interrupted.
FITS: dict[type, tuple[list[Fit], list[Fit]]] = {
    AdapterAligner: (
        [lambda e: e.fit(X[:, FEW], Y[:7]), lambda e: e.partial_fit(X, Y[:, FEW])],
        [lambda e: e.fit(X[:, FEW], Y), lambda e: e.partial_fit(X[::-1], Y[::-1])],
    ),
    AlignedClassifier: (
        [lambda e: e.fit(X[:, FEW], LABELS[:7])],
        [lambda e: e.fit(X[:40], LABELS[:40])],
    ),
    CrossLingualAligner: (
        [lambda e: e.fit(X[:, FEW], Y[:7]), lambda e: e.fit_transform(X[:, FEW], Y[:7])],
        [lambda e: e.fit(X[:, FEW], Y[:, FEW]), lambda e: e.fit_transform(X[:, FEW], Y[:, FEW])],
    ),
    CrossLingualClassifier: (
        [lambda e: e.fit(X[:, FEW], LABELS[:7]), lambda e: e.fit(X[:, FEW], LABELS, target=X)],
        [
            lambda e: e.fit(X[:, FEW], LABELS),
            lambda e: e.partial_adapt(X),
            lambda e: e.partial_adapt(np.concatenate([X, X])),
        ],
    ),
    CrossLingualRetriever: (
        [
            lambda e: e.fit(Y[:, FEW], ids=[1, 2]),
            lambda e: e.fit(Y[:, FEW], query_bank=Y),
            lambda e: e.add(Y, ids=[[1]] * len(Y)),
            lambda e: e.remove([0, -1]),
        ],
        [lambda e: e.fit(Y[:, FEW]), lambda e: e.add(Y[:3]), lambda e: e.remove([0, 7])],
    ),
    EndpointEncoder: ([lambda e: e.fit([None])], [lambda e: e.fit(TEXTS)]),
    KernelRidgeClassifier: (
        [lambda e: e.fit(X[:, FEW], ["a"] * len(X)), lambda e: e.fit(X[:, FEW], LABELS[:7])],
        [lambda e: e.fit(X[:, FEW], LABELS), lambda e: e.fit(X[:40], X[:40, 0] > 0)],
    ),
    LinearAligner: (
        [lambda e: e.fit(X[:, FEW], Y[:7]), lambda e: e.fit(X[:, FEW], LABELS)],
        [lambda e: e.fit(X[:, FEW], Y[:, FEW])],
    ),
    SentenceEncoder: ([lambda e: e.fit([None])], [lambda e: e.fit(TEXTS)]),
}
FAILING = [(cls, fit) for cls, (failing, _) in FITS.items() for fit in failing]
WORKING = [(cls, fit) for cls, (_, working) in FITS.items() for fit in working]


def params_of(pairs):
    """Parameters of a test; those that train are slow."""
    slow = [pytest.mark.slow]
    return [
        pytest.param(cls, fit, id=f"{name_of(cls)}-{i}", marks=slow * (cls is AdapterAligner))
        for i, (cls, fit) in enumerate(pairs)
    ]


class Interruption:
    """Context in which KeyboardInterrupt is raised by the n-th call of a function of the package."""

    def __init__(self, n: int) -> None:
        self.n, self.calls = n, 0

    def __enter__(self) -> Interruption:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: Any, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event not in ("call", "return") or not file.startswith(PACKAGE):
            return
        # What puts the former fit back, and what the interpreter closes without a caller.
        if file == RESTORING or frame.f_code.co_name.startswith("<"):
            return
        self.calls += 1
        if self.calls == self.n:
            raise KeyboardInterrupt


@pytest.fixture
def fitted_as(request):
    """Function that makes fitted estimators of a class, with what they need running."""
    contexts = []

    def make(cls, fit=True):
        case = CASES[cls]
        estimator = clone(case.checked()[0])
        if case.meanwhile is not None:
            contexts.append(case.meanwhile())
            estimator.set_params(**contexts[-1].__enter__())
        return case.fit(estimator) if fit else estimator

    yield make
    for context in contexts:
        context.__exit__(None, None, None)


class Former:
    """Fit of an estimator: its attributes, what is in them, and an answer."""

    def __init__(self, estimator: Any) -> None:
        self.answer = CASES[type(estimator)].ask(estimator)
        self.attributes = self.attributes_of(estimator)
        self.content = pickle.dumps(self.attributes)

    @staticmethod
    def attributes_of(estimator: Any) -> dict[str, Any]:
        return {k: v for k, v in vars(estimator).items() if k.startswith("_") or k.endswith("_")}

    def assert_kept(self, estimator: Any) -> None:
        now = self.attributes_of(estimator)
        assert now.keys() == self.attributes.keys()
        assert all(now[name] is self.attributes[name] for name in now)
        assert pickle.dumps(self.attributes) == self.content  # nothing was written into them
        assert_array_equal(CASES[type(estimator)].ask(estimator), self.answer)


def test_every_public_estimator_is_here():
    assert FITS.keys() == {*ESTIMATORS}, "add what fails, and what is interrupted, to FITS"


@pytest.mark.parametrize(("cls", "fit"), params_of(FAILING))
def test_a_fit_that_fails(cls, fit, fitted_as):
    estimator = fitted_as(cls)
    former = Former(estimator)
    with pytest.raises((ValueError, TypeError, KeyError)):
        fit(estimator)
    former.assert_kept(estimator)


@pytest.mark.parametrize("cls", ESTIMATORS, ids=name_of)
def test_a_first_fit_that_fails(cls, fitted_as):
    estimator = fitted_as(cls, fit=False)
    before = dict(vars(estimator))
    with pytest.raises((ValueError, TypeError)):
        FITS[cls][0][0](estimator)
    assert vars(estimator) == before
    if not hasattr(estimator, "__sklearn_is_fitted__"):
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)


TRANSFORMERS: list[tuple[type, Fit]] = [
    (LinearAligner, lambda e: e.fit_transform(X[:, FEW], Y[:, FEW])),
    (AdapterAligner, lambda e: e.fit_transform(X[:, FEW], Y)),
    (CrossLingualAligner, lambda e: e.fit_transform(X[:, FEW], Y[:, FEW])),
    (EndpointEncoder, lambda e: e.fit_transform(TEXTS)),
    (SentenceEncoder, lambda e: e.fit_transform(TEXTS)),
]


@pytest.mark.parametrize(("cls", "fit"), params_of(TRANSFORMERS))
def test_output_that_cannot_be_converted(cls, fit, fitted_as, monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    estimator = fitted_as(cls).set_output(transform="pandas")
    former = Former(estimator)
    with monkeypatch.context() as patched:
        patched.setattr(_set_output.PandasAdapter, "create_container", fail)
        with pytest.raises(MemoryError):
            fit(estimator)
    former.assert_kept(estimator)


@pytest.mark.filterwarnings("ignore:.*was interrupted", "ignore:Nothing was learned")
@pytest.mark.parametrize(("cls", "fit"), params_of(WORKING))
def test_an_interrupted_fit(cls, fit, fitted_as):
    estimator = fitted_as(cls)
    counting = fitted_as(cls)
    with Interruption(0) as counted:
        fit(counting)
    # At the beginning and at the end, where attributes are set, and between. At the last return of a
    # method that waits for other threads, all is done.
    last = counted.calls - 1
    at = {1, 2, *np.linspace(1, last, 12).astype(int).tolist(), last - 1, last - 2}
    n_interrupted = 0
    for n in sorted(at):
        former = Former(estimator)
        try:
            with Interruption(n):
                fit(estimator)
        except KeyboardInterrupt:
            n_interrupted += 1
            former.assert_kept(estimator)
        else:  # training keeps its best epoch
            estimator = fitted_as(cls)
    assert n_interrupted

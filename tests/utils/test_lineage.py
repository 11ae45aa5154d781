"""What the clones of one estimator know of each other."""

from __future__ import annotations

import gc
import pickle
import threading
import warnings
import weakref

import pytest
from sklearn.base import BaseEstimator, clone

from langalign_sk._utils.lineage import (
    LineageMixin,
    kin_of,
    say_once,
    settle,
    settled,
    varied,
    without_kin,
)


def said(*calls):
    """Messages that calls of `say_once` give."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in calls:
            say_once(*call)
    return [str(w.message) for w in caught]


class Estimator(LineageMixin, BaseEstimator):
    """An estimator with two parameters, one of which may hold another."""

    def __init__(self, alpha=1.0, inner=None):
        self.alpha = alpha
        self.inner = inner


SIZE, SHAPE = ("size", "too large"), ("shape", "too flat")


def test_clones_share_what_was_said():
    original = Estimator()
    first, second = clone(original), clone(original)
    calls = [(clone(first), *SIZE), (second, *SIZE), (original, *SIZE), (second, *SHAPE)]
    assert said(*calls) == ["too large", "too flat"]
    assert said((clone(clone(second)), *SIZE)) == []
    assert (
        said((Estimator(), *SIZE)) == said((without_kin(clone(original)), *SIZE)) == ["too large"]
    )


def test_only_clones_are_varied():
    original = Estimator(inner=Estimator())
    assert varied(original.set_params(alpha=2.0)) == frozenset()
    twin = clone(original).set_params(inner__alpha=3.0)
    assert varied(twin) == {"inner"}
    assert varied(twin.inner) == {"alpha"}
    assert varied(clone(twin)) == {"inner"}
    assert varied(original) == varied(original.inner) == frozenset()


def test_what_a_meta_estimator_sets_is_its_own():
    twin = clone(Estimator())
    settle(twin, alpha=5.0)
    assert twin.alpha == 5.0
    assert settled(twin) == settled(clone(twin)) == {"alpha"}
    assert varied(twin) == frozenset()


def test_a_clone_that_is_sent_away():
    original = Estimator()
    twin = clone(original)
    pickle.dumps(original)
    assert not any(one.sent for one in kin_of(twin))
    pickle.dumps(twin)
    assert kin_of(original)[0].sent
    fitted = Estimator()
    child = clone(fitted)
    child.coef_ = 1.0
    pickle.dumps(child)
    assert not kin_of(fitted)[0].sent


def test_memory_ends_with_the_estimators():
    original = Estimator()
    kin = weakref.ref(kin_of(original)[0])
    twin = clone(original)
    del original
    gc.collect()
    assert kin() is not None  # the clone knows it
    del twin
    gc.collect()
    assert kin() is None


def test_a_long_line_of_clones():
    estimator = Estimator()
    for _ in range(100):
        estimator = clone(estimator)
    assert len(kin_of(estimator)) <= 16


def test_rows_are_forgotten_in_turn():
    (kin,) = kin_of(Estimator())
    assert not any(kin.differs(i, "a") for i in range(1000))
    assert kin.differs(999, "b")
    assert not kin.differs(0, "b")
    assert len(kin.compared) <= 256


def test_threads_say_it_once():
    original = Estimator()
    twins = [clone(original) for _ in range(32)]

    def say_from_threads():
        threads = [threading.Thread(target=say_once, args=(twin, *SIZE)) for twin in twins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with pytest.warns(UserWarning, match="too large") as caught:
        say_from_threads()
    assert len(caught) == 1

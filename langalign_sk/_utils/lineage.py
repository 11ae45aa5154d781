"""Lineage of estimators: what the clones of one estimator know of each other.

A search clones an estimator for every candidate and fold. A warning about its settings is one warning
for all of them, and what they compare can be seen only across them. Nothing here is part of an
estimator: it is neither copied, nor pickled, nor hashed with one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from multiprocessing import parent_process
from typing import Any
from weakref import WeakKeyDictionary

from .validation import warn_user

__all__ = [
    "Kin",
    "LineageMixin",
    "keep_here",
    "kin_of",
    "note_clone",
    "say_once",
    "settle",
    "settled",
    "varied",
    "without_kin",
]

_DEEPEST = 16  # generations of clones that are remembered
_MOST = 256  # sets of rows that are remembered for a generation
_LOCK = threading.RLock()


class Kin:
    """What is known of an estimator and of all clones of it, and of clones of those.

    Attributes
    ----------
    said : set of str
        Keys of the warnings that one of them has given.
    pickled : bool
        Whether the estimator itself was pickled before it was fitted here.
    sent : int
        Number of clones that were pickled, as for a worker process, and not fitted here.
    compared : OrderedDict
        Settings under which rows were moved, by the rows.
    exempt : bool
        Whether nothing is compared that needs to be said.
    """

    def __init__(self) -> None:
        self.said: set[str] = set()
        self.pickled = False
        self.sent = 0
        self.compared: OrderedDict[Any, Any] = OrderedDict()
        self.exempt = False

    def differs(self, rows: Any, settings: Any) -> bool:
        """Whether the same rows were moved under other settings before."""
        with _LOCK:
            before = self.compared.setdefault(rows, settings)
            if len(self.compared) > _MOST:
                self.compared.popitem(last=False)
        return bool(before != settings)


# The kin of an estimator itself, and then of those that it was cloned from.
_KIN: WeakKeyDictionary[Any, list[Kin]] = WeakKeyDictionary()
_VARIED: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()
_SETTLED: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


class LineageMixin:
    """Mixin of estimators that know which clones are theirs, and what was set after cloning."""

    def __sklearn_clone__(self) -> Any:
        twin = super().__sklearn_clone__()  # type: ignore[misc]
        note_clone(self, twin)
        return twin

    def set_params(self, **params: Any) -> Any:
        """Set the parameters of this estimator, as in scikit-learn.

        Parameters
        ----------
        **params : dict
            Parameters by name.

        Returns
        -------
        estimator
            Itself.
        """
        super().set_params(**params)  # type: ignore[misc]
        with _LOCK:
            if len(_KIN.get(self, ())) > 1:  # a clone, as a search sets parameters of clones
                _VARIED[self] = varied(self) | {name.partition("__")[0] for name in params}
        return self

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        if not any(name.endswith("_") and not name.startswith("_") for name in vars(self)):
            _note_pickled(self, True)
        return state


def kin_of(estimator: Any) -> list[Kin]:
    """Kin of an estimator itself, and then of those that it was cloned from, the nearest first."""
    with _LOCK:
        return _KIN.setdefault(estimator, [Kin()])


def note_clone(original: Any, twin: Any) -> None:
    """Remember that an estimator is a clone of another."""
    with _LOCK:
        _KIN[twin] = [Kin(), *kin_of(original)][:_DEEPEST]
        for notes in (_VARIED, _SETTLED):
            if original in notes:
                notes[twin] = notes[original]


def keep_here(estimator: Any) -> None:
    """Note that an estimator is fitted in this process, whatever it was pickled for.

    A Pipeline with a `memory` pickles its steps for the hash, and fits them here.
    """
    _note_pickled(estimator, False)


def _note_pickled(estimator: Any, pickled: bool) -> None:
    with _LOCK:
        own, *others = _KIN.get(estimator) or [Kin()]
        if own.pickled != pickled:
            own.pickled = pickled
            for one in others:
                one.sent += 1 if pickled else -1


def without_kin(estimator: Any) -> Any:
    """The estimator, which is no clone of any other from now on: what it says, it says for itself."""
    with _LOCK:
        _KIN[estimator] = [Kin()]
    return estimator


def varied(estimator: Any) -> frozenset[str]:
    """Parameters that were set after cloning, as a search does."""
    return _VARIED.get(estimator, frozenset())


def settle(estimator: Any, **params: Any) -> None:
    """Set parameters for a meta-estimator: they are not its user's, and nothing is said of them.

    Parameters
    ----------
    estimator : estimator
        A clone that the meta-estimator has made.
    **params : dict
        Parameters by name.
    """
    before = varied(estimator)
    estimator.set_params(**params)
    with _LOCK:
        _VARIED[estimator] = before
        _SETTLED[estimator] = settled(estimator) | {*params}


def settled(estimator: Any) -> frozenset[str]:
    """Parameters that a meta-estimator has set."""
    return _SETTLED.get(estimator, frozenset())


def say_once(estimator: Any, key: str, message: str) -> None:
    """Warn, once for an estimator and all clones that descend from it.

    Nothing is said in a worker process: a search fits once more in the process that it was called
    in, whose warnings can be seen and filtered.

    Parameters
    ----------
    estimator : estimator
        Whose settings the warning is about.
    key : str
        What is said, without what differs from fold to fold.
    message : str
        Text of the warning.
    """
    if parent_process() is not None:
        return
    with _LOCK:
        kin = kin_of(estimator)
        if any(key in one.said for one in kin):
            return
        for one in kin:
            one.said.add(key)
    warn_user(message)

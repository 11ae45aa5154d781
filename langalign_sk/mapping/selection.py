"""Choice between maps by held-out pairs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import warn_user
from ..metrics._core import POOL_OF_ONE, likelihood_and_recall
from .candidates import ONE_SPACE, Candidate, MapCandidate
from .rows import HeldOutRows, PairedRows

__all__ = ["Choice", "HeldOutPairs", "choose", "held_out_pairs"]


POOL_WITH_TRAINED = 2_000  # at most; trained maps cost so much that a larger pool costs little more
TEMPERATURE = 0.05
_ROUNDING = 1e-6  # of means that are equal in truth
# Share of the squared error of unaligned rows. Where the best map takes away less, as behind an encoder
# that was trained for translations, heads gain nothing by it (`python -m benchmarks adapters`).
_LEAST_SHARE = 0.2
# Where all of these are compared, some are for one space and some for two.
_OF_ONE_SPACE_OR_TWO = {"ridge", "procrustes", "spectral"}

C = TypeVar("C", bound=MapCandidate)


@dataclass(frozen=True)
class Choice(Generic[C]):
    """Result of a choice by held-out pairs.

    Attributes
    ----------
    best : MapCandidate
        The simplest map within one standard error of the best.
    results : dict of str to list
        One entry per candidate and key, in the manner of ``GridSearchCV.cv_results_``.
    """

    best: C
    results: dict[str, list]


def choose(
    rows: PairedRows,
    candidates: Sequence[C],
    *,
    random_state: int | np.random.RandomState | None,
    time_budget: float | None = None,
    objective: str = "retrieval",
) -> Choice[C] | None:
    """Choose by rows that the map did not see.

    Maps are compared by the log-likelihood of retrieving the translation, in both directions, or
    by the squared distance to it, which a model of those rows feels. Of all within one standard
    error of the best (paired over rows), the simplest is taken (the one-standard-error rule:
    Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd ed., section 7.10).
    For retrieval, a map whose recall at 1 is not above that of no alignment is never taken, nor
    a trained one that leaves rows further from their counterparts than no alignment does, unless
    it is trained for search alone. For a head, none is taken whose recall at 1 is lower, or that
    takes away less than a fifth of the squared error of no alignment.

    Parameters
    ----------
    rows : PairedRows
        The pairs.
    candidates : sequence of MapCandidate
        In the order of their complexity: closed forms, then trained ones
        (:class:`~langalign_sk.mapping.adapter.AdapterCandidate`).
    random_state : int, RandomState instance or None
        Draws the held-out rows.
    time_budget : float, default=None
        Seconds, after which no trained candidate goes on.
    objective : {"retrieval", "head"}, default="retrieval"
        "head" needs candidates that leave counterparts as they are.

    Returns
    -------
    Choice or None
        None where too few distinct rows exist to hold any out.
    """
    trained = any(c.is_trained for c in candidates)
    size = min(POOL_WITH_TRAINED, len(rows) // 5) if trained else POOL_OF_ONE
    held_out = rows.held_out(random_state, size)
    if held_out is None:
        return None
    trial: _Trial[C] = _Trial(held_out, trained, time_budget)
    has_identity = candidates[0].method == "identity"
    if has_identity and {c.method for c in candidates} >= _OF_ONE_SPACE_OR_TWO:
        candidates = _of_one_space_or_two(trial, candidates, objective)
    finished: list[_Score[C]] = []
    for candidate in candidates:
        try:
            finished.append(trial.score(candidate))
        except KeyboardInterrupt:
            if not candidate.is_trained:
                raise
            warn_user(
                "The search for the best method was interrupted: the best of those tried so far is "
                "used."
            )
            break
    return _choice(finished, has_identity, objective)


def _of_one_space_or_two(trial: _Trial[C], candidates: Sequence[C], objective: str) -> Sequence[C]:
    """Candidates without spectral maps in one space, and with no map near the identity between two.

    In one space no alignment, or a shift and a stretch of the features, finds much of what a rotation
    finds, and maps that forget the identity have only more to learn; between two, staying near the
    identity makes no sense. In one space a rotation turns what pairs of general text say little
    about, and costs a head accuracy on its task.
    """
    plain = ("identity", "centre", "scale")
    recalls = {
        c.method: trial.score(c).recall for c in candidates if c.method in (*plain, "procrustes")
    }
    one_space = max(recalls.get(m, 0.0) for m in plain) > 0.5 * recalls["procrustes"]
    of_two = ("spectral",) if objective == "retrieval" else ("procrustes", "spectral")
    left_out = of_two if one_space else ONE_SPACE
    return [c for c in candidates if c.method not in left_out]


@dataclass(frozen=True)
class _Score(Generic[C]):
    """Held-out scores of a candidate; without any by row where it ran out of time."""

    candidate: C
    likelihoods: NDArray
    errors: NDArray  # squared distances; none in a shared space
    recall: float
    r2: float  # of the counterparts; NaN in a shared space, where they are not aimed at
    seconds: float

    @property
    def likelihood(self) -> float:
        return float(self.likelihoods.mean()) if len(self.likelihoods) else np.nan

    def by_row(self, objective: str) -> NDArray:
        """What the objective compares; more is better."""
        return self.likelihoods if objective == "retrieval" else -self.errors

    def error_to(self, other: _Score, objective: str) -> float:
        """Standard error of the difference to another candidate, paired over rows."""
        if not len(self.likelihoods):
            return np.nan
        difference = other.by_row(objective) - self.by_row(objective)
        return float(difference.std() / np.sqrt(len(difference)))


class _Trial(Generic[C]):
    """Scores of candidates on one draw of held-out rows."""

    def __init__(self, held_out: HeldOutRows, has_trained: bool, time_budget: float | None) -> None:
        self.held_out = held_out
        # One map is fitted on all rows after the folds are done, and has to fit into the budget
        # too.
        share = len(held_out.folds) / (len(held_out.folds) + 1)
        self.deadline = np.inf if time_budget is None else time.perf_counter() + share * time_budget
        # Closed forms put rows about equally far apart; trained maps put them where they like.
        self.temperature = None if has_trained else TEMPERATURE
        Y = held_out.rows.Y[held_out.indices]
        self.spread = np.square(Y - Y.mean(axis=0)).sum()
        self._scores: dict[C, _Score[C]] = {}

    def score(self, candidate: C) -> _Score[C]:
        """Score of a candidate, measured once."""
        if candidate not in self._scores:
            self._scores[candidate] = self._measure(candidate)
        return self._scores[candidate]

    def _measure(self, candidate: C) -> _Score[C]:
        began = time.perf_counter()
        moved = candidate.move_folds(self.held_out, self.deadline)
        if moved is None:
            seconds = time.perf_counter() - began
            return _Score(candidate, np.empty(0), np.empty(0), np.nan, np.nan, seconds)
        folds, r2, errors = self.held_out.folds, np.nan, np.empty(0)
        if not candidate.shared:  # all folds are in the space of Y, and make one pool
            A, B = (np.concatenate(side) for side in zip(*moved, strict=True))
            moved, folds = [(A, B)], [self.held_out.indices]
            errors = np.square(A - B).sum(axis=1)
            r2 = 1 - float(errors.sum() / self.spread)
        groups = self.held_out.rows.groups
        found = [
            likelihood_and_recall(A, B, groups[fold], self.temperature)
            for (A, B), fold in zip(moved, folds, strict=True)
        ]
        likelihoods, recalls = (np.concatenate(part) for part in zip(*found, strict=True))
        seconds = time.perf_counter() - began
        return _Score(candidate, likelihoods, errors, float(recalls.mean()), r2, seconds)


def _choice(tried: list[_Score[C]], has_identity: bool, objective: str) -> Choice[C]:
    """The simplest candidate within one standard error of the best."""
    allowed = _allowed([t for t in tried if len(t.likelihoods)], has_identity, objective)
    means = [float(t.by_row(objective).mean()) for t in allowed]
    top = allowed[int(np.argmax(means))]
    rounding = _ROUNDING if objective == "retrieval" else _ROUNDING * abs(max(means))
    eligible = [
        t
        for t, mean in zip(allowed, means, strict=True)
        if max(means) - mean <= t.error_to(top, objective) + rounding
    ]
    best = min(eligible, key=lambda t: t.candidate.complexity)
    return Choice(best.candidate, _results(tried, top, objective))


def _allowed(finished: list[_Score[C]], has_identity: bool, objective: str) -> list[_Score[C]]:
    """Candidates that may be chosen, no alignment first where it is one of them."""
    if not has_identity:
        return finished
    identity, *others = finished
    if objective == "head":
        most = (1 - _LEAST_SHARE) * identity.errors.mean()
        return [
            identity,
            *(t for t in others if t.recall >= identity.recall and t.errors.mean() <= most),
        ]
    # A map has to find more than no alignment does.
    others = [t for t in others if t.recall > identity.recall]
    # Retrieval does not depend on where a trained map puts all rows, and an English head does.
    return [identity, *(t for t in others if not (t.candidate.may_stray and t.r2 < identity.r2))]


def _results(tried: list[_Score[C]], top: _Score[C], objective: str) -> dict[str, list]:
    """Settings and held-out scores of all candidates, one list per key."""
    settings = [t.candidate.settings for t in tried]
    return {
        **{name: [s[name] for s in settings] for name in settings[0]},
        "held_out_log_likelihood": [t.likelihood for t in tried],
        "standard_error_to_best": [t.error_to(top, objective) for t in tried],
        "held_out_recall": [t.recall for t in tried],
        "held_out_r2": [t.r2 for t in tried],
        "seconds": [t.seconds for t in tried],
        "objective": [objective for _ in tried],
    }


class HeldOutPairs(NamedTuple):
    """Pairs that a map did not see, where the map brings both sides together.

    Attributes
    ----------
    indices : ndarray of shape (n_held_out,), dtype int
        Which pairs.
    moved, counterparts : ndarray of shape (n_held_out, n_features_out)
        Both sides.
    groups : ndarray of shape (n_held_out,), dtype int
        Pairs with one label are right answers for each other.
    """

    indices: NDArray[np.intp]
    moved: NDArray
    counterparts: NDArray
    groups: NDArray[np.intp]


def held_out_pairs(
    rows: PairedRows,
    candidate: Candidate,
    *,
    random_state: int | np.random.RandomState | None,
    match_scale: bool = False,
) -> HeldOutPairs | None:
    """Held-out pairs of a closed-form map, fitted on the other rows.

    Returns None where too few distinct rows exist to hold any out.
    """
    held_out = rows.held_out(random_state)
    if held_out is None:
        return None
    folds = held_out.folds[:1] if candidate.shared else held_out.folds  # a fold has its own space
    parts = []
    for i, fold in enumerate(folds):
        solver, X, Y = held_out.solver(i), rows.X[fold], rows.Y[fold]
        if match_scale:
            parts.append((solver.match_scale(candidate.solve(solver))(X), Y))
        else:
            parts.append(candidate.move(solver, X, Y))
    moved, counterparts = (np.concatenate(side) for side in zip(*parts, strict=True))
    indices = np.concatenate(folds)
    return HeldOutPairs(indices, moved, counterparts, rows.groups[indices])

"""Choice between closed-form maps by held-out retrieval."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics._core import (
    POOL_OF_ONE,
    calibrated_log_likelihood,
    duplicate_groups,
    held_out_folds,
    row_log_likelihood,
    row_recall,
)
from .candidates import METHODS, Candidate
from .closed_form import Moments, Solver

__all__ = ["Choice", "choose", "held_out_pairs"]


POOL_WITH_TRAINED = 2_000  # at most; trained maps cost so much that a larger pool is no matter
TEMPERATURE = 0.05


@dataclass(frozen=True)
class Choice:
    """What held-out retrieval chose.

    Attributes
    ----------
    best : Candidate
        The simplest map within one standard error of the best.
    results : dict of str to list
        One entry per candidate and key, in the manner of ``GridSearchCV.cv_results_``.
    """

    best: Candidate
    results: dict[str, list]


def choose(
    X: NDArray,
    Y: NDArray,
    candidates: Sequence[Any],
    *,
    sample_weight: NDArray | None = None,
    random_state: np.random.RandomState,
    total: Moments | None = None,
    time_budget: float | None = None,
) -> Choice | None:
    """Choose by held-out retrieval: on rows that the map did not see, both directions.

    Maps are compared by the log-likelihood of retrieving the translation. Of all within one
    standard error of the best (paired over rows), the simplest is taken (the one-standard-error
    rule: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd ed.,
    section 7.10). A map whose recall at 1 is not above that of no alignment is never taken, nor
    a trained one that leaves rows further from their counterparts than no alignment does, unless
    it is trained for search alone.

    Candidates stand in the order of their complexity: closed forms, then trained ones
    (:class:`~langalign_sk.mapping.adapter.Trained`), which may run out of `time_budget` seconds.

    Returns None where too few distinct rows exist to hold any out.
    """
    groups = duplicate_groups(X, Y)
    trained = any(not isinstance(c, Candidate) for c in candidates)
    size = min(POOL_WITH_TRAINED, len(X) // 5) if trained else POOL_OF_ONE
    pool = held_out_folds(groups, random_state, size)
    if pool is None:
        return None
    started = time.perf_counter()
    # One map is fitted on all rows after the folds are done, and has to fit into the budget too.
    share = len(pool) / (len(pool) + 1)
    deadline = np.inf if time_budget is None else started + share * time_budget
    total = Moments.of(X, Y, sample_weight) if total is None else total
    solvers = _fold_solvers(X, Y, pool, sample_weight, total)

    # Closed forms put rows about equally far apart; trained maps put them where they like.
    likelihood_of = calibrated_log_likelihood if trained else _log_likelihood

    held = np.concatenate(pool)
    spread = np.square(Y[held] - Y[held].mean(axis=0)).sum()

    def held_out(candidate: Any) -> Tried:
        began = time.perf_counter()
        if isinstance(candidate, Candidate):
            moved = [candidate.move(s, X[f], Y[f]) for s, f in zip(solvers, pool, strict=True)]
        else:
            moved = candidate.move_folds(X, Y, pool, deadline)
            if moved is None:
                seconds = time.perf_counter() - began
                return Tried(candidate, np.empty(0), np.nan, np.nan, seconds)
        r2 = np.nan
        if not candidate.shared:  # all folds are in the space of Y, and make one pool
            parts = [np.concatenate(side) for side in zip(*moved, strict=True)]
            moved, folds = [(parts[0], parts[1])], [held]
            r2 = 1 - float(np.square(parts[0] - parts[1]).sum() / spread)
        else:
            folds = pool
        fits, recalls = [], []
        for (A, B), rows in zip(moved, folds, strict=True):
            fits.append(likelihood_of(A, B, groups[rows]))
            recalls.append(row_recall(A, B, groups[rows]))
        recall = float(np.concatenate(recalls).mean())
        seconds = time.perf_counter() - began
        return Tried(candidate, np.concatenate(fits), recall, r2, seconds)

    has_identity = candidates[0].method == "identity"
    found: dict[Any, Tried] = {}
    if has_identity and {c.method for c in candidates} >= set(METHODS):
        # One space or two? In one space no alignment finds much of what a rotation finds, and
        # maps that forget the identity have only more to learn; in two, shrinking towards the
        # identity makes no sense.
        found = {c: held_out(c) for c in candidates if c.method in ("identity", "procrustes")}
        ends = {t.candidate.method: t.recall for t in found.values()}
        one_space = ends["identity"] > 0.5 * ends["procrustes"]
        candidates = [c for c in candidates if c.method != ("spectral" if one_space else "ridge")]
    tried: list[Tried] = []
    for candidate in candidates:
        try:
            tried.append(found.get(candidate) or held_out(candidate))
        except KeyboardInterrupt:
            if isinstance(candidate, Candidate):
                raise
            warnings.warn(
                "The search for the best method was interrupted: the best of those tried so far is "
                "used.",
                stacklevel=2,
            )
            break
    return _choice(tried, has_identity)


def _log_likelihood(A: NDArray, B: NDArray, groups: NDArray[np.intp]) -> NDArray:
    return row_log_likelihood(A, B, groups, TEMPERATURE)


@dataclass(frozen=True)
class Tried:
    """What a candidate did on held-out rows; no likelihoods where it ran out of time."""

    candidate: Any
    likelihoods: NDArray
    recall: float
    r2: float  # of the counterparts; NaN in a shared space, where they are not aimed at
    seconds: float

    @property
    def may_stray(self) -> bool:
        """Whether it is trained, and for a model that knows the rows of Y."""
        return not isinstance(self.candidate, Candidate) and not self.candidate.for_search

    @property
    def likelihood(self) -> float:
        return float(self.likelihoods.mean()) if len(self.likelihoods) else np.nan

    def error_to(self, other: Tried) -> float:
        """Standard error of the difference in likelihood, paired over rows."""
        if not len(self.likelihoods):
            return np.nan
        difference = other.likelihoods - self.likelihoods
        return float(difference.std() / np.sqrt(len(difference)))


def _choice(tried: list[Tried], has_identity: bool) -> Choice:
    """The simplest candidate within one standard error of the best."""
    finished = [t for t in tried if len(t.likelihoods)]
    # Where no alignment finds all that a map finds, nothing speaks for the map.
    floor = finished[0].recall if has_identity else -1.0
    allowed = [t for t in finished if t.recall > floor or t is finished[0]]
    if has_identity:
        # Retrieval does not feel where a trained map puts all rows, and an English head does.
        allowed = [t for t in allowed if not (t.may_stray and t.r2 < finished[0].r2)]
    top = max(allowed, key=lambda t: t.likelihood)
    eligible = [t for t in allowed if top.likelihood - t.likelihood <= t.error_to(top) + 1e-6]
    best = min(eligible, key=lambda t: t.candidate.complexity)
    results = {
        name: [getattr(t.candidate, name) for t in tried]
        for name in ("method", "alpha", "power", "rank", "adapter_dim")
    }
    results["held_out_log_likelihood"] = [t.likelihood for t in tried]
    results["standard_error_to_best"] = [t.error_to(top) for t in tried]
    results["held_out_recall"] = [t.recall for t in tried]
    results["held_out_r2"] = [t.r2 for t in tried]
    results["seconds"] = [t.seconds for t in tried]
    return Choice(best.candidate, results)


def held_out_pairs(
    X: NDArray,
    Y: NDArray,
    candidate: Candidate,
    *,
    sample_weight: NDArray | None = None,
    random_state: np.random.RandomState,
    match_scale: bool = False,
) -> tuple[NDArray[np.intp], NDArray, NDArray, NDArray[np.intp]] | None:
    """Held-out rows, both sides of them where the map brings them together, and their groups.

    Returns None where too few distinct rows exist to hold any out.
    """
    groups = duplicate_groups(X, Y)
    pool = held_out_folds(groups, random_state)
    if pool is None:
        return None
    total = Moments.of(X, Y, sample_weight)
    if candidate.shared:
        pool = pool[:1]  # every fold would have a space of its own
    solvers = _fold_solvers(X, Y, pool, sample_weight, total, one_map=True)
    parts = []
    for solver, fold in zip(solvers, pool, strict=True):
        if match_scale:
            parts.append((solver.match_scale(candidate.solve(solver))(X[fold]), Y[fold]))
        else:
            parts.append(candidate.move(solver, X[fold], Y[fold]))
    moved, counterparts = (np.concatenate(side) for side in zip(*parts, strict=True))
    rows = np.concatenate(pool)
    return rows, moved, counterparts, groups[rows]


def _fold_solvers(
    X: NDArray,
    Y: NDArray,
    pool: list[NDArray[np.intp]],
    weight: NDArray | None,
    total: Moments,
    one_map: bool = False,
) -> list[Solver]:
    """Solvers of the rows outside every fold."""
    origins = (total.x_origin, total.y_origin)
    solvers = []
    for f in pool:
        held = Moments.of(X[f], Y[f], None if weight is None else weight[f], origins)
        solvers.append(Solver(total - held, one_map=one_map))
    return solvers

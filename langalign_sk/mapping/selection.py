"""Choice between closed-form maps by held-out retrieval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..metrics import (
    RetrievalScores,
    duplicate_groups,
    retrieval_scores,
    row_log_likelihood,
    row_recall,
)
from ._moments import AffineMap, Moments, Solver

__all__ = ["Candidate", "Choice", "candidates_for", "choose", "held_out_scores"]

ALPHAS = (1.0, 3.0, 10.0, 30.0)
ZERO_PRIOR_ALPHAS = (0.1, 0.3, 1.0)  # towards zero, where the widths differ
SPECTRAL_ALPHAS = (1.0,)
POWERS = (0.25, 0.5)
METHODS = ("identity", "ridge", "procrustes", "spectral")  # simplest first

N_FOLDS = 5
# Above this many pairs one held-out pool is as telling as five folds, at a fifth of the cost.
MAX_CROSS_FIT = 5_000
POOL_OF_FOLDS = 2_000
POOL_OF_ONE = 500
TEMPERATURE = 0.05


@dataclass(frozen=True)
class Candidate:
    """One closed-form map: a method and its settings."""

    method: str
    alpha: float | None = None
    power: float | None = None
    rank: int | None = None

    def solve(self, solver: Solver, reverse: bool = False) -> AffineMap:
        if self.method == "identity":
            return solver.identity(reverse)
        if self.method == "procrustes":
            return solver.procrustes(reverse)
        if self.method == "ridge":
            assert self.alpha is not None
            return solver.ridge(self.alpha, reverse)
        return solver.spectral(*self.spectral_settings(), reverse)

    def spectral_settings(self) -> tuple[float, float, int | None]:
        """Strength, power and rank of a spectral map."""
        assert self.alpha is not None
        assert self.power is not None
        return self.alpha, self.power, self.rank

    @property
    def complexity(self) -> tuple[int, float, float, float]:
        """Sorts the simplest map first: fewest free directions, then strongest shrinkage."""
        return (
            METHODS.index(self.method),
            float("inf") if self.rank is None else self.rank,
            -(self.alpha or 0.0),
            self.power or 0.0,
        )


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


def candidates_for(
    method: str,
    *,
    square: bool,
    alpha: Iterable[float] | None = None,
    power: Iterable[float] | None = None,
    rank: Iterable[int | None] = (None,),
) -> list[Candidate]:
    """All maps of a method, or of every method for "auto"; None stands for the default grid."""
    wanted = METHODS if method == "auto" else (method,)
    out: list[Candidate] = []
    if "identity" in wanted and square:
        out.append(Candidate("identity"))
    if "ridge" in wanted:
        default = ALPHAS if square else ZERO_PRIOR_ALPHAS
        out += [Candidate("ridge", float(a)) for a in (default if alpha is None else alpha)]
    if "procrustes" in wanted:
        out.append(Candidate("procrustes"))
    if "spectral" in wanted:
        alphas = SPECTRAL_ALPHAS if alpha is None else alpha
        powers = POWERS if power is None else power
        out += [
            Candidate("spectral", float(a), float(p), r)
            for a, p, r in product(alphas, powers, rank)
        ]
    return out


def choose(
    X: NDArray,
    Y: NDArray,
    candidates: list[Candidate],
    *,
    sample_weight: NDArray | None = None,
    random_state: np.random.RandomState,
    total: Moments | None = None,
) -> Choice | None:
    """Choose by held-out retrieval: on rows that the map did not see, both directions.

    Maps are compared by the log-likelihood of retrieving the translation. Of all within one
    standard error of the best (paired over rows), the simplest is taken (the one-standard-error
    rule: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd ed.,
    section 7.10). A map whose recall at 1 is not above that of no alignment is never taken.

    Returns None where too few distinct rows exist to hold any out.
    """
    groups = duplicate_groups(X, Y)
    pool = _held_out_rows(groups, random_state)
    if pool is None:
        return None
    total = Moments.of(X, Y, sample_weight) if total is None else total
    rows = np.concatenate(pool)
    solvers = _fold_solvers(X, Y, pool, sample_weight, total)

    def held_out(candidate: Candidate) -> tuple[NDArray, float]:
        mapped = [candidate.solve(s)(X[f]) for s, f in zip(solvers, pool, strict=True)]
        Z = np.concatenate(mapped)
        fit = row_log_likelihood(Z, Y[rows], groups[rows], TEMPERATURE)
        return fit, float(row_recall(Z, Y[rows], groups[rows]).mean())

    has_identity = candidates[0].method == "identity"
    found: dict[Candidate, tuple[NDArray, float]] = {}
    if has_identity and {c.method for c in candidates} == set(METHODS):
        # One space or two? In one space no alignment finds much of what a rotation finds, and
        # maps that forget the identity have only more to learn; in two, shrinking towards the
        # identity makes no sense.
        ends = {c.method: held_out(c) for c in candidates if c.method in ("identity", "procrustes")}
        one_space = ends["identity"][1] > 0.5 * ends["procrustes"][1]
        candidates = [c for c in candidates if c.method != ("spectral" if one_space else "ridge")]
        found = {c: ends[c.method] for c in candidates if c.method in ends}
    scored = [found.get(c) or held_out(c) for c in candidates]
    likelihood = np.array([fit.mean() for fit, _ in scored])
    recall = np.array([r for _, r in scored])
    # Where no alignment finds all that a map finds, nothing speaks for the map.
    allowed = recall > recall[0] if has_identity else np.ones(len(recall), dtype=bool)
    allowed[0] = True
    top = max(np.flatnonzero(allowed), key=lambda i: likelihood[i])
    errors = np.array([(scored[top][0] - fit).std() / np.sqrt(len(rows)) for fit, _ in scored])
    eligible = np.flatnonzero(allowed & (likelihood[top] - likelihood <= errors + 1e-6))
    best = min(eligible, key=lambda i: candidates[i].complexity)
    results = {
        "method": [c.method for c in candidates],
        "alpha": [c.alpha for c in candidates],
        "power": [c.power for c in candidates],
        "rank": [c.rank for c in candidates],
        "held_out_log_likelihood": likelihood.tolist(),
        "standard_error_to_best": errors.tolist(),
        "held_out_recall": recall.tolist(),
    }
    return Choice(candidates[best], results)


def held_out_scores(
    X: NDArray,
    Y: NDArray,
    candidate: Candidate,
    *,
    sample_weight: NDArray | None = None,
    random_state: np.random.RandomState,
    same_space: bool = True,
    match_scale: bool = False,
) -> tuple[RetrievalScores | None, RetrievalScores, int] | None:
    """Scores of no alignment (None for two spaces), of one map, and the number of rows held out.

    Returns None where too few distinct rows exist to hold any out.
    """
    groups = duplicate_groups(X, Y)
    pool = _held_out_rows(groups, random_state)
    if pool is None:
        return None
    total = Moments.of(X, Y, sample_weight)
    solvers = _fold_solvers(X, Y, pool, sample_weight, total, one_map=True)
    parts = []
    for solver, fold in zip(solvers, pool, strict=True):
        fitted = candidate.solve(solver)
        parts.append((solver.match_scale(fitted) if match_scale else fitted)(X[fold]))
    Z, rows = np.concatenate(parts), np.concatenate(pool)
    unaligned = None
    if same_space and X.shape[1] == Y.shape[1]:
        unaligned = retrieval_scores(X[rows], Y[rows], groups=groups[rows])
    return unaligned, retrieval_scores(Z, Y[rows], groups=groups[rows]), len(rows)


def _held_out_rows(
    groups: NDArray[np.intp], random_state: np.random.RandomState
) -> list[NDArray[np.intp]] | None:
    """Folds of rows that share no duplicate group with the rows outside the fold."""
    n_groups = int(groups.max()) + 1
    if n_groups < 2 * N_FOLDS:
        return None
    place = random_state.permutation(n_groups)[groups]
    n_folds, size = (N_FOLDS, POOL_OF_FOLDS) if len(groups) <= MAX_CROSS_FIT else (1, POOL_OF_ONE)
    filled = np.cumsum(np.bincount(place))
    last = max(n_folds, int(np.searchsorted(filled, size)))
    return [np.flatnonzero((place < last) & (place % n_folds == f)) for f in range(n_folds)]


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

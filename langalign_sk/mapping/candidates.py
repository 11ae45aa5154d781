"""Closed-form maps that the parameters stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral, Real
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import check_choice, check_grid, ensured
from .closed_form import AffineMap, Solver
from .rows import HeldOutRows

__all__ = [
    "AUTO_METHODS",
    "METHODS",
    "OBJECTIVES",
    "ONE_SPACE",
    "Candidate",
    "MapCandidate",
    "candidates_for",
    "cautious_candidate",
    "linear_candidates",
]


# Measured by `python -m benchmarks grid`.
ALPHAS = (1.0, 3.0, 10.0, 30.0)
ZERO_PRIOR_ALPHAS = (0.1, 0.3, 1.0)  # towards zero, where the widths differ
HEAD_ALPHAS = (10.0, 30.0)  # weaker ones turn what general text says little about
SPECTRAL_ALPHAS = (1.0,)
POWERS = (0.25, 0.5)
METHODS = ("identity", "centre", "scale", "ridge", "procrustes", "spectral")  # simplest first
# Of retrieval: "scale" has the best likelihood on held-out pairs of some encoders, and finds fewer
# translations of other texts (`python -m benchmarks adapters`).
AUTO_METHODS = ("identity", "centre", "ridge", "procrustes", "spectral")
# They take both sides for one space, and "auto" compares them there alone.
ONE_SPACE = ("centre", "scale", "ridge")
OBJECTIVES = ("retrieval", "head")
# With too few pairs to hold any out, nothing supports leaving the identity by more than this.
_CAUTIOUS_ALPHA = 10.0


class MapCandidate(Protocol):
    """Map that held-out pairs may choose: closed-form or trained."""

    @property
    def method(self) -> str:
        """Method, by the name that estimators have for it."""

    @property
    def shared(self) -> bool:
        """Whether both sides are moved into a space of their own."""

    @property
    def is_trained(self) -> bool:
        """Whether gradient descent fits it, which takes seconds and may be interrupted."""

    @property
    def may_stray(self) -> bool:
        """Whether it may leave the rows of Y, for a model that knows those."""

    @property
    def complexity(self) -> tuple[float, ...]:
        """Sort key: the simplest map first."""

    @property
    def settings(self) -> dict[str, Any]:
        """Method, alpha, power, rank and adapter_dim; None where it has no such setting."""

    def move_folds(
        self, held_out: HeldOutRows, deadline: float
    ) -> list[tuple[NDArray, NDArray]] | None:
        """Held-out rows of both sides, moved by maps of the other rows; None if time ran out."""


@dataclass(frozen=True)
class Candidate:
    """A closed-form map: a method and its settings."""

    method: str
    alpha: float | None = None
    power: float | None = None
    rank: int | None = None
    shared: bool = False
    is_trained: ClassVar[bool] = False
    may_stray: ClassVar[bool] = False

    def solve(self, solver: Solver, reverse: bool = False) -> AffineMap:
        """The map from X to Y, or the one back."""
        if self.method == "identity":
            return solver.identity(reverse)
        if self.method == "centre":
            return solver.centre(reverse)
        if self.method == "scale":
            return solver.scale(reverse)
        if self.method == "procrustes":
            return solver.procrustes(reverse)
        if self.method == "ridge":
            return solver.ridge(ensured(self.alpha, "alpha"), reverse)
        return solver.spectral(*self.spectral_settings(), reverse)

    def spectral_settings(self) -> tuple[float, float, int | None]:
        """Strength, power and rank of a spectral map."""
        return ensured(self.alpha, "alpha"), ensured(self.power, "power"), self.rank

    def move(self, solver: Solver, X: NDArray, Y: NDArray) -> tuple[NDArray, NDArray]:
        """Rows of both sides where the map brings them together."""
        if self.method == "identity":
            return X, Y
        if self.shared:
            there, across, _ = solver.canonical(*self.spectral_settings())
            return there(X), across(Y)
        return self.solve(solver)(X), Y

    def move_folds(
        self, held_out: HeldOutRows, deadline: float = np.inf
    ) -> list[tuple[NDArray, NDArray]]:
        """Held-out rows of both sides, moved by maps of the other rows."""
        X, Y = held_out.rows.X, held_out.rows.Y
        return [
            self.move(held_out.solver(i), X[fold], Y[fold]) for i, fold in enumerate(held_out.folds)
        ]

    @property
    def settings(self) -> dict[str, Any]:
        """Method, alpha, power and rank, as the results of a choice list them."""
        return {
            "method": self.method,
            "alpha": self.alpha,
            "power": self.power,
            "rank": self.rank,
            "adapter_dim": None,
        }

    @property
    def complexity(self) -> tuple[int, float, float, float]:
        """Sorts the simplest map first: fewest free directions, then strongest shrinkage."""
        return (
            METHODS.index(self.method),
            float("inf") if self.rank is None else self.rank,
            -(self.alpha or 0.0),
            self.power or 0.0,
        )


def candidates_for(
    method: str,
    *,
    square: bool,
    objective: str = "retrieval",
    alpha: Iterable[float] | None = None,
    power: Iterable[float] | None = None,
    rank: Iterable[int | None] = (None,),
) -> list[Candidate]:
    """All maps of a method, or of those that "auto" chooses from; None is the default grid."""
    of_auto = AUTO_METHODS if objective == "retrieval" else METHODS
    wanted = of_auto if method == "auto" else (method,)
    out = [Candidate(m) for m in ("identity", "centre", "scale") if m in wanted and square]
    if "ridge" in wanted:
        alphas = _default_alphas(square, objective) if alpha is None else alpha
        out += [Candidate("ridge", float(a)) for a in alphas]
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


def _default_alphas(square: bool, objective: str) -> Iterable[float]:
    """Strengths of ridge."""
    if not square:
        return ZERO_PRIOR_ALPHAS
    return ALPHAS if objective == "retrieval" else HEAD_ALPHAS


def linear_candidates(
    method: str,
    *,
    alpha: Any = "auto",
    power: Any = "auto",
    rank: Any = None,
    shared: bool = False,
    objective: str = "retrieval",
    square: bool = True,
) -> list[Candidate]:
    """Maps that the parameters of a LinearAligner stand for.

    Parameters
    ----------
    method, alpha, power, rank, shared, objective
        Parameters of `LinearAligner`.
    square : bool, default=True
        Whether both sides have one width.

    Returns
    -------
    list of Candidate
        One map or more, in the order of the methods.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or two do not go together.
    """
    if method != "auto" and method not in METHODS:
        raise ValueError(f"method must be one of {('auto', *METHODS)}, got {method!r}.")
    check_choice("objective", objective, OBJECTIVES)
    if shared:
        return [_shared_candidate(method, {"alpha": alpha, "power": power, "rank": rank})]
    if method in ("identity", "centre", "scale") and not square:
        raise ValueError(
            f'method="{method}" needs X and y of one width. Use "spectral", "ridge" or '
            '"procrustes" between two widths.'
        )
    alphas, powers = _grid("alpha", alpha), _grid("power", power)
    ranks = _grid("rank", rank) or [None]
    grids: dict[str, Any] = {"alpha": alphas, "power": powers, "rank": ranks}
    return candidates_for(method, square=square, objective=objective, **grids)


def _shared_candidate(method: str, given: dict[str, Any]) -> Candidate:
    """The one map of both sides into a shared space."""
    if method not in ("auto", "spectral"):
        raise ValueError(f'shared=True goes with method="spectral" or "auto", got {method!r}.')
    settings: dict[str, Any] = {"alpha": 1.0, "power": 0.5, "rank": None}
    for name, value in given.items():
        grid = _grid(name, value)
        if grid is not None and len(grid) > 1:
            raise ValueError(f"shared=True takes one value of {name}, got {grid}.")
        if grid is not None:
            settings[name] = grid[0]
    return Candidate("spectral", shared=True, **settings)


def _grid(name: str, value: Any) -> list[Any] | None:
    """A parameter as the list of its values; None for "auto" and None."""
    if value is None or (name != "rank" and isinstance(value, str) and value == "auto"):
        return None
    if name == "rank":
        expected = "a positive int, a non-empty sequence of them or None"
        return check_grid(name, value, Integral, lambda v: v >= 1, expected)
    expected = 'a non-negative number, a non-empty sequence of them or "auto"'
    return check_grid(name, value, Real, lambda v: 0 <= v < np.inf, expected)


def cautious_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """The choice without evidence: no alignment, else the strongest regularisation."""
    for wanted in ("identity", "ridge"):
        same = [c for c in candidates if c.method == wanted]
        if same:
            return min(same, key=lambda c: abs((c.alpha or 0.0) - _CAUTIOUS_ALPHA))
    return min(candidates, key=lambda c: c.complexity)

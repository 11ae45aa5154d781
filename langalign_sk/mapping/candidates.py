"""Closed-form maps that the parameters stand for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from numpy.typing import NDArray

from .closed_form import AffineMap, Solver

__all__ = ["Candidate", "candidates_for"]


ALPHAS = (1.0, 3.0, 10.0, 30.0)
ZERO_PRIOR_ALPHAS = (0.1, 0.3, 1.0)  # towards zero, where the widths differ
SPECTRAL_ALPHAS = (1.0,)
POWERS = (0.25, 0.5)
METHODS = ("identity", "ridge", "procrustes", "spectral")  # simplest first


@dataclass(frozen=True)
class Candidate:
    """One closed-form map: a method and its settings."""

    method: str
    alpha: float | None = None
    power: float | None = None
    rank: int | None = None
    shared: bool = False
    adapter_dim: None = None  # trained candidates have one

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

    def move(self, solver: Solver, X: NDArray, Y: NDArray) -> tuple[NDArray, NDArray]:
        """Rows of both sides where the map brings them together."""
        if self.shared:
            there, across, _ = solver.canonical(*self.spectral_settings())
            return there(X), across(Y)
        return self.solve(solver)(X), Y

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

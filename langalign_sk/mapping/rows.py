"""Paired rows of a fit, with what the steps of the fit share about them."""

from __future__ import annotations

from functools import cached_property, reduce
from numbers import Integral
from operator import add

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ..metrics._core import MAX_CROSS_FIT, POOL_OF_ONE, duplicate_groups, held_out_folds
from .closed_form import Moments, Solver, origins_of

__all__ = ["HeldOutRows", "PairedRows"]


class PairedRows:
    """Paired rows with cached duplicate groups, sums and held-out folds.

    Choosing a map, fitting it and measuring it need the same sums and groups: passed on in this
    form, the rows give each of them once.

    Parameters
    ----------
    X : ndarray of shape (n_pairs, n_features), float32 or float64
        Checked rows of the first space.
    Y : ndarray of shape (n_pairs, n_targets), dtype of X
        Their counterparts.
    weight : ndarray of shape (n_pairs,), dtype of X, default=None
        Positive weights in the least-squares sense; None stands for 1.
    """

    def __init__(self, X: NDArray, Y: NDArray, weight: NDArray | None = None) -> None:
        self.X, self.Y, self.weight = X, Y, weight
        self._cross: Solver | None = None
        self._held_out: dict[tuple[object, int | None], HeldOutRows | None] = {}

    def __len__(self) -> int:
        return len(self.X)

    @property
    def square(self) -> bool:
        """Whether both sides have one width."""
        return self.X.shape[1] == self.Y.shape[1]

    @property
    def constant_sides(self) -> list[str]:
        """Names of the sides whose rows are all the same: X, y or both."""
        sides = {"X": self.X, "y": self.Y}
        # Where they are not, the last row mostly tells.
        return [
            name
            for name, rows in sides.items()
            if (rows[-1] == rows[0]).all() and (rows == rows[0]).all()
        ]

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """Labels that rows share which are equal on either side."""
        return duplicate_groups(self.X, self.Y)

    @cached_property
    def moments(self) -> Moments:
        """Weighted second moments of all rows."""
        return Moments.of(self.X, self.Y, self.weight)

    @cached_property
    def solver(self) -> Solver:
        """Closed forms of all rows."""
        return Solver(self.moments)

    @property
    def cross_solver(self) -> Solver:
        """Closed forms that need no more than the cross-covariance, a third of the sums."""
        if "moments" in vars(self):
            return self.solver
        if self._cross is None:
            self._cross = Solver(Moments.of(self.X, self.Y, self.weight, cross_only=True))
        return self._cross

    def solver_without(self, indices: NDArray[np.intp]) -> Solver:
        """Closed forms of the other rows; the sums of these are subtracted from those of all."""
        if not len(indices):
            return self.solver
        total = self.moments
        return Solver(total - self._sums(indices, (total.x_origin, total.y_origin)))

    def moments_of_folds(self, folds: list[NDArray[np.intp]]) -> list[Moments]:
        """Sums over each fold; those over all rows are made of them where the folds hold most."""
        held = np.concatenate(folds)
        if "moments" not in vars(self) and 2 * len(held) > len(self):
            origins = origins_of(self.X, self.Y, self.weight)
            parts = [self._sums(fold, origins) for fold in folds]
            rest = np.setdiff1d(np.arange(len(self)), held)
            others = [self._sums(rest, origins)] if len(rest) else []
            self.moments = reduce(add, [*parts, *others])
            return parts
        total = self.moments
        return [self._sums(fold, (total.x_origin, total.y_origin)) for fold in folds]

    def _sums(self, indices: NDArray[np.intp], origins: tuple[NDArray, NDArray]) -> Moments:
        weight = None if self.weight is None else self.weight[indices]
        return Moments.of(self.X[indices], self.Y[indices], weight, origins)

    def take(self, indices: NDArray) -> PairedRows:
        """Some of the rows, as paired rows of their own."""
        weight = None if self.weight is None else self.weight[indices]
        return PairedRows(self.X[indices], self.Y[indices], weight)

    def held_out(
        self,
        random_state: int | np.random.RandomState | None,
        pool_of_one: int = POOL_OF_ONE,
    ) -> HeldOutRows | None:
        """Folds of held-out rows; the same object for the same int.

        Parameters
        ----------
        random_state : int, RandomState instance or None
            Draws the folds.
        pool_of_one : int, default=1000
            Rows of the only fold, where there are too many rows for five.

        Returns
        -------
        HeldOutRows or None
            None where too few distinct rows exist to hold any out.
        """
        key = random_state, pool_of_one if len(self) > MAX_CROSS_FIT else None
        if key in self._held_out:
            return self._held_out[key]
        folds = held_out_folds(self.groups, check_random_state(random_state), pool_of_one)
        drawn = None if folds is None else HeldOutRows(self, folds)
        if isinstance(random_state, Integral):
            self._held_out[key] = drawn
        return drawn


class HeldOutRows:
    """Folds of held-out rows, and closed forms of the rows outside each.

    Attributes
    ----------
    folds : list of ndarray of int
        Indices of the rows of every fold; no duplicate group is split.
    """

    def __init__(self, rows: PairedRows, folds: list[NDArray[np.intp]]) -> None:
        self.rows, self.folds = rows, folds
        self._solvers: dict[int, Solver] = {}

    @cached_property
    def indices(self) -> NDArray[np.intp]:
        """All held-out rows, in the order of the folds."""
        return np.concatenate(self.folds)

    def solver(self, fold: int) -> Solver:
        """Closed forms of the rows outside a fold."""
        if fold not in self._solvers:
            held = self._moments[fold]  # first, as the sums over all rows may be made of these
            self._solvers[fold] = Solver(self.rows.moments - held)
        return self._solvers[fold]

    @cached_property
    def _moments(self) -> list[Moments]:
        return self.rows.moments_of_folds(self.folds)

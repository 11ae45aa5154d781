"""Adapters among the candidates that held-out retrieval chooses from."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .adapter import AdapterAligner

__all__ = ["Trained"]

_MAX_ROWS = 50_000  # more pairs make an adapter better, and its advantage no clearer


class Trained:
    """An adapter as a candidate: its settings, and how it does on rows it did not see."""

    alpha = power = rank = None

    def __init__(self, aligner: AdapterAligner) -> None:
        self.aligner = aligner
        self.method = aligner.loss
        self.adapter_dim = aligner.adapter_dim or 0
        self.shared = aligner.shared
        # Without a pull towards the rows of Y, nobody can want them where a model knows them.
        self.for_search = aligner.shared or not aligner.mse_weight

    @property
    def complexity(self) -> tuple[float, ...]:
        """Sorts behind every closed form, the smaller adapter first."""
        return (np.inf, self.adapter_dim)

    def move_folds(
        self, X: NDArray, Y: NDArray, pool: list[NDArray[np.intp]], deadline: float
    ) -> list[tuple[NDArray, NDArray]] | None:
        """Held-out rows of both sides, moved by maps of the other rows; None if time ran out."""
        from ._callbacks import Deadline  # loads skorch

        moved = []
        for fold in pool:
            clock = Deadline(deadline)
            if clock.passed:
                return None
            rows = np.setdiff1d(np.arange(len(X)), fold)
            if len(rows) > _MAX_ROWS:
                draw = np.random.RandomState(0).permutation(len(rows))[:_MAX_ROWS]
                rows = rows[np.sort(draw)]
            aligner = clone(self.aligner).set_params(inverse=False, checkpoint=None)
            aligner.set_params(callbacks=[("deadline", clock)])
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*was interrupted")
                aligner.fit(X[rows], Y[rows])
            if clock.passed:
                return None
            if aligner.stopped_ == "interrupted":
                raise KeyboardInterrupt
            moved.append((aligner._there(X[fold]), aligner._across(Y[fold])))
        return moved

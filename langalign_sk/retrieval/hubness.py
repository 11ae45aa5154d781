"""Hubness correction: how near documents are to queries in general."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics._core import mean_neighbor_cosine
from .backends import Index
from .exact import QUERIES, Rows, nearest

__all__ = ["SCORINGS", "Hubs"]


SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")
_CANDIDATES = 100
_BLOCK = 4096
_MOST_LOGARITHM = 80.0
_LEAST = 1e-6  # of a margin's denominator, which may fall to zero in centred spaces


@dataclass
class Hubs:
    """A bank of queries, and what it says of every document.

    Attributes
    ----------
    scoring : str
        One of SCORINGS but "cosine".
    bank : ndarray of shape (n_bank, width), float32
        Unit rows of queries.
    n_neighbors : int
        Neighbours that a mean cosine is taken over, for "csls" and "margin".
    temperature : float
        For "inverted_softmax" and "query_bank".
    level : ndarray of shape (n_rows,), float32
        By position: the mean cosine of a document to its nearest rows of the bank, or the
        logarithm of its softmax denominator, times the temperature.
    active : ndarray of shape (n_rows,), dtype bool, or None
        For "query_bank": documents that are the nearest one of some row of the bank.
    """

    scoring: str
    bank: NDArray
    n_neighbors: int
    temperature: float
    level: NDArray
    active: NDArray | None = None

    def append(self, rows: NDArray) -> None:
        """Levels of documents that come behind the others."""
        if self.scoring in ("csls", "margin"):
            parts = [mean_neighbor_cosine(rows, self.bank, self.n_neighbors)]
        else:
            parts = [self._softened(rows[i : i + _BLOCK]) for i in range(0, len(rows), _BLOCK)]
        self.level = np.concatenate([self.level, *parts])

    def _softened(self, rows: NDArray) -> NDArray:
        from scipy.special import logsumexp

        t = np.float32(self.temperature)
        return (t * logsumexp(rows @ self.bank.T / t, axis=1)).astype(np.float32)

    def activate(self, index: Index) -> None:
        """Look up which documents the bank finds, after documents came or went."""
        if self.scoring == "query_bank":
            self.active = np.zeros(len(self.level), dtype=bool)
            found = index.search(self.bank, 1)[0][:, 0]
            self.active[found[found >= 0]] = True

    def search(
        self, Q: NDArray, k: int, index: Index, rows: Rows
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and corrected scores of the k best documents of every query, best first."""
        n = int(np.count_nonzero(rows.alive))
        near = min(self.n_neighbors, n)
        parts = []
        for start in range(0, len(Q), QUERIES):
            some = Q[start : start + QUERIES]
            if index.exact:
                parts.append(self._exact(some, k, near, rows))
            else:
                m = min(n, max(near, _CANDIDATES, 10 * k))
                parts.append(self._reranked(*index.search(some, m), k, near))
        positions, scores = zip(*parts, strict=True)
        return np.concatenate(positions), np.concatenate(scores)

    def _exact(self, Q: NDArray, k: int, near: int, rows: Rows) -> tuple[NDArray, NDArray]:
        shift = self.level / 2 if self.scoring == "csls" else self.level

        def key(S: NDArray, start: int, stop: int) -> NDArray:
            S -= shift[start:stop]
            return S

        if self.scoring == "margin":  # its order hangs on the level of the query
            level = nearest(Q, rows, [(near, None)])[0][1].mean(axis=1, keepdims=True)

            def ratio(S: NDArray, start: int, stop: int) -> NDArray:
                S /= np.maximum(self.level[start:stop] + level, _LEAST)
                return S

            positions, keys = nearest(Q, rows, [(k, ratio)])[0]
            return positions, 2 * keys
        if self.scoring == "csls":
            (_, cosines), (positions, keys) = nearest(Q, rows, [(near, None), (k, key)])
            return positions, 2 * keys - cosines.mean(axis=1, keepdims=True)
        if self.scoring == "inverted_softmax":
            positions, keys = nearest(Q, rows, [(k, key)])[0]
            return positions, self._softmax(keys / self.temperature)
        plain, (positions, keys) = nearest(Q, rows, [(k, None), (k, key)])
        return self._where_active(plain, (positions, self._softmax(keys / self.temperature)))

    def _reranked(
        self, positions: NDArray, cosines: NDArray, k: int, near: int
    ) -> tuple[NDArray, NDArray]:
        """The best by corrected score among candidates by cosine."""
        near_cosines = cosines[:, :near]
        none = np.isneginf(near_cosines)  # an approximate index may find fewer
        level = np.where(none, 0, near_cosines).sum(axis=1, keepdims=True)
        level /= np.maximum(near - none.sum(axis=1, keepdims=True), 1)
        document = self.level[positions]
        # The softmax is taken after the order: it falls to zero for all but the nearest.
        if self.scoring == "margin":
            keys = 2 * cosines / np.maximum(document + level, _LEAST)
        elif self.scoring == "csls":
            keys = 2 * cosines - document - level
        else:
            keys = (cosines - document) / np.float32(self.temperature)
        order = np.argsort(-keys, axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(keys, order, axis=1)
        if self.scoring not in ("csls", "margin"):
            scores = self._softmax(scores)
        corrected = np.take_along_axis(positions, order, axis=1), scores
        if self.scoring != "query_bank":
            return corrected
        return self._where_active((positions[:, :k], cosines[:, :k]), corrected)

    @staticmethod
    def _softmax(logarithm: NDArray) -> NDArray:
        # A query that is none of the bank may be over 1, and beyond float32 where it is cold.
        return np.exp(np.minimum(logarithm, _MOST_LOGARITHM)).astype(np.float32)

    def _where_active(
        self, plain: tuple[NDArray, NDArray], corrected: tuple[NDArray, NDArray]
    ) -> tuple[NDArray, NDArray]:
        """Corrected results of the queries whose nearest document is one that the bank finds."""
        assert self.active is not None
        active = self.active[plain[0][:, :1]]
        positions, scores = (
            np.where(active, new, old) for old, new in zip(plain, corrected, strict=True)
        )
        return positions, scores

"""Hubness correction of scores, by a bank of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .._utils.validation import ensured
from ..metrics._core import mean_neighbor_cosine
from .backends import CompleteSearch
from .exact import QUERY_BLOCK, Rows, nearest

__all__ = ["SCORINGS", "Hubness"]


SCORINGS = ("cosine", "csls", "margin", "inverted_softmax", "query_bank")
_CANDIDATES = 100  # that an approximate index finds at least, to be ranked by corrected scores
_DOCUMENT_BLOCK = 4096
_MAX_EXPONENT = 80.0  # exp of it is a float32
_LEAST = 1e-6  # of a margin's denominator, which may fall to zero in centred spaces


class Finder(Protocol):
    """Search by cosine (protocol): that of an index, or of several as one."""

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and cosines of the k nearest rows, best first."""


@dataclass
class Hubness:
    """Hubness of documents, measured by a bank of queries.

    Attributes
    ----------
    scoring : str
        One of SCORINGS except "cosine".
    bank : ndarray of shape (n_bank, width), float32
        Unit rows of queries.
    n_neighbors : int
        Neighbours that a mean cosine is taken over, for "csls" and "margin".
    temperature : float
        For "inverted_softmax" and "query_bank".
    level : ndarray of shape (n_rows,), float32
        By position: the mean cosine of a document to its nearest rows of the bank, or the
        logarithm of its softmax denominator times the temperature.
    active : ndarray of shape (n_rows,), dtype bool, or None
        For "query_bank": whether a document is the nearest one of any row of the bank.
    """

    scoring: str
    bank: NDArray
    n_neighbors: int
    temperature: float
    level: NDArray
    active: NDArray | None = None

    @classmethod
    def of_bank(
        cls, bank: NDArray, *, scoring: str, n_neighbors: int, temperature: float
    ) -> Hubness:
        """Correction by a bank of queries, without documents yet."""
        level = np.empty(0, dtype=np.float32)
        return cls(scoring, bank, n_neighbors, temperature, level)

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters that the levels depend on, as JSON keeps them."""
        return {
            "scoring": self.scoring,
            "n_neighbors": int(self.n_neighbors),
            "temperature": float(self.temperature),
        }

    def append(self, rows: NDArray) -> None:
        """Compute the levels of documents that are added at the end."""
        if self.scoring in ("csls", "margin"):
            parts = [mean_neighbor_cosine(rows, self.bank, self.n_neighbors)]
        else:
            starts = range(0, len(rows), _DOCUMENT_BLOCK)
            parts = [self._log_denominator(rows[i : i + _DOCUMENT_BLOCK]) for i in starts]
        self.level = np.concatenate([self.level, *parts])

    def _log_denominator(self, rows: NDArray) -> NDArray:
        temperature = np.float32(self.temperature)
        logs = logsumexp(rows @ self.bank.T / temperature, axis=1)
        return (temperature * logs).astype(np.float32)

    def find_active(self, index: Finder) -> None:
        """Find the documents that the bank finds; to be called whenever documents change."""
        if self.scoring == "query_bank":
            self.active = np.zeros(len(self.level), dtype=bool)
            self.active[index.search(self.bank, 1)[0][:, 0]] = True

    def search(
        self, Q: NDArray, k: int, index: CompleteSearch, rows: Rows
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and corrected scores of the k best documents of each query, best first."""
        n_documents = int(np.count_nonzero(rows.alive))
        n_near = min(self.n_neighbors, n_documents)
        n_candidates = min(n_documents, max(n_near, _CANDIDATES, 10 * k))
        parts = []
        for start in range(0, len(Q), QUERY_BLOCK):
            block = Q[start : start + QUERY_BLOCK]
            if index.exact:
                parts.append(self._exact(block, k, n_near, rows))
            else:
                parts.append(self.reranked(*index.search(block, n_candidates), k))
        positions, scores = zip(*parts, strict=True)
        return np.concatenate(positions), np.concatenate(scores)

    def _exact(self, Q: NDArray, k: int, n_near: int, rows: Rows) -> tuple[NDArray, NDArray]:
        """The best of all documents. They are ordered by keys, from which scores follow."""
        shift = self.level / 2 if self.scoring == "csls" else self.level

        def shifted(S: NDArray, start: int, stop: int) -> NDArray:
            S -= shift[start:stop]
            return S

        if self.scoring == "margin":  # the order depends on the level of the query too
            near = nearest(Q, rows, [(n_near, None)])[0][1]
            query_level = near.mean(axis=1, keepdims=True)

            def ratio(S: NDArray, start: int, stop: int) -> NDArray:
                S /= np.maximum(self.level[start:stop] + query_level, _LEAST)
                return S

            positions, keys = nearest(Q, rows, [(k, ratio)])[0]
            return positions, 2 * keys
        if self.scoring == "csls":
            (_, near), (positions, keys) = nearest(Q, rows, [(n_near, None), (k, shifted)])
            return positions, 2 * keys - near.mean(axis=1, keepdims=True)
        if self.scoring == "inverted_softmax":
            positions, keys = nearest(Q, rows, [(k, shifted)])[0]
            return positions, _softmax(keys / self.temperature)
        plain, (positions, keys) = nearest(Q, rows, [(k, None), (k, shifted)])
        return self._where_active(plain, (positions, _softmax(keys / self.temperature)))

    def reranked(
        self, positions: NDArray, cosines: NDArray, k: int
    ) -> tuple[NDArray[np.intp], NDArray]:
        """The best by corrected score among candidates by cosine.

        Parameters
        ----------
        positions : ndarray of shape (n_queries, n_candidates), dtype int
            Candidates, the nearest first; -1 where an approximate index found fewer.
        cosines : ndarray of shape (n_queries, n_candidates), float32
            Their cosines, -inf where there is no candidate.
        k : int
            At most n_candidates.

        Returns
        -------
        positions : ndarray of shape (n_queries, k), dtype int
            Best first.
        scores : ndarray of shape (n_queries, k), float32
            Corrected scores.
        """
        n_near = min(self.n_neighbors, positions.shape[1])
        near = cosines[:, :n_near]
        missing = np.isneginf(near)  # an approximate index may find fewer
        query_level = np.where(missing, 0, near).sum(axis=1, keepdims=True)
        query_level /= np.maximum(n_near - missing.sum(axis=1, keepdims=True), 1)
        level = self.level[positions]
        # The softmax is taken after the order: it falls to zero for all but the nearest.
        if self.scoring == "margin":
            keys = 2 * cosines / np.maximum(level + query_level, _LEAST)
        elif self.scoring == "csls":
            keys = 2 * cosines - level - query_level
        else:
            keys = (cosines - level) / np.float32(self.temperature)
        order = np.argsort(-keys, axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(keys, order, axis=1)
        if self.scoring not in ("csls", "margin"):
            scores = _softmax(scores)
        corrected = np.take_along_axis(positions, order, axis=1), scores
        if self.scoring != "query_bank":
            return corrected
        return self._where_active((positions[:, :k], cosines[:, :k]), corrected)

    def _where_active(
        self, plain: tuple[NDArray, NDArray], corrected: tuple[NDArray, NDArray]
    ) -> tuple[NDArray, NDArray]:
        """Corrected results for the queries whose nearest document is active, plain ones else."""
        active = ensured(self.active, "active")[plain[0][:, :1]]
        positions, scores = (
            np.where(active, new, old) for old, new in zip(plain, corrected, strict=True)
        )
        return positions, scores


def _softmax(logarithm: NDArray) -> NDArray:
    # A query outside the bank may exceed 1, and overflow float32 at a low temperature.
    return np.exp(np.minimum(logarithm, _MAX_EXPONENT)).astype(np.float32)

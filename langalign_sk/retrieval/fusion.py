"""Fusion of the views of a search: one score of several indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hubness import Hubness
from .index import DocumentIndex
from .lexical import LexicalIndex

__all__ = [
    "FUSIONS",
    "Fusion",
    "Joined",
    "coefficients_of",
    "lexical_weight",
    "spread_of",
    "united",
]


FUSIONS = ("auto", "sum", "rank")
# Of the first stage, if n_candidates is None; also 20 times n_neighbors. With 100, recall at 1 falls
# by less than .001 (`python -m benchmarks search`).
_CANDIDATES = 200
_RANK_OFFSET = 60  # k of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)
_BLOCK = 1 << 22  # numbers of candidates' rows at once
_JOINED = 8_192  # documents whose rows are joined at once
# Of the lexical score beside standardised scores of a summed weight of 1; words in common decide
# between documents that are near to each other (`python -m benchmarks search`).
_LEXICAL = 0.75
_CONSTANT = 1e-6  # spread of the cosines of a view that tells no document from another


class _Asked(NamedTuple):
    """Texts of queries, and the lexical view that they ask."""

    lexical: LexicalIndex
    texts: Sequence[str]

    def part(self, at: slice) -> _Asked:
        """Some of the queries."""
        return _Asked(self.lexical, self.texts[at])

    def search(self, k: int) -> NDArray[np.intp]:
        """Positions of the k best documents of each query."""
        return self.lexical.search(self.texts, k)[0]

    def score(self, positions: NDArray[np.intp]) -> NDArray:
        """Scores of given documents."""
        return self.lexical.score(self.texts, positions)


@dataclass
class Fusion:
    """Fusion of the scores of several views.

    Attributes
    ----------
    coefficients : ndarray of shape (n_views,), float64
        Weight of a view over the standard deviation of its cosines, scaled to sum 1; of ranks, the
        weight alone.
    by_rank : bool
        Whether ranks are fused, and not scores.
    n_candidates : int or None
        Documents of the first stage.
    hubness : Hubness or None
        Correction of fused cosines; its bank holds joined rows.
    lexical : LexicalIndex or None
        View of the words that languages share.
    lexical_weight : float
        What its score is multiplied by.
    """

    coefficients: NDArray[np.float64]
    by_rank: bool = False
    n_candidates: int | None = None
    hubness: Hubness | None = None
    lexical: LexicalIndex | None = None
    lexical_weight: float = 0.0

    def search(
        self,
        indexes: Sequence[DocumentIndex],
        queries: Sequence[NDArray | None],
        texts: Sequence[str] | None,
        k: int,
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and scores of the k best documents of each query, best first.

        Parameters
        ----------
        indexes : sequence of DocumentIndex
            One per view, of the same documents at the same positions.
        queries : sequence of ndarray of shape (n_queries, width), or None
            Unit rows of the queries in every view; None for a view that does not answer.
        texts : sequence of str or None
            The queries, for the lexical view.
        k : int
            At most the number of documents.

        Returns
        -------
        positions : ndarray of shape (n_queries, k), dtype int
            Positions.
        scores : ndarray of shape (n_queries, k), float32
            Fused scores.
        """
        answering = [
            (index, Q, c)
            for index, Q, c in zip(indexes, queries, self.coefficients, strict=True)
            if Q is not None and c > 0
        ]
        total = sum(c for _, _, c in answering)
        parts = [(index, Q, np.float32(c / total)) for index, Q, c in answering]
        n_documents = indexes[0].n_documents
        wanted = max(_CANDIDATES, 20 * k) if self.n_candidates is None else self.n_candidates
        n_candidates = min(n_documents, max(k, wanted))
        asked = None
        if texts is not None and self.lexical is not None:
            asked = _Asked(self.lexical, texts)
        if self.by_rank:
            return self._by_rank(parts, asked, k, n_candidates)
        width = sum(index.width for index, _, _ in parts)
        block = max(1, _BLOCK // (width * n_candidates))
        found = []
        for start in range(0, len(parts[0][1]), block):
            at = slice(start, start + block)
            of_block = [(index, Q[at], c) for index, Q, c in parts]
            of_texts = None if asked is None else asked.part(at)
            found.append(self._by_score(of_block, of_texts, k, n_candidates))
        positions, scores = zip(*found, strict=True)
        return np.concatenate(positions), np.concatenate(scores)

    def _by_score(
        self,
        parts: list[tuple[DocumentIndex, NDArray, np.float32]],
        asked: _Asked | None,
        k: int,
        n_candidates: int,
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Candidates of the first view and of the lexical one, ranked by all views."""
        lead, Q, _ = parts[0]
        positions = lead.finder.search(Q, n_candidates)[0]
        if asked is not None:
            positions = united(positions, asked.search(n_candidates))
        missing = positions < 0
        scores = np.zeros(positions.shape, dtype=np.float32)
        for index, Q, c in parts:
            scores += c * np.einsum("qd,qcd->qc", Q, index.rows.take(positions))
        if asked is not None:
            scores += np.float32(self.lexical_weight) * asked.score(positions)
        scores[missing] = -np.inf
        # By score, and equal scores by position, as in an exact search.
        order = np.lexsort((positions, -scores), axis=1)
        positions = np.take_along_axis(positions, order, axis=1)
        scores = np.take_along_axis(scores, order, axis=1)
        if self.hubness is None:
            return positions[:, :k], scores[:, :k]
        return self.hubness.reranked(positions, scores, k)

    def _by_rank(
        self,
        parts: list[tuple[DocumentIndex, NDArray, np.float32]],
        asked: _Asked | None,
        k: int,
        n_candidates: int,
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009) of the views' candidates."""
        found = [(index.finder.search(Q, n_candidates)[0], float(c)) for index, Q, c in parts]
        if asked is not None:
            mean = float(np.mean([c for _, c in found]))
            found.append((asked.search(n_candidates), mean))
        positions = np.concatenate([places for places, _ in found], axis=1)
        gains = np.concatenate(
            [
                np.broadcast_to(c / (_RANK_OFFSET + 1 + np.arange(places.shape[1])), places.shape)
                for places, c in found
            ],
            axis=1,
        )
        out = np.full((len(positions), k), -1, dtype=np.intp), np.zeros((len(positions), k))
        for i, (row, gain) in enumerate(zip(positions, gains, strict=True)):
            distinct, group = np.unique(row, return_inverse=True)
            fused = np.bincount(group, weights=gain)
            fused[distinct < 0] = -np.inf
            best = np.argsort(-fused, kind="stable")[:k]
            out[0][i, : len(best)], out[1][i, : len(best)] = distinct[best], fused[best]
        return out[0], out[1].astype(np.float32)


class Joined:
    """Views as one space: the product of joined rows is the fused cosine.

    Parameters
    ----------
    fusion : Fusion
        Whose coefficients count.
    indexes : sequence of DocumentIndex
        The views.
    """

    def __init__(self, fusion: Fusion, indexes: Sequence[DocumentIndex]) -> None:
        self._fusion, self._indexes = fusion, indexes
        self._roots = np.sqrt(fusion.coefficients).astype(np.float32)

    def rows(self, parts: Sequence[NDArray]) -> NDArray:
        """Unit rows of the views side by side, each scaled by the root of its coefficient."""
        scaled = [root * rows for root, rows in zip(self._roots, parts, strict=True)]
        return np.concatenate(scaled, axis=1)

    def append_to(self, hubness: Hubness, first: int = 0) -> None:
        """Measure the hubness of the documents from a position on."""
        n_rows = len(self._indexes[0].rows.alive)
        for start in range(first, n_rows, _JOINED):
            at = np.arange(start, min(start + _JOINED, n_rows))
            hubness.append(self.rows([index.rows.take(at) for index in self._indexes]))
        if self._indexes[0].n_documents:
            hubness.find_active(self)

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and fused cosines of the k nearest documents, without a hubness correction."""
        plain = Fusion(self._fusion.coefficients, n_candidates=self._fusion.n_candidates)
        ends = np.cumsum([index.width for index in self._indexes])[:-1]
        roots = np.where(self._roots > 0, self._roots, 1)
        parts = [part / root for part, root in zip(np.split(Q, ends, axis=1), roots, strict=True)]
        return plain.search(self._indexes, parts, None, k)


def coefficients_of(
    weights: NDArray, spreads: NDArray, by_rank: bool = False
) -> NDArray[np.float64]:
    """Coefficients of the cosines, or of the reciprocal ranks, in a fused score.

    Parameters
    ----------
    weights : ndarray of shape (n_views,)
        Weights of standardised scores.
    spreads : ndarray of shape (n_views,)
        Standard deviations of the cosines of the views.
    by_rank : bool, default=False
        Whether ranks are fused, which are of one scale in all views.

    Returns
    -------
    ndarray of shape (n_views,), float64
        At least 0, with sum 1. A view whose cosines do not vary gets 0, unless no view's do.
    """
    varies = spreads > _CONSTANT
    if not (varies & (weights > 0)).any():
        return weights / weights.sum()
    scales = np.where(varies & (not by_rank), spreads, 1)
    out: NDArray[np.float64] = np.where(varies, weights, 0) / scales
    return out / out.sum()


def lexical_weight(weights: NDArray, spreads: NDArray) -> float:
    """Weight of the lexical score beside the fused cosines.

    Parameters
    ----------
    weights : ndarray of shape (n_views,)
        Weights of standardised scores.
    spreads : ndarray of shape (n_views,)
        Standard deviations of the cosines of the views.

    Returns
    -------
    float
        In the unit of the fused cosines.
    """
    varies = (spreads > _CONSTANT) & (weights > 0)
    if not varies.any():
        return 1.0
    return float(_LEXICAL * weights.sum() / (weights[varies] / spreads[varies]).sum())


def united(positions: NDArray[np.intp], more: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of both arrays by row; -1 in place of those that are there already."""
    both = np.concatenate([positions, more], axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    ranked = np.take_along_axis(both, order, axis=1)
    again = np.zeros(both.shape, dtype=bool)
    again[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
    repeated = np.zeros(both.shape, dtype=bool)
    np.put_along_axis(repeated, order, again, axis=1)
    return np.where(repeated, -1, both)


def spread_of(Q: NDArray, D: NDArray) -> float:
    """Standard deviation of the cosines of unit rows."""
    return float((Q @ D.T).std(dtype=np.float64))

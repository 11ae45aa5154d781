"""Exact nearest rows by blocks of a matrix product, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUERIES", "Rows", "nearest"]

# Scores of a block of queries against a block of rows: 16 MB, which a processor's cache may hold.
QUERIES = 1024
_ROWS = 4096

# Cosines of some queries and of rows[start:stop] in, scores out; may write to what it is given.
Score = Callable[[NDArray, int, int], NDArray]


class Rows:
    """Unit rows in blocks, the first of which may be mapped from a file.

    Positions count through all blocks. Removed rows stay in place and are never found.
    """

    def __init__(self, blocks: Sequence[NDArray]) -> None:
        self.blocks = list(blocks)
        self.alive = np.ones(sum(map(len, blocks)), dtype=bool)

    def append(self, rows: NDArray) -> None:
        """Put rows behind the others."""
        if len(self.blocks) > 1:  # one block grows behind the one that may be mapped
            rows = np.concatenate([*self.blocks[1:], rows])
        self.blocks[1:] = [rows]
        added = np.ones(sum(map(len, self.blocks)) - len(self.alive), dtype=bool)
        self.alive = np.concatenate([self.alive, added])

    def pieces(self) -> Iterator[tuple[int, NDArray]]:
        """Runs of rows, each with the position of its first."""
        first = 0
        for block in self.blocks:
            for start in range(0, len(block), _ROWS):
                yield first + start, block[start : start + _ROWS]
            first += len(block)

    @property
    def width(self) -> int:
        return int(self.blocks[0].shape[1])


class _Best:
    """The k highest scores of every query so far; among equal ones, of the first positions."""

    def __init__(self, n_queries: int, k: int) -> None:
        self.k = k
        self.scores = np.full((n_queries, k), -np.inf, dtype=np.float32)
        self.positions = np.full((n_queries, k), -1, dtype=np.intp)

    def update(self, S: NDArray, first: int) -> None:
        """Scores of all queries and of rows that begin at position `first`."""
        least = self.scores[:, -1]
        # After the first blocks, few queries find anything better in a block.
        queries = np.flatnonzero(S.max(axis=1) > least)
        if not len(queries):
            return
        S, floor = S[queries], least[queries]
        above = floor[:, None] < S
        if S.shape[1] > self.k and np.count_nonzero(above) > 4 * self.k * len(queries):
            kth = np.partition(S, S.shape[1] - self.k, axis=1)[:, S.shape[1] - self.k]
            above &= kth[:, None] <= S
        row, column = np.nonzero(above)
        old = np.repeat(np.arange(len(queries)), self.k)
        row = np.concatenate([old, row])
        scores = np.concatenate([self.scores[queries].ravel(), S[above]])
        positions = np.concatenate([self.positions[queries].ravel(), column + first])
        # Old ones come first and the sort is stable: of equal scores, the first position wins.
        order = np.lexsort((-scores, row))
        begins = np.searchsorted(row[order], np.arange(len(queries)))
        chosen = order[begins[:, None] + np.arange(self.k)]
        self.scores[queries] = scores[chosen]
        self.positions[queries] = positions[chosen]


def nearest(
    Q: NDArray, rows: Rows, wanted: Sequence[tuple[int, Score | None]]
) -> list[tuple[NDArray[np.intp], NDArray]]:
    """Positions and scores of the best rows of every query, best first.

    Parameters
    ----------
    Q : ndarray of shape (n_queries, width), float32
        Unit rows.
    rows : Rows
        At least as many that are not removed as are wanted.
    wanted : sequence of (int, Score or None)
        For each, how many rows, by which score; None is the cosine, and comes first. All of
        them share one product of the matrices.

    Returns
    -------
    list of (positions, scores), each ndarray of shape (n_queries, k)
        In the order of `wanted`.
    """
    found = [_Best(len(Q), k) for k, _ in wanted]
    removed = np.flatnonzero(~rows.alive)
    for begin in range(0, len(Q), QUERIES):
        some = slice(begin, begin + QUERIES)
        best = [_Best(len(Q[some]), k) for k, _ in wanted]
        for first, piece in rows.pieces():
            S = Q[some] @ piece.T
            stop = first + len(piece)
            if len(removed):
                low, high = np.searchsorted(removed, [first, stop])
                S[:, removed[low:high] - first] = -np.inf
            for tops, (_, score) in zip(best, wanted, strict=True):
                tops.update(S if score is None else score(S, first, stop), first)
        for whole, part in zip(found, best, strict=True):
            whole.scores[some], whole.positions[some] = part.scores, part.positions
    return [(tops.positions, tops.scores) for tops in found]

"""Exact nearest rows by blocks of a matrix product, in bounded memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUERY_BLOCK", "Rows", "nearest"]


# Scores of a block of queries against a block of rows: 16 MB, which a processor's cache may hold.
QUERY_BLOCK = 1024
_ROW_BLOCK = 4096

# From cosines of queries and of rows[start:stop] to scores; it may write to its first argument.
Score = Callable[[NDArray, int, int], NDArray]


class Rows:
    """Unit rows in blocks, the first of which may be mapped from a file.

    Positions count through all blocks. Removed rows keep their positions and are never found.
    """

    def __init__(self, blocks: Sequence[NDArray]) -> None:
        self.blocks = list(blocks)
        self.alive = np.ones(sum(map(len, blocks)), dtype=bool)

    def copied(self) -> Rows:
        """The same rows, whose changes leave these as they are; no row is copied."""
        out = copy.copy(self)
        out.blocks, out.alive = list(self.blocks), self.alive.copy()
        return out

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.blocks[0].shape[1])

    def append(self, rows: NDArray) -> None:
        """Add rows at the end."""
        if len(self.blocks) > 1:  # the first block may be mapped; only the second one grows
            rows = np.concatenate([*self.blocks[1:], rows])
        self.blocks[1:] = [rows]
        added = np.ones(sum(map(len, self.blocks)) - len(self.alive), dtype=bool)
        self.alive = np.concatenate([self.alive, added])

    def take(self, positions: NDArray[np.intp]) -> NDArray:
        """Rows at positions of any shape; a negative one stands for any row."""
        if len(self.blocks) == 1:
            return np.asarray(self.blocks[0][positions])
        out = np.zeros((*positions.shape, self.width), dtype=self.blocks[0].dtype)
        first = 0
        for block in self.blocks:
            inside = (first <= positions) & (positions < first + len(block))
            out[inside] = block[positions[inside] - first]
            first += len(block)
        return out

    def since(self, first: int) -> Rows:
        """The rows from a position on, which is 0 in what is returned; no row is copied."""
        out, start = copy.copy(self), 0
        out.blocks, out.alive = [], self.alive[first:]
        for block in self.blocks:
            out.blocks.append(block[max(first - start, 0) :])
            start += len(block)
        return out

    def pieces(self) -> Iterator[tuple[int, NDArray]]:
        """Runs of rows, each with the position of its first row."""
        first = 0
        for block in self.blocks:
            for start in range(0, len(block), _ROW_BLOCK):
                yield first + start, block[start : start + _ROW_BLOCK]
            first += len(block)

    def live_pieces(self) -> Iterator[NDArray]:
        """Runs of the rows that are not removed."""
        for first, piece in self.pieces():
            yield piece[self.alive[first : first + len(piece)]]


class _TopScores:
    """The k highest scores of each query so far; among equal scores, those of the first positions."""

    def __init__(self, n_queries: int, k: int) -> None:
        self.k = k
        self.scores = np.full((n_queries, k), -np.inf, dtype=np.float32)
        self.positions = np.full((n_queries, k), -1, dtype=np.intp)

    def update(self, S: NDArray, first: int) -> None:
        """Take in the scores of all queries for the rows from position `first` on."""
        least, best = self.scores[:, -1], S.max(axis=1)
        if not (
            best < np.inf
        ).all():  # of NaN too; an index may be opened without a look at its rows
            raise ValueError(
                "Rows of the index hold NaN or infinity, so that it was damaged: open_index(..., "
                "verify=True) looks at all of them. Copy the folder again, or build the index anew."
            )
        # After the first blocks, few queries find anything better in a block.
        queries = np.flatnonzero(best > least)
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
        # Old scores come first and the sort is stable: of equal scores, the first position wins.
        order = np.lexsort((-scores, row))
        begins = np.searchsorted(row[order], np.arange(len(queries)))
        chosen = order[begins[:, None] + np.arange(self.k)]
        self.scores[queries] = scores[chosen]
        self.positions[queries] = positions[chosen]


def nearest(
    Q: NDArray, rows: Rows, wanted: Sequence[tuple[int, Score | None]]
) -> list[tuple[NDArray[np.intp], NDArray]]:
    """Positions and scores of the best rows of each query, best first.

    Parameters
    ----------
    Q : ndarray of shape (n_queries, width), float32
        Unit rows.
    rows : Rows
        At least as many rows that are not removed as are wanted.
    wanted : sequence of (int, Score or None)
        How many rows, and by which score. None stands for the cosine and must come first. All
        requests share one matrix product.

    Returns
    -------
    list of (positions, scores), each ndarray of shape (n_queries, k)
        In the order of `wanted`.
    """
    found = [_TopScores(len(Q), k) for k, _ in wanted]
    removed = np.flatnonzero(~rows.alive)
    for start in range(0, len(Q), QUERY_BLOCK):
        block = slice(start, start + QUERY_BLOCK)
        of_block = [_TopScores(len(Q[block]), k) for k, _ in wanted]
        for first, piece in rows.pieces():
            S = Q[block] @ piece.T
            stop = first + len(piece)
            if len(removed):
                low, high = np.searchsorted(removed, [first, stop])
                S[:, removed[low:high] - first] = -np.inf
            for top, (_, score) in zip(of_block, wanted, strict=True):
                top.update(S if score is None else score(S, first, stop), first)
        for whole, part in zip(found, of_block, strict=True):
            whole.scores[block], whole.positions[block] = part.scores, part.positions
    return [(top.positions, top.scores) for top in found]

"""DocumentIndex: identifiers, rows, backend and hubness of documents in one space."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends import CompleteSearch, Index
from .exact import Rows
from .hubness import Hubness
from .identifiers import kept_ids

__all__ = ["DocumentIndex", "all_the_same", "check_width", "checked_ids", "unit"]


_SAME = 1e-6  # of numbers of unit rows, that rounding explains


class DocumentIndex:
    """Index of documents: identifiers, unit rows, backend and hubness.

    Documents have two numbers: the *place* counts those that are there, as `ids` does; the
    *position* counts removed rows too, as `rows` and the backend do.

    Parameters
    ----------
    ids : sequence of hashable
        Identifiers, one per row that is not removed.
    rows : Rows
        Unit rows of the documents.
    backend : Index
        Backend that was built on these rows, or read for them.
    hubness : Hubness or None, default=None
        Correction of scores, with the levels of these rows. None: the score is the cosine.
    next_id : int, default=0
        Least number for a new document without an identifier.

    Attributes
    ----------
    ids : list of hashable
        Identifiers. Every change makes a new list.
    rows, backend, hubness, next_id
        As the parameters.
    """

    def __init__(
        self,
        ids: Sequence[Hashable],
        rows: Rows,
        backend: Index,
        hubness: Hubness | None = None,
        next_id: int = 0,
    ) -> None:
        self.rows, self.backend, self.hubness, self.next_id = rows, backend, hubness, next_id
        self._set_ids(list(ids))

    @classmethod
    def build(
        cls, ids: Sequence[Hashable], rows: NDArray, backend: Index, hubness: Hubness | None = None
    ) -> DocumentIndex:
        """Index unit rows, by a backend and a hubness correction that hold no rows yet."""
        blocks = Rows([rows])
        backend.build(blocks)
        if hubness is not None:
            hubness.append(rows)
            hubness.find_active(CompleteSearch(backend, blocks))
        return cls(ids, blocks, backend, hubness)

    def copied(self) -> DocumentIndex:
        """Index of the same documents, whose changes leave this one as it is.

        Rows are shared, and so is the index of a library until many rows have come or gone.
        """
        out = copy.copy(self)
        out.rows = self.rows.copied()
        out.backend = self.backend.copied(out.rows)
        out.hubness = None if self.hubness is None else replace(self.hubness)
        return out

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return len(self.ids)

    @property
    def width(self) -> int:
        """Width of the rows."""
        return self.rows.width

    @property
    def finder(self) -> CompleteSearch:
        """Search by cosine that finds as many positions as it is asked for."""
        return CompleteSearch(self.backend, self.rows)

    def checked_ids(self, ids: Any, n: int) -> list[Hashable]:
        """Identifiers of n new documents; None gives them numbers."""
        return checked_ids(ids, n, self.ids, self.next_id)

    def add(self, rows: NDArray, ids: Sequence[Hashable]) -> None:
        """Index unit rows under identifiers that `checked_ids` returned."""
        first = len(self.rows.alive)
        self.rows.append(rows)
        self.backend.append(rows, first)
        if self.hubness is not None:
            self.hubness.append(rows)
            self.hubness.find_active(self.finder)
        self._set_ids([*self.ids, *ids])

    def remove(self, ids: Iterable[Hashable]) -> list[int]:
        """Remove documents, and return the former places of those that stay.

        Raises
        ------
        KeyError
            If there is no such identifier. Nothing is removed then.
        """
        ids = list(ids)
        place = {key: i for i, key in enumerate(self.ids)}
        unknown = [key for key in ids if key not in place]
        if unknown:
            raise KeyError(
                f"The index has no document with the id {unknown[0]!r} ({len(unknown)} of "
                f"{len(ids)} ids are unknown); nothing was removed."
            )
        removed = {place[key] for key in ids}
        positions = self._positions[sorted(removed)]
        self.rows.alive[positions] = False
        try:
            self.backend.remove(positions, self.rows)
        except ValueError:  # too few rows stay for a backend that must be built again
            self.rows.alive[positions] = True
            raise
        kept = [i for i in range(len(self.ids)) if i not in removed]
        self._set_ids([self.ids[i] for i in kept])
        if self.hubness is not None and kept:
            self.hubness.find_active(self.finder)
        return kept

    def correct(self, hubness: Hubness | None) -> None:
        """Correct scores by hubness, in place of an earlier correction; None: cosines."""
        if hubness is not None:
            for _, rows in self.rows.pieces():
                hubness.append(rows)
            hubness.find_active(self.finder)
        self.hubness = hubness

    def search(self, Q: NDArray, k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Places and scores of the k best documents of each query, best first.

        Parameters
        ----------
        Q : ndarray of shape (n_queries, width), float32
            Unit rows.
        k : int
            At most `n_documents`.

        Returns
        -------
        places : ndarray of shape (n_queries, k), dtype int
            Places in `ids`.
        scores : ndarray of shape (n_queries, k), float32
            Cosines, or corrected scores.
        """
        if self.hubness is None:
            positions, scores = self.finder.search(Q, k)
        else:
            positions, scores = self.hubness.search(Q, k, self.finder, self.rows)
        return self.places(positions), scores

    def places(self, positions: NDArray[np.intp]) -> NDArray[np.intp]:
        """Places of positions.

        Parameters
        ----------
        positions : ndarray of shape (n_queries, k), dtype int
            Positions of documents that are there.

        Returns
        -------
        ndarray of shape (n_queries, k), dtype int
            Places in `ids`.
        """
        return self._places[positions]

    def _set_ids(self, ids: list[Hashable]) -> None:
        self.ids = ids
        # The number of a removed document is not given to a new one.
        numbers = (key + 1 for key in ids if isinstance(key, int))
        self.next_id = max(self.next_id, max(numbers, default=0))
        self._places = np.cumsum(self.rows.alive) - 1
        self._positions = np.flatnonzero(self.rows.alive)


def all_the_same(rows: NDArray) -> bool:
    """Whether there are several rows, which are equal but for rounding."""
    if len(rows) < 2 or not np.allclose(rows[-1], rows[0], rtol=_SAME, atol=_SAME):
        return False  # without a look at all of many rows
    return bool(np.allclose(rows, rows[0], rtol=_SAME, atol=_SAME))


def unit(rows: NDArray) -> NDArray:
    """Rows scaled to length 1, without a copy where they have it; rows of zeros stay zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if len(lengths) and np.abs(lengths - 1).max() < 1e-6:
        return np.ascontiguousarray(rows)
    return rows / np.where(lengths == 0, 1, lengths)[:, None]


def check_width(rows: NDArray, width: int | None, what: str) -> None:
    """Raise ValueError for rows of another width than the index; None allows any."""
    if width is not None and rows.shape[1] != width:
        raise ValueError(
            f"{what} have {rows.shape[1]} features, but the index has {width}: all must come "
            "from the encoders and the aligner that the index was built with."
        )


def checked_ids(
    ids: Any, n: int, present: Sequence[Hashable] = (), start: int = 0
) -> list[Hashable]:
    """Identifiers of n documents, distinct from those present; None gives them numbers."""
    if ids is None:
        if not all(isinstance(key, int) for key in present):
            raise ValueError("The index has identifiers of its own: pass ids= for new documents.")
        return list(range(start, start + n))
    ids = kept_ids(ids, n)
    seen = set(present)
    for row, key in enumerate(ids):
        if key in seen:
            raise ValueError(
                f"The id {key!r} stands for two documents, one of which is document {row}: every id "
                "must be unique. To replace a document, remove it first."
            )
        seen.add(key)
    return ids

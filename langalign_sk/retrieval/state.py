"""Fitted state of a retriever: one value, which is replaced and never changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .._utils.validation import ensured
from .fusion import Fusion, Joined
from .index import DocumentIndex
from .report import SearchReport
from .view import QueryRows, SearchView

__all__ = ["SearchState", "found_by", "writing"]


_LOCKS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_LOCK = threading.Lock()


def _free_locks() -> None:
    """In a forked process, which has none of the threads that hold them."""
    global _LOCK
    _LOCK = threading.Lock()
    _LOCKS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_locks)


def writing(retriever: Any) -> Any:
    """Lock of whoever changes a retriever; a search needs none.

    It is not an attribute of the retriever, which can be pickled and copied.
    """
    with _LOCK:
        return _LOCKS.setdefault(retriever, threading.RLock())


@dataclass(frozen=True)
class SearchState:
    """State of a fitted retriever, of which a search reads one from beginning to end.

    Nothing in it is changed once a retriever has it: documents are added to, and removed from, a
    copy of the views, so that a search in another thread sees all of a change or nothing of it.

    Attributes
    ----------
    views : list of SearchView
        The views.
    fusion : Fusion or None
        Their fusion.
    banks : list of QueryRows or None
        Queries that hubness is measured by in every view, not centred.
    texts : list of str or None
        The documents; None for embeddings.
    scoring : str
        How documents are ranked.
    report : SearchReport
        What was chosen.
    several : bool
        Whether the aligners were passed as a list.
    """

    views: list[SearchView]
    fusion: Fusion | None
    banks: list[QueryRows | None]
    texts: list[str] | None
    scoring: str
    report: SearchReport
    several: bool

    @property
    def index(self) -> DocumentIndex:
        """Index of the first view; identifiers and places are the same in all of them."""
        return self.views[0].index

    @property
    def attributes(self) -> dict[str, Any]:
        """Fitted attributes of a retriever in this state."""
        aligners = [view.aligner for view in self.views]
        return {
            "_state": self,
            "aligner_": aligners if self.several else aligners[0],
            "ids_": self.index.ids,
            "documents_": self.texts,
            "n_documents_": self.index.n_documents,
            "scoring_": self.scoring,
            "report_": self.report,
        }

    def search(
        self, rows: list[NDArray | None], texts: list[str] | None, k: int
    ) -> tuple[NDArray[np.intp], NDArray]:
        """Places and scores of the nearest documents, by a view alone or by several."""
        return found_by(self.fusion, self.views, rows, texts, k)

    def with_documents(
        self,
        rows: list[NDArray],
        languages: list[list[str]],
        ids: list[Any],
        texts: list[str] | None,
    ) -> SearchState:
        """State with more documents.

        Parameters
        ----------
        rows : list of ndarray of shape (n_documents, width), float32
            Unit rows in every view, not centred.
        languages : list of list of str
            Their languages in every view.
        ids : list of hashable
            Identifiers that `DocumentIndex.checked_ids` returned.
        texts : list of str or None
            The documents.
        """
        new = self._copied()
        first = len(new.index.rows.alive)
        for view, part, codes in zip(new.views, rows, languages, strict=True):
            view.add(part, codes, ids)
        if new.fusion is not None and new.fusion.hubness is not None:
            joined = Joined(new.fusion, [view.index for view in new.views])
            joined.append_to(new.fusion.hubness, first)
        if new.fusion is not None and new.fusion.lexical is not None and texts is not None:
            new.fusion.lexical.append(texts)
        both = None if self.texts is None or texts is None else self.texts + texts
        return replace(new, texts=both)

    def without_documents(self, ids: Iterable[Any]) -> SearchState:
        """State without documents.

        Raises
        ------
        KeyError
            If there is no such identifier.
        """
        ids, new = list(ids), self._copied()
        before = self.index.rows.alive
        for view in new.views:
            kept = view.index.remove(ids)
        if new.fusion is not None and new.fusion.lexical is not None:
            new.fusion.lexical.remove(np.flatnonzero(before & ~new.index.rows.alive))
        if new.fusion is not None and new.fusion.hubness is not None and kept:
            new.fusion.hubness.find_active(Joined(new.fusion, [view.index for view in new.views]))
        return replace(new, texts=None if self.texts is None else [self.texts[i] for i in kept])

    def _copied(self) -> SearchState:
        """State of the same documents, whose views and fusion may be changed."""
        fusion = self.fusion
        if fusion is not None:
            lexical, hubness = fusion.lexical, fusion.hubness
            fusion = replace(
                fusion,
                lexical=None if lexical is None else lexical.copied(),
                hubness=None if hubness is None else replace(hubness),
            )
        return replace(self, views=[view.copied() for view in self.views], fusion=fusion)


def found_by(
    fusion: Fusion | None,
    views: list[SearchView],
    rows: list[NDArray | None],
    texts: list[str] | None,
    k: int,
) -> tuple[NDArray[np.intp], NDArray]:
    """Places and scores of the nearest documents.

    Parameters
    ----------
    fusion : Fusion or None
        Fusion of the views; None for a view alone.
    views : list of SearchView
        The views.
    rows : list of ndarray of shape (n_queries, width), or None
        Unit rows of queries in every view; None for a view that does not answer.
    texts : list of str or None
        The queries, for the lexical view.
    k : int
        Number of documents.

    Returns
    -------
    places : ndarray of shape (n_queries, k), dtype int
        Places in the identifiers.
    scores : ndarray of shape (n_queries, k), float32
        Scores.
    """
    if fusion is None:
        return views[0].index.search(ensured(rows[0], "rows"), k)
    positions, scores = fusion.search([view.index for view in views], rows, texts, k)
    return views[0].index.places(positions), scores

"""Lexical view of a search: BM25 over the tokens that languages share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.optional import import_extra

__all__ = ["LexicalEvidence", "LexicalIndex", "lexical_evidence", "shared_tokens"]


# Letters of scripts that are written without spaces, or with particles: two languages do not share
# the words between spaces. The blocks are Thai to Tibetan, Myanmar, Hangul, Khmer, and kana to
# Hangul syllables with the ideographs.
_NO_WORDS = (
    "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_PART = rf"[^\W_{_NO_WORDS}]+"
_TOKEN = re.compile(rf"{_PART}(?:[-_./:+@&]{_PART})*(?:\+\+|#)?")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# A token that a document repeats tells little more than one that it has once: recall at 1 of two
# encoders and this view is higher with .3 than with 1.5, the default of bm25s.
_K1 = 0.3
_B = 0.75
# Of pairs, for a lexical view that is worth its cost.
_LEAST_SHARE = 0.01
_LEAST_AUC = 0.6
_MOST_PAIRS = 500


class LexicalIndex:
    """BM25 index of the tokens that languages share: numbers, names in Latin letters, identifiers.

    Documents are counted by position, which counts removed ones too. The score of a document is
    BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009;
    as in Lucene, by the library bm25s) over the logarithm of the number of documents: a token that
    stands in one document counts about 1 at most, one that stands in every document about 0. It
    depends on the documents and the query, and on no other query. A document without a token of
    the query has the score 0.

    Parameters
    ----------
    texts : sequence of str
        Documents. Any number, and any of them may be empty.

    Raises
    ------
    ImportError
        If bm25s is not installed.

    Examples
    --------
    >>> index = LexicalIndex(["The pump A-113/x2", "A pump", "Version 2.0 of the manual"])
    >>> positions, scores = index.search(["펌프 A-113/x2는 어디에 있나요?", "펌프"], k=2)
    >>> positions.tolist()
    [[0, 1], [-1, -1]]
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._library()
        self._vocabulary: dict[str, int] = {}
        self._tokens: list[list[int]] = []
        self._alive: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._bm25: Any = None
        self.append(texts)

    @property
    def n_rows(self) -> int:
        """Number of positions, with those of removed documents."""
        return len(self._tokens)

    def append(self, texts: Iterable[str]) -> None:
        """Index more documents, at the positions that follow.

        Parameters
        ----------
        texts : iterable of str
            Documents.
        """
        known = self._vocabulary
        before = len(self._tokens)
        for text in texts:
            tokens = shared_tokens(text)
            self._tokens.append([known.setdefault(token, len(known)) for token in tokens])
        more = np.ones(len(self._tokens) - before, dtype=bool)
        self._alive = np.concatenate([self._alive, more])
        self._bm25 = None

    def remove(self, positions: Sequence[int] | NDArray[np.intp]) -> None:
        """Remove documents; those that stay keep their positions.

        Parameters
        ----------
        positions : sequence of int
            Positions of documents. What was removed before may be removed again.
        """
        for position in np.asarray(positions, dtype=np.intp):
            self._alive[position] = False
            self._tokens[position] = []
        self._bm25 = None

    def search(self, queries: Sequence[str], k: int) -> tuple[NDArray[np.intp], NDArray]:
        """Positions and scores of the k best documents of each query, best first.

        Parameters
        ----------
        queries : sequence of str
            Texts.
        k : int
            At least 1.

        Returns
        -------
        positions : ndarray of shape (n_queries, k), dtype int
            Positions; -1 where fewer documents have a token of the query. Equal scores are ordered
            by position.
        scores : ndarray of shape (n_queries, k), float32
            Scores; -inf in these places.
        """
        positions = np.full((len(queries), k), -1, dtype=np.intp)
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for i, query in enumerate(queries):
            scores = self._scores(query)
            if scores is None:
                continue
            found = np.flatnonzero(scores)
            if len(found) > k:
                least = np.partition(scores[found], len(found) - k)[len(found) - k]
                found = found[scores[found] >= least]
            found = found[np.lexsort((found, -scores[found]))][:k]
            positions[i, : len(found)], best[i, : len(found)] = found, scores[found]
        return positions, best

    def score(self, queries: Sequence[str], positions: NDArray[np.intp]) -> NDArray:
        """Scores of given documents.

        Parameters
        ----------
        queries : sequence of str
            Texts.
        positions : ndarray of shape (n_queries, n_candidates), dtype int
            Positions of documents; -1 for none.

        Returns
        -------
        ndarray of shape (n_queries, n_candidates), float32
            Scores; 0 for -1, for removed documents, and where no token is shared.
        """
        out = np.zeros(positions.shape, dtype=np.float32)
        for i, query in enumerate(queries):
            scores = self._scores(query)
            if scores is not None:
                out[i] = np.where(positions[i] >= 0, scores[positions[i]], 0)
        return out

    def _scores(self, query: str) -> NDArray | None:
        """Scores of all positions; None where no document has a token of the query."""
        # Every token once: what a query says twice is not twice as rare.
        tokens = dict.fromkeys(shared_tokens(query))
        ids = [self._vocabulary[token] for token in tokens if token in self._vocabulary]
        if not ids or not self._alive.any():
            return None
        if self._bm25 is None:
            self._bm25 = self._built()
        found: NDArray = self._bm25.get_scores_from_ids(ids)
        if len(found) == self.n_rows:
            return found
        scores = np.zeros(self.n_rows, dtype=np.float32)
        scores[self._alive] = found
        return scores

    def _built(self) -> Any:
        """Index of bm25s on the documents that are not removed."""
        alive = [self._tokens[position] for position in np.flatnonzero(self._alive)]
        bm25 = self._library().BM25(k1=_K1, b=_B, method="lucene", backend="numpy")
        bm25.index((alive, self._vocabulary), create_empty_token=False, show_progress=False)
        bm25.scores["data"] /= np.float32(np.log1p(len(alive)))
        return bm25

    @staticmethod
    def _library() -> Any:
        """Import bm25s."""
        return import_extra("bm25s", "The lexical view needs bm25s", "lexical")

    def __getstate__(self) -> dict[str, Any]:
        """State without the index of bm25s, which is built again at the first search."""
        return self.__dict__ | {"_bm25": None}


@dataclass(frozen=True)
class LexicalEvidence:
    """What pairs say about a lexical view.

    Attributes
    ----------
    share : float
        Share of the pairs whose sides share a token.
    auc : float
        Area under the ROC curve: among queries that share a token with any document, how often
        their own document has a higher score than another one; ties count half.
    """

    share: float
    auc: float

    @property
    def helps(self) -> bool:
        """Whether the view is worth fusing."""
        return self.share >= _LEAST_SHARE and self.auc >= _LEAST_AUC


def lexical_evidence(queries: Sequence[str], documents: Sequence[str]) -> LexicalEvidence:
    """Area under the ROC curve of the lexical view on pairs.

    Parameters
    ----------
    queries : sequence of str
        Texts of one side, such as the target language. At most 500, evenly spaced, are looked at.
    documents : sequence of str
        The texts that they ask for, in the same order.

    Returns
    -------
    LexicalEvidence
        Its attribute `helps` decides for or against the view.

    Raises
    ------
    ValueError
        If the numbers of texts differ.
    ImportError
        If bm25s is not installed.
    """
    if len(queries) != len(documents):
        raise ValueError(f"{len(queries)} queries and {len(documents)} documents are not pairs.")
    if not len(queries):
        return LexicalEvidence(0.0, 0.5)
    at = np.unique(np.linspace(0, len(queries) - 1, _MOST_PAIRS).astype(int))
    index = LexicalIndex([documents[i] for i in at])
    asked = [queries[i] for i in at]
    scores = index.score(asked, np.tile(np.arange(len(at)), (len(at), 1)))
    own = scores.diagonal()[:, None]
    asks = (scores > 0).any(axis=1)
    if len(at) == 1 or not asks.any():
        return LexicalEvidence(float((own > 0).mean()), 0.5)
    wins = (scores < own).sum(axis=1) + 0.5 * ((scores == own).sum(axis=1) - 1)
    auc = wins[asks].mean() / (len(at) - 1)
    return LexicalEvidence(float((own > 0).mean()), float(auc))


def shared_tokens(text: str) -> list[str]:
    """Tokens of a text that another language may share.

    Parameters
    ----------
    text : str
        Text in any language.

    Returns
    -------
    list of str
        Words of scripts that are written with spaces, numbers and identifiers, without case, accents
        and thousands separators. Identifiers of several parts are followed by their parts.

    Examples
    --------
    >>> shared_tokens("펌프 A-113/x2의 가격은 １，５００달러")
    ['a-113/x2', 'a', '113', 'x', '2', '1500']
    """
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    out = []
    for token in _TOKEN.findall(_THOUSANDS.sub("", text.casefold())):
        out.append(token)
        if not token.isalpha():
            parts = _PARTS.findall(token)
            if len(parts) > 1:
                out += parts
    return out
